"""The rules, read once."""

from __future__ import annotations

import pytest

from scripts.lib.alerts import Alert, Group, alerts, load


@pytest.fixture(scope="session")
def groups() -> list[Group]:
    return load()


@pytest.fixture(scope="session")
def entries(groups: list[Group]) -> dict[str, Alert]:
    """Every entry of every alert rule, by its title."""
    return {entry.title: entry for entry in alerts(groups)}


@pytest.fixture(scope="session")
def recorded(groups: list[Group]) -> dict[str, str]:
    """Expression of each recording rule."""
    return {rule.name: rule.expression for group in groups for rule in group.recordings}
