"""One stack for all tests here, and a fresh service for each module."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from scripts.lib.stack import StackError
from tests.acceptance.stack.fillpath import Fillpath
from tests.acceptance.stack.lab import Lab, standing


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Collector, Jaeger and Prometheus on free ports; a program that is missing fails every test by its name."""
    with ExitStack() as stack:
        try:
            lab = stack.enter_context(standing(tmp_path_factory.mktemp("stack"), "collector", "jaeger", "prometheus"))
        except StackError as error:
            pytest.fail(str(error), pytrace=False)
        yield lab


@pytest.fixture(scope="module")
def service(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fillpath]:
    """A service on the paper exchange, with sources of every kind."""
    one = lab.fillpath(tmp_path_factory.mktemp("service") / "own")
    try:
        one.start()
        yield one
    finally:
        one.close()
