"""A third party's instrumentation, unchanged, over the lean provider: httpx, against a real server."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from itertools import count
from typing import Any

import httpx
import pytest
from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import Decision, ParentBased, Sampler, SamplingResult
from opentelemetry.trace import SpanKind, StatusCode

from telemetry.lean import LeanTelemetry
from telemetry.lean.tracer import LeanTracerProvider
from tests.support.receivers import Receiver, wait_until
from tests.unit.telemetry.lean.sink import CONFIG, Sink


@pytest.fixture
def server() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.close()


def instrumented(provider: Any) -> httpx.Client:
    client = httpx.Client()
    HTTPXClientInstrumentor.instrument_client(client, tracer_provider=provider)
    return client


def told(spans: Sequence[ReadableSpan]) -> list[Any]:
    """What a span says that is no id and no time."""
    return [
        (
            span.name,
            span.kind,
            dict(span.attributes or {}),
            span.status.status_code,
            span.status.description,
            [(event.name, (event.attributes or {}).get("exception.type")) for event in span.events],
            span.instrumentation_scope,
            span.parent is None,
            span.context.trace_flags,
        )
        for span in spans
    ]


def test_it_tells_of_requests_what_it_tells_with_the_sdk(server: Receiver) -> None:
    found = []
    for provider in (TracerProvider(shutdown_on_exit=False), LeanTracerProvider(lambda _span: None)):
        exporter = InMemorySpanExporter()
        provider.add_span_processor(SimpleSpanProcessor(exporter))
        client = instrumented(provider)
        server.script = [(200, {}, b"hello"), (404, {}, b""), (503, {}, b"")]
        for _ in range(3):
            client.post(f"{server.url}/v1/logs", content=b"x")
        with pytest.raises(httpx.ConnectError):
            client.get("http://127.0.0.1:1/nobody")
        found.append(told(exporter.get_finished_spans()))

    in_sdk, in_lean = found
    assert in_lean == in_sdk
    assert [span[3] for span in in_lean] == [StatusCode.UNSET] + 3 * [StatusCode.ERROR]
    assert in_lean[3][5] == [("exception", "httpx.ConnectError")]


def test_its_span_belongs_to_the_facades_and_goes_on_with_its_ids_and_the_random_flag(server: Receiver) -> None:
    sink = Sink()
    engine = LeanTelemetry(CONFIG, {}, senders={"traces": sink})
    client = instrumented(engine.provider)

    with engine.request("server", {}, traceparent=None, trust=False) as request:
        request.keep()
        client.post(f"{server.url}/v1/logs", content=b"x")
    engine.close(5)

    spans = {span.name: span for span in sink.spans()}
    assert spans["POST"].parent_span_id.hex() == request.context.span_id
    assert spans["POST"].kind == SpanKind.CLIENT.value + 1
    assert server.headers[0]["traceparent"] == f"00-{request.context.trace_id}-{spans['POST'].span_id.hex()}-03"


async def test_its_asynchronous_client_works_as_well(server: Receiver) -> None:
    ended: list[Any] = []
    tracer = LeanTracerProvider(ended.append)
    async with httpx.AsyncClient() as client:
        HTTPXClientInstrumentor.instrument_client(client, tracer_provider=tracer)
        with tracer.get_tracer("x").start_as_current_span("outer"):
            await client.post(f"{server.url}/v1/logs", content=b"x")

    assert [span.name for span in ended] == ["POST", "outer"]
    assert ended[0].parent_id == ended[1].span_id


def test_blocks_and_decorators_around_its_requests_are_their_parents(server: Receiver) -> None:
    ended: list[Any] = []
    provider = LeanTracerProvider(ended.append)
    tracer, client = provider.get_tracer("mine"), instrumented(provider)

    @tracer.start_as_current_span("decorated")
    def ask() -> int:
        return client.post(f"{server.url}/v1/logs", content=b"x").status_code

    with tracer.start_as_current_span("block"):
        assert ask() == 200

    assert [span.name for span in ended] == ["POST", "decorated", "block"]
    assert [span.parent_id for span in ended] == [ended[1].span_id, ended[2].span_id, 0]


class ByPath(Sampler):
    """Keeps what the instrumentation says of a request, as samplers of others do: by an attribute at the start."""

    def should_sample(
        self,
        parent_context: Any,
        trace_id: int,
        name: str,
        kind: Any = None,
        attributes: Any = None,
        *_: Any,
        **__: Any,
    ) -> SamplingResult:
        wanted = str((attributes or {}).get("http.url", (attributes or {}).get("url.full", ""))).endswith("/v1/logs")
        return SamplingResult(Decision.RECORD_AND_SAMPLE if wanted else Decision.DROP, attributes)

    def get_description(self) -> str:
        return "by path"


class Ascending(IdGenerator):
    def __init__(self) -> None:
        self._next = count(1)

    def generate_trace_id(self) -> int:
        return next(self._next)

    def generate_span_id(self) -> int:
        return next(self._next)

    def is_trace_id_random(self) -> bool:
        return False


class Marking(SpanProcessor):
    def on_start(self, span: Any, parent_context: Any = None) -> None:
        span.set_attribute("tenant", "blue")


def test_samplers_id_generators_and_processors_of_others_hold_for_it(server: Receiver) -> None:
    exporter = InMemorySpanExporter()
    provider = LeanTracerProvider(lambda _span: None, sampler=ParentBased(ByPath()), id_generator=Ascending())
    provider.add_span_processor(Marking())
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    client = instrumented(provider)

    for path in ("/v1/logs", "/v1/metrics"):
        client.post(f"{server.url}{path}", content=b"x")

    (span,) = exporter.get_finished_spans()
    assert span.attributes is not None
    assert span.attributes["tenant"] == "blue"
    assert (span.context.trace_id, span.context.span_id, span.context.trace_flags) == (1, 2, 1)
    assert [headers["traceparent"][-2:] for headers in server.headers] == ["01", "00"]


class OverHttpx(Sink):
    """Sends by the instrumented client, as an exporter of somebody else may."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.url = url
        self.client: httpx.Client | None = None

    def post(self, body: bytes, deadline: float) -> bool:
        assert self.client is not None
        self.client.post(self.url, content=body, timeout=max(0.1, deadline - time.monotonic()))
        return super().post(body, deadline)


def test_what_is_sent_by_the_instrumented_client_makes_no_spans_of_its_own(server: Receiver) -> None:
    sink = OverHttpx(f"{server.url}/v1/traces")
    engine = LeanTelemetry(CONFIG, {"OTEL_BSP_SCHEDULE_DELAY": "10"}, senders={"traces": sink})
    sink.client = instrumented(engine.provider)

    with engine.span("first"):
        pass
    wait_until(lambda: bool(server.bodies["/v1/traces"]))
    with engine.span("second"):
        pass
    engine.provider.force_flush()
    engine.close(5)

    assert [span.name for span in sink.spans()] == ["first", "second"]
    assert len(server.bodies["/v1/traces"]) == 2
    assert all("traceparent" not in headers for headers in server.headers)
