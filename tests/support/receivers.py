"""OTLP receivers that keep what they get, by HTTP and by gRPC."""

from __future__ import annotations

import gzip
import ssl
import time
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any

import grpc
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2 as logs_pb
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2_grpc as logs_grpc
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2 as metrics_pb
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2_grpc as metrics_grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as trace_pb
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc as trace_grpc

from telemetry import conventions as c
from telemetry.facade import Telemetry

BOUND = 10.0
DECODERS: dict[str, Callable[[bytes], bytes]] = {"gzip": gzip.decompress, "deflate": zlib.decompress}


class Receiver:
    """An OTLP/HTTP receiver that keeps what it gets; it answers while `released` is set. By TLS with a `context`."""

    def __init__(self, context: ssl.SSLContext | None = None, *, keeps_connections: bool = False) -> None:
        self.bodies: dict[str, list[bytes]] = {"/v1/traces": [], "/v1/metrics": [], "/v1/logs": []}
        self.headers: list[dict[str, str]] = []
        self.status = 200
        self.script: list[tuple[int, dict[str, str], bytes]] = []
        """Status, headers and body of the next answers; after them `status` alone."""
        self.released = Event()
        self.released.set()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1" if keeps_connections else "HTTP/1.0"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.released.wait(BOUND)
                decode = DECODERS.get(self.headers.get("Content-Encoding", ""), bytes)
                receiver.bodies[self.path].append(decode(body))
                receiver.headers.append({key.lower(): text for key, text in self.headers.items()})
                status, headers, answer = receiver.script.pop(0) if receiver.script else (receiver.status, {}, b"")
                self.send_response(status)
                for key, text in {"Content-Length": str(len(answer)), **headers}.items():
                    self.send_header(key, text)
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"{'https' if context else 'http'}://127.0.0.1:{self._server.server_port}"
        if context is not None:
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
            # What a client that does not trust us leaves behind is no news.
            self._server.handle_error = lambda *_: None  # type: ignore[method-assign]
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self.released.set()
        self._server.shutdown()
        self._thread.join(BOUND)
        self._server.server_close()


class GrpcReceiver:
    """An OTLP/gRPC receiver that keeps what it gets; `refusing` answers with an error that passes by no retry.

    By TLS with `credentials`.
    """

    def __init__(self, credentials: grpc.ServerCredentials | None = None) -> None:
        self.requests: dict[str, list[Any]] = {signal: [] for signal in c.SIGNALS}
        self.metadata: list[dict[str, str]] = []
        self.refusing = False
        self._server = grpc.server(ThreadPoolExecutor(max_workers=2))
        trace_grpc.add_TraceServiceServicer_to_server(
            self._servicer(trace_grpc.TraceServiceServicer, "traces", trace_pb.ExportTraceServiceResponse),
            self._server,
        )
        metrics_grpc.add_MetricsServiceServicer_to_server(
            self._servicer(metrics_grpc.MetricsServiceServicer, "metrics", metrics_pb.ExportMetricsServiceResponse),
            self._server,
        )
        logs_grpc.add_LogsServiceServicer_to_server(
            self._servicer(logs_grpc.LogsServiceServicer, "logs", logs_pb.ExportLogsServiceResponse), self._server
        )
        if credentials is None:
            self.url = f"http://127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        else:
            self.url = f"https://127.0.0.1:{self._server.add_secure_port('127.0.0.1:0', credentials)}"
        self._server.start()

    def _servicer(self, kind: type, signal: str, answer: type) -> Any:
        receiver = self

        class Servicer(kind):
            def Export(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802 - the service's name
                if receiver.refusing:
                    context.abort(grpc.StatusCode.INVALID_ARGUMENT, "refused")
                receiver.requests[signal].append(request)
                receiver.metadata.append(dict(context.invocation_metadata()))
                return answer()

        return Servicer()

    def close(self) -> None:
        self._server.stop(None).wait(BOUND)


def dropped(telemetry: Telemetry, signal: str, reason: str) -> float:
    """What telemetry itself has counted, at its own `/metrics`."""
    line = f'execution_telemetry_dropped_total{{signal="{signal}",reason="{reason}"}} '
    return float(telemetry.metrics("")[0].decode().split(line)[1].split("\n")[0])


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + BOUND
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true in time"
        time.sleep(0.01)
