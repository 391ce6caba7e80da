"""Both whole engines play the programs of the facade, and all that they export is compared."""

from __future__ import annotations

import asyncio
import os
import pickle
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple
from unittest.mock import patch
from urllib.parse import quote

from scripts.lib.bench.engines import CLOSE_WITHIN_S, Sink, engine
from scripts.lib.judge import canonical
from scripts.lib.judge.programs import CONTEXTS, Block, Program
from scripts.lib.judge.together import all_of, run
from scripts.lib.judge.values import CONFIG
from telemetry import conventions as c
from telemetry.environment import SIGNALS
from telemetry.facade import Step, Telemetry

_PREFERENCE = "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE"
_CHILD_WITHIN_S = 60


class Exported(NamedTuple):
    """What an engine sent, and its ids by place."""

    requests: dict[str, list[bytes]]
    seen: dict[bytes, bytes]


class Play:
    """One whole engine's run of a program."""

    def __init__(self, telemetry: Telemetry, sink: Sink, program: Program) -> None:
        self._telemetry = telemetry
        self._sink = sink
        self._program = program
        self._exact = program.way == "in turn"
        self.seen: dict[bytes, bytes] = {}
        self._bound: dict[tuple[str, ...], Any] = {}

    def all(self) -> Exported | None:
        """The main process's part; what a forked child exported, None where there was none."""
        for number, steps in enumerate(self._program.steps or [[]]):
            for name, *arguments in steps:
                self._step(name, arguments)
            self._run(self._program.blocks if number == 0 else [], "")
        return self._in_a_child() if self._program.forked else None

    def _run(self, blocks: list[Block], path: str) -> None:
        run(self._program.way, lambda: self._several(blocks, path, together=True))

    async def _several(self, blocks: list[Block], path: str, *, together: bool) -> None:
        parts = [self._part(block, f"{path}/{number}") for number, block in enumerate(blocks)]
        await all_of(self._program.way if together else "in turn", parts)

    def _part(self, block: Block, path: str) -> Any:
        async def part() -> None:
            with suppress(ValueError, KeyError, asyncio.CancelledError, _Interrupted):
                await self._one(block, path)

        return part

    async def _one(self, block: Block, path: str) -> None:
        telemetry = self._telemetry
        if block.what == "request":
            made: Any = telemetry.request(block.name, block.given, traceparent=block.traceparent, trust=block.trust)
        else:
            made = telemetry.span(
                block.name, block.given, parent=block.parent, links=block.links, client=block.what == "client"
            )
        with made as span:
            context = span.context
            # A trace that was there before has the same id in both, and no first span of its own.
            if context.trace_id not in {known.trace_id for known in CONTEXTS}:
                self.seen.setdefault(bytes.fromhex(context.trace_id), canonical.stand_in(path, 16))
            self.seen[bytes.fromhex(context.span_id)] = canonical.stand_in(path, 8)
            if not self._exact and block.what == "request":
                # Which undecided ones are kept depends on who is first.
                span.keep()
            await self._inside(span, block, path)

    async def _inside(self, span: Any, block: Block, path: str) -> None:
        half = len(block.steps) // 2
        for name, *arguments in block.steps[:half]:
            self._step_in(span, name, arguments)
            await asyncio.sleep(0)
        await self._several(block.below, path, together=block.together)
        for name, *arguments in block.steps[half:]:
            self._step_in(span, name, arguments)
            await asyncio.sleep(0)
        if block.error:
            raise _RAISED[block.error]("ä token=hunter2 broken")

    def _step_in(self, span: Any, name: str, arguments: list[Any]) -> None:
        if name == "step":
            step, began_ns, given, error = arguments
            raised = _RAISED[error]("ä token=hunter2 broken") if error else None
            self._telemetry.step(step, time.time_ns() if began_ns is None else began_ns, given, error=raised)
        elif name == "steps":
            self._telemetry.steps([Step(step, at, at + 1, given) for step, at, given in arguments[0]])
        elif name in {"add", "record", "gauge", "bound add", "bound record", "log"}:
            if self._exact or name == "log":
                # Side by side the order of sums and of exemplars is nobody's.
                self._step(name, arguments)
        elif name != "keep" or hasattr(span, "keep"):
            getattr(span, name)(*arguments)

    def _step(self, name: str, arguments: list[Any]) -> None:
        if name == "collect":
            self.collect()
        elif name == "log":
            self._telemetry.log(arguments[0])
        elif name == "preset":
            self._telemetry.preset(arguments[0], **arguments[1])
        elif name.startswith("bound"):
            self._record_bound(*arguments)
        else:
            instrument, value, its = arguments
            record: Any = {"add": self._telemetry.add, "record": self._telemetry.record, "gauge": self._telemetry.set}[
                name
            ]
            record(instrument, value, **its)

    def _record_bound(
        self, instrument: Any, value: Any, varying: list[str], bound: dict[str, Any], given: tuple[str, ...]
    ) -> None:
        """Series once bound stay bound, as in the service."""
        known = instrument.name, *varying, repr(bound)
        series = self._bound.get(known)
        recorded = isinstance(instrument, c.Histogram)
        if series is None:
            bind: Any = self._telemetry.histograms if recorded else self._telemetry.counters
            series = self._bound[known] = bind(instrument, *varying, **bound)
        its = series[given[0] if len(given) == 1 else given]
        (its.record if recorded else its.add)(value)

    def collect(self) -> None:
        """Export metrics now, as their interval does."""
        if not self._program.metrics:
            return
        metrics: Any = self._telemetry._metrics  # type: ignore[attr-defined]  # noqa: SLF001 - nothing else does it
        if hasattr(metrics, "_export"):
            metrics._export.export()  # noqa: SLF001 - as above
        else:
            metrics._provider.force_flush()  # noqa: SLF001 - as above

    def _in_a_child(self) -> Exported:
        """Fork; the child plays its blocks with what it inherited, exports and ends."""
        read, write = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                os.close(read)
                signal.alarm(_CHILD_WITHIN_S)
                before = {kind: len(self._sink.requests[kind]) for kind in SIGNALS}
                self._run(self._program.forked, "child")
                self._telemetry.close(CLOSE_WITHIN_S)
                requests = {kind: self._sink.requests[kind][before[kind] :] for kind in SIGNALS}
                with os.fdopen(write, "wb") as pipe:
                    pickle.dump(Exported(requests, self.seen), pipe)
            finally:
                os._exit(0)
        os.close(write)
        with os.fdopen(read, "rb") as pipe:
            said = pipe.read()
        os.waitpid(child, 0)
        assert said, "a forked child did not come to its end"
        told: Exported = pickle.loads(said)  # noqa: S301 - written by our own child
        return told


