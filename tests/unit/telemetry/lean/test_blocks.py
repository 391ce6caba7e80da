"""A block that is all there is of its span: what others see of it, and attributes that many spans share."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from opentelemetry import context as otel_context
from opentelemetry import trace

from telemetry.facade import Repeated, Telemetry
from telemetry.lean import LeanTelemetry
from telemetry.lean.current import SPAN_KEY
from tests.unit.telemetry.lean.sink import CONFIG, Sink
from tests.unit.telemetry.lean.test_engine import both

IDENTITY = {"order.id": "a", "money": Decimal("1.50"), "api_key": "hunter2", "n": 1}


def with_repeated(engine: Telemetry) -> None:
    identity = Repeated(IDENTITY)
    with engine.request("server", identity, traceparent=None, trust=False) as request:
        request.keep()
        engine.step("step", time.time_ns(), identity)
        engine.step("bare", time.time_ns())
        engine.step("plain", time.time_ns(), {"a": 1})
        with engine.span("again", identity) as span:
            span.set(identity)
        with engine.span("beside", identity) as span:
            span.set({"b": 1})
            span.set({"c": Decimal(2)})
        with engine.span("over", identity) as span:
            span.set({"n": 2, "b": 1})
            span.set(Repeated({"order.id": "b"}))
        with engine.span("after", {"n": True}) as span:
            span.set(identity)
        with engine.span("failing", identity) as span:
            span.event("e", identity)
            span.fail("timeout")
        with engine.span("many", dict.fromkeys(map(str, range(62)), 1)) as span:
            span.set(identity)
    with engine.span("beyond", Repeated(dict.fromkeys(map(str, range(70)), 1))):
        pass
    with engine.span("unreadable", Repeated({"a\ud800": 1, "b": 2})):
        pass


@pytest.fixture
def quiet() -> Iterator[None]:
    """Of what cannot be encoded the SDK logs a traceback with the text, which no report of a test run can carry."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.usefixtures("quiet")
def test_repeated_attributes_come_out_as_any_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time_ns", lambda: 1_700_000_000_000_000_000)

    exported = both(monkeypatch, with_repeated)

    names = [span.name for span in exported.resource_spans[0].scope_spans[0].spans]
    assert len(names) == len(set(names)) == 12


def test_they_are_encoded_once_for_all_spans() -> None:
    engine = LeanTelemetry(CONFIG, {}, senders={"traces": Sink()})
    identity = Repeated(IDENTITY)

    for _ in range(2):
        with engine.span("x", identity):
            pass
    first = identity.encoded
    with engine.span("y", identity):
        pass
    engine.close(5)

    assert first is not None
    assert identity.encoded is first


def test_what_else_is_in_the_context_is_there_inside_a_block() -> None:
    engine = LeanTelemetry(CONFIG, {}, senders={})
    token = otel_context.attach(otel_context.set_value("baggage", "mine"))

    with engine.span("outer"), engine.span("inner") as inner:
        current: dict[str, Any] = otel_context.get_current()
        assert (current.get("baggage"), current["baggage"], current.get("other", 5)) == ("mine", "mine", 5)
        assert set(current) == set({**current}) == set(dict(current)) == set(current.copy()) == {"baggage", SPAN_KEY}
        assert len(current) == len(current.items()) == len(current.values()) == 2
        assert "baggage" in current
        assert SPAN_KEY in current
        assert "other" not in current
        mine = trace.get_current_span()
        assert f"{mine.get_span_context().span_id:016x}" == inner.context.span_id
        more = otel_context.set_value("other", 1)
        assert (more["baggage"], more["other"], more[SPAN_KEY]) == ("mine", 1, mine)
    otel_context.detach(token)
    engine.close(1)

    assert otel_context.get_current() == {}


def test_a_span_that_is_asked_for_after_its_end_has_ended() -> None:
    engine = LeanTelemetry(CONFIG, {}, senders={})

    with engine.span("x", {"a": 1}) as span:
        context = otel_context.get_current()
    late = trace.get_current_span(context)
    span.set({"b": 2})
    engine.close(1)

    assert not late.is_recording()
    assert late.name == "x"  # type: ignore[attr-defined]
    assert dict(late.attributes) == {"a": 1}  # type: ignore[attr-defined]
