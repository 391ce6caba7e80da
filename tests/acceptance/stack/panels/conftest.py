"""One mixed run for all tests here."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.acceptance.stack.lab import Lab
from tests.acceptance.stack.panels.run import Run, configuration, trade
from tests.acceptance.stack.venue import KEYS, running


@pytest.fixture(scope="package")
def run(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """The service still runs, with nothing on its way."""
    folder = tmp_path_factory.mktemp("mixed")
    with running(folder) as venue:
        service = lab.fillpath(folder / "own", configuration(venue), **KEYS)
        try:
            service.start()
            yield trade(lab, service, venue)
        finally:
            service.close()