class _Interrupted(KeyboardInterrupt):
    """As KeyboardInterrupt, and never mistaken for the one of whoever watches."""


_RAISED: dict[str, type[BaseException]] = {
    "ValueError": ValueError,
    "KeyError": KeyError,
    "CancelledError": asyncio.CancelledError,
    "KeyboardInterrupt": _Interrupted,
}


def judge(program: Program) -> int:
    """Play it to both engines; the spans, records and points compared. Raises AssertionError where they differ."""
    (sdk, sdk_child), (lean, lean_child) = (_exported(name, program) for name in ("sdk", "lean"))
    compared = _compare(sdk, lean, program, forked=False)
    if sdk_child is not None and lean_child is not None:
        compared += _compare(sdk_child, lean_child, program, forked=True)
    return compared


def _exported(name: Any, program: Program) -> tuple[Exported, Exported | None]:
    with (
        _environment(program),
        engine(
            name,
            CONFIG,
            exported=SIGNALS if program.metrics else ("traces", "logs"),
            environ={_PREFERENCE: program.preference},
            clock=lambda: 0.0,
        ) as (
            telemetry,
            sink,
        ),
    ):
        play = Play(telemetry, sink, program)
        child = play.all()
    return Exported(dict(sink.requests), play.seen), child


@contextmanager
def _environment(program: Program) -> Iterator[None]:
    """Both engines read the resource from the process's environment, the SDK's exporter its preference."""
    text = ",".join(f"{quote(key)}={quote(value)}" for key, value in program.resource.items())
    with patch.dict(os.environ, {"OTEL_RESOURCE_ATTRIBUTES": text, _PREFERENCE: program.preference}):
        yield


def _compare(sdk: Exported, lean: Exported, program: Program, *, forked: bool) -> int:
    ordered = program.way == "in turn"
    count = 0
    instances: set[str] = set()
    for kind, decode, resources in (
        ("traces", canonical.traces, "resource_spans"),
        ("logs", canonical.logs, "resource_logs"),
    ):
        expected, found = (decode(one.requests.get(kind, []), one.seen, ordered=ordered) for one in (sdk, lean))
        if forked:
            canonical.without_instance(expected, resources)
            instances.update(canonical.without_instance(found, resources))
        canonical.equal(expected, found, kind)
        count += canonical.size(found, resources)
    in_sdk, in_lean = (canonical.metrics(one.requests.get("metrics", []), one.seen) for one in (sdk, lean))
    assert len(in_sdk) == len(in_lean), (
        f"{len(in_sdk)} exports of metrics by the SDK, {len(in_lean)} by the lean engine"
    )
    for expected, found in zip(in_sdk, in_lean, strict=True):
        if forked:
            canonical.without_instance(expected, "resource_metrics")
            instances.update(canonical.without_instance(found, "resource_metrics"))
        canonical.equal(expected, found, "metrics")
        count += canonical.size(found, "resource_metrics")
    assert not forked or (len(instances) == 1 and CONFIG.instance_id not in instances), f"instance ids: {instances}"
    return count
