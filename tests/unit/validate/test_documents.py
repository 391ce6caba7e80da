"""A page that lacks an entry, or that nobody generated again, is found."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from scripts import generate_docs
from scripts.lib.validate import documents
from scripts.lib.validate.results import CheckError


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    return Path(shutil.copytree(generate_docs.DOCS, tmp_path / "docs"))


def test_the_projects_own_documents_are_complete() -> None:
    found = documents.check()

    assert "33 rules" in found
    assert "each rule its runbook" in found


@pytest.mark.parametrize(
    ("page", "entry", "said"),
    [
        ("telemetry.md", "`execution_active_requests`", "execution_active_requests is not in docs/telemetry.md"),
        ("telemetry.md", "`order.reconcile`", "order.reconcile is not in docs/telemetry.md"),
        ("alerts.md", "[OrdersInDoubt](runbooks/OrdersInDoubt.md)", "OrdersInDoubt is not in docs/alerts.md"),
        ("dashboards.md", "| Circuit breaker state |", "Circuit breaker state is not in docs/dashboards.md"),
        ("settings.md", "`max_notional`", "max_notional is not in docs/settings.md"),
    ],
)
def test_a_missing_entry_is_named_with_what_to_do(docs: Path, page: str, entry: str, said: str) -> None:
    text = (docs / page).read_text("utf-8")
    assert entry in text
    (docs / page).write_text(text.replace(entry, ""), "utf-8")

    with pytest.raises(CheckError) as failed:
        documents.check(docs)

    assert said in failed.value.found
    assert "generate_docs.py" in failed.value.fix


def test_a_rule_without_a_runbook_is_named(docs: Path) -> None:
    (docs / "runbooks/Watchdog.md").unlink()

    with pytest.raises(CheckError, match="Watchdog has no runbook"):
        documents.check(docs)


def test_a_missing_page_is_all_of_its_entries(docs: Path) -> None:
    (docs / "alerts.md").unlink()

    with pytest.raises(CheckError, match="and 27 more"):
        documents.check(docs)


def test_a_page_that_is_not_what_its_source_says_is_named(docs: Path) -> None:
    page = docs / "states.md"
    page.write_text(page.read_text("utf-8") + "by hand\n", "utf-8")

    with pytest.raises(CheckError, match=r"states\.md"):
        documents.check(docs)
