"""One stack for all tests here, and a fresh service for each module."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from scripts.lib.stack import Ports, Stack, StackError
from tests.acceptance.stack.fillpath import Fillpath
from tests.acceptance.stack.jaeger import Jaeger
from tests.acceptance.stack.lab import Lab
from tests.acceptance.stack.prometheus import Prometheus

SERVERS = frozenset({"collector", "jaeger", "prometheus"})


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Collector, Jaeger and Prometheus on free ports; a program that is missing fails every test by its name."""
    stack = Stack(tmp_path_factory.mktemp("stack"), Ports.free(), only=SERVERS)
    try:
        stack.up()
    except StackError as error:
        stack.down()
        pytest.fail(str(error), pytrace=False)
    jaeger, prometheus = Jaeger(stack.addresses.jaeger_query), Prometheus(stack.addresses.prometheus)
    yield Lab(stack, jaeger, prometheus)
    jaeger.close()
    prometheus.close()
    stack.down()


@pytest.fixture(scope="module")
def service(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fillpath]:
    """A service on the paper exchange, with sources of every kind."""
    one = lab.fillpath(tmp_path_factory.mktemp("service") / "own")
    try:
        one.start()
        yield one
    finally:
        one.close()
