"""docs/alerts.md names every rule once, with its page."""

from __future__ import annotations

from scripts.lib.alerts import Alert
from scripts.lib.alerts.page import alerts_page


def test_every_rule_stands_in_the_page_with_its_severity_and_its_runbook(entries: dict[str, Alert]) -> None:
    page = alerts_page()

    for entry in entries.values():
        row = f"| [{entry.name}](runbooks/{entry.name}.md) | {entry.severity} | {entry.labels['component']} | "
        assert page.count(row) == 1


def test_the_page_says_where_links_are_set() -> None:
    page = alerts_page()

    assert "runbooks: https://" in page
    assert "grafana: https://" in page
