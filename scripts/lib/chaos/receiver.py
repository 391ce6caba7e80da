"""An OTLP/HTTP receiver for the service's spans, in this process: a kill of the service takes nothing from it."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span as ProtoSpan

from scripts.lib.chaos.evidence import Span, Spans

_ORDER_ID = "order.id"
_OF_ORDERS = (
    "order.execute",
    "order.size",
    "order.reconcile",
    "order.update",
    "order.resume",
    "exchange.",
    "journal.append",
)
"""Spans that belong to the order's own trace. A repeated alert's SERVER span has a trace of its own, by design."""


class Receiver:
    """Keeps what the judge needs of each span; `spans` may be asked for at any time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._orders: list[Span] = []
        self._newest_ns: list[int] = []

    @property
    def spans(self) -> Spans:
        with self._lock:
            return Spans(tuple(self._orders), tuple(self._newest_ns))

    def take(self, body: bytes) -> None:
        """One export request, protobuf."""
        request = ExportTraceServiceRequest.FromString(body)
        spans = [span for resource in request.resource_spans for scope in resource.scope_spans for span in scope.spans]
        if not spans:
            return
        of_orders = [kept for span in spans if (kept := _kept(span)) is not None]
        with self._lock:
            self._orders += of_orders
            self._newest_ns.append(max(span.start_time_unix_nano for span in spans))


def _kept(span: ProtoSpan) -> Span | None:
    if not span.name.startswith(_OF_ORDERS):
        return None
    order_id = next((pair.value.string_value for pair in span.attributes if pair.key == _ORDER_ID), "")
    if not order_id:
        return None
    return Span(span.name, order_id, span.trace_id.hex(), span.start_time_unix_nano)


Answer = Callable[[str, bytes], int]
"""Is given an export's path and body, in a thread of the connection's own; returns the status."""


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, answer: Answer) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answer = answer

    def handle_error(self, request: object, client_address: object) -> None:
        """Says nothing: a connection breaks with each kill."""


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        body = self.rfile.read(length)
        if len(body) < length:  # the sender was killed while it sent
            return
        self.send_response(self.server.answer(self.path, body))
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the standard library's name
        """Says nothing: the table is the output."""


@contextmanager
def answering(answer: Answer) -> Iterator[str]:
    """The address of a server that answers exports so."""
    server = _Server(answer)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def receiving(receiver: Receiver) -> Iterator[str]:
    """The address at which `receiver` takes exports."""

    def take(path: str, body: bytes) -> int:
        del path
        receiver.take(body)
        return http.HTTPStatus.OK

    with answering(take) as address:
        yield address
