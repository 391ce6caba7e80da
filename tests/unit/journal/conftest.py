from __future__ import annotations

import pytest

from service.journal.sqlite import SqliteJournal


@pytest.fixture
def path(tmp_path):
    return tmp_path / "data" / "journal.sqlite"


@pytest.fixture
async def journal(path):
    journal = SqliteJournal.open(path)
    yield journal
    await journal.close()
