"""A real collector as a process, and a backend in the test that takes what it sends."""

from __future__ import annotations

import asyncio
import os
import secrets
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import httpx
from aiohttp import web
from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from scripts.lib.stack.ports import Ports, listen, url
from tests.support.waiting import until

HEALTHY_WITHIN_S = 60.0
ENDED_WITHIN_S = 60.0
REQUESTS = {
    "traces": ExportTraceServiceRequest,
    "metrics": ExportMetricsServiceRequest,
    "logs": ExportLogsServiceRequest,
}


class Collector:
    """One collector on free ports of its own, its data in one folder over all of its lives."""

    def __init__(self, program: Path, folder: Path, arguments: Sequence[str | Path], **environ: str) -> None:
        self.ports = Ports.free()
        self.endpoint = url(self.ports.otlp_http)
        self._command = [program, *arguments]
        self._log = folder / "collector.log"
        self._folder = folder
        self._environ = environ
        folder.mkdir(parents=True, exist_ok=True)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[asyncio.subprocess.Process]:
        """Healthy inside; ended afterwards, as an operator does, where the test has not killed it."""
        with self._log.open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                *self._command, env=self._environment(), stdout=log, stderr=log
            )
        try:
            await until(lambda: self._healthy(process), within=HEALTHY_WITHIN_S, every=0.05)
            yield process
        finally:
            if process.returncode is None:
                process.terminate()
            await asyncio.wait_for(process.wait(), ENDED_WITHIN_S)

    @property
    def log(self) -> str:
        return self._log.read_text("utf-8", errors="replace")

    async def send(self, signal: str, request: Mapping[str, Any]) -> None:
        """OTLP/JSON to its receiver; what it answers with 200 it has acknowledged."""
        async with httpx.AsyncClient(timeout=30) as client:
            (await client.post(f"{self.endpoint}/v1/{signal}", json=request)).raise_for_status()

    async def _healthy(self, process: asyncio.subprocess.Process) -> bool:
        assert process.returncode is None, f"the collector ended with {process.returncode}: {self.log}"
        async with httpx.AsyncClient() as client:
            try:
                return (await client.get(url(self.ports.collector_health))).is_success
            except httpx.TransportError:
                return False

    def _environment(self) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "FILLPATH_OTLP_HTTP": listen(self.ports.otlp_http),
            "FILLPATH_OTLP_GRPC": listen(self.ports.otlp_grpc),
            "FILLPATH_PROMETHEUS_EXPORTER": listen(self.ports.prometheus_exporter),
            "FILLPATH_COLLECTOR_METRICS_PORT": str(self.ports.collector_metrics),
            "FILLPATH_COLLECTOR_HEALTH": listen(self.ports.collector_health),
            "FILLPATH_COLLECTOR_STORAGE": str(self._folder / "storage"),
            "FILLPATH_LOG_FILE": str(self._folder / "logs.jsonl"),
            "FILLPATH_JAEGER_OTLP": url(self.ports.jaeger_otlp_http),
            **self._environ,
        }


class Received(NamedTuple):
    """One request, decoded as OTLP/JSON writes it, with its headers, names in lower case."""

    content: dict[str, Any]
    headers: dict[str, str]


class Backend:
    """OTLP/HTTP receivers, one for each first part of the path: `{url}/tempo/v1/traces` is `tempo`'s."""

    def __init__(self) -> None:
        self.received: dict[tuple[str, str], list[Received]] = defaultdict(list)
        self.away = False
        self._port = Ports.free().otlp_http

    def url(self, name: str) -> str:
        return f"{url(self._port)}/{name}"

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        application = web.Application(client_max_size=2**26)
        application.router.add_post("/{name}/v1/{signal}", self._take)
        runner = web.AppRunner(application)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", self._port).start()
        try:
            yield
        finally:
            await runner.cleanup()

    def text(self, name: str, signal: str) -> str:
        """All that has come in there, as one text to search in."""
        return "\n".join(str(one.content) for one in self.received[name, signal])

    async def _take(self, request: web.Request) -> web.Response:
        if self.away:
            return web.Response(status=503)
        name, signal = request.match_info["name"], request.match_info["signal"]
        content = MessageToDict(REQUESTS[signal].FromString(await request.read()))
        headers = {key.lower(): value for key, value in request.headers.items()}
        self.received[name, signal].append(Received(content, headers))
        return web.Response(content_type="application/x-protobuf")


def requests(mark: str, **attributes: str) -> dict[str, dict[str, Any]]:
    """One span, one metric and one log record with `mark` in them, as OTLP/JSON by signal."""
    now = str(time.time_ns())
    resource = {"attributes": [_attribute("service.name", "fillpath")]}
    own = [_attribute("order.id", mark), *(_attribute(key.replace("__", "."), attributes[key]) for key in attributes)]
    span = {
        "traceId": secrets.token_hex(16),
        "spanId": secrets.token_hex(8),
        "name": "order.execute",
        "kind": 1,
        "startTimeUnixNano": now,
        "endTimeUnixNano": now,
        "attributes": own,
    }
    point = {"asInt": "1", "startTimeUnixNano": now, "timeUnixNano": now, "attributes": own}
    total = {"aggregationTemporality": 2, "isMonotonic": True, "dataPoints": [point]}
    record = {"timeUnixNano": now, "severityText": "INFO", "body": {"stringValue": mark}, "attributes": own}
    metric = {"name": "execution.orders", "unit": "{order}", "sum": total}
    return {
        "traces": {"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": [span]}]}]},
        "metrics": {"resourceMetrics": [{"resource": resource, "scopeMetrics": [{"metrics": [metric]}]}]},
        "logs": {"resourceLogs": [{"resource": resource, "scopeLogs": [{"logRecords": [record]}]}]},
    }


def _attribute(key: str, value: str) -> dict[str, Any]:
    return {"key": key, "value": {"stringValue": value}}
