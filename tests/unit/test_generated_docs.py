"""The generated pages are what their sources say."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts import generate_docs
from telemetry import conventions as c


def test_no_generated_page_has_drifted() -> None:
    assert generate_docs.drifted() == []


def test_a_changed_page_is_named(tmp_path: Path) -> None:
    generate_docs.write(tmp_path)
    page = tmp_path / "telemetry.md"

    page.write_text(page.read_text() + "by hand\n")

    assert generate_docs.drifted(tmp_path) == ["telemetry.md"]


def test_a_missing_page_has_drifted(tmp_path: Path) -> None:
    assert set(generate_docs.drifted(tmp_path)) == set(generate_docs.PAGES)


@pytest.mark.parametrize("arguments", [["--write"], ["--check", "x"]])
def test_unknown_arguments_are_refused(arguments: list[str]) -> None:
    assert generate_docs.main(arguments) == 2


def test_the_telemetry_page_names_every_metric_span_and_attribute() -> None:
    page = generate_docs.PAGES["telemetry.md"]()

    for name in (*(i.prometheus_name for i in c.INSTRUMENTS), *c.SPANS, *c.ATTRIBUTES):
        assert f"`{name}`" in page
