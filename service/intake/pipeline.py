"""Runs the steps in their order, one span each, and counts how each request ended."""

from __future__ import annotations

from collections.abc import Sequence
from time import time_ns

from service.clock import Clock
from service.core.refusals import DenialReason, Refusal
from service.execution import attributes
from service.intake.address import LimitFailures
from service.intake.request import UNKNOWN, Intake, LastStep, Step
from telemetry import conventions as c
from telemetry.facade import Step as TracedStep
from telemetry.facade import Telemetry

ACK_ON_TIME_NS = 250_000_000
SERVER_ERROR = 500


class Pipeline:
    """`steps` in order, then `last`, the one that waits for the disk; `limit` is charged for failures."""

    def __init__(
        self, steps: Sequence[Step], last: LastStep, limit: LimitFailures, telemetry: Telemetry, clock: Clock
    ) -> None:
        self._steps = tuple(steps)
        self._last = last
        self._limit = limit
        self._telemetry = telemetry
        self._requests = telemetry.counters(c.WEBHOOK_REQUESTS, "source", "symbol", "side")
        self._processing = telemetry.histograms(c.WEBHOOK_PROCESSING_DURATION, "source", "status")
        self._acks = telemetry.counters(c.ALERT_ACKS, "source", "on_time")
        self._ack_duration = telemetry.histograms(c.ACK_DURATION, "source")
        self._clock = clock

    async def run(self, intake: Intake) -> Refusal | None:
        """Take the request as far as it goes; what it was refused for, if it was."""
        refusal = await self._check(intake)
        if refusal is None and intake.replay is None:
            refusal = await self._journal(intake)
        self._count(intake, refusal)
        return refusal

    async def _check(self, intake: Intake) -> Refusal | None:
        """All steps but the last: a few microseconds each, told together when they are over."""
        told: list[TracedStep] = []
        name, began_ns = "", time_ns()
        try:
            for step in self._steps:
                name = step.span
                rest = step(intake)
                if rest is not None:
                    await rest
                ended_ns = time_ns()
                told.append(TracedStep(name, began_ns, ended_ns, intake.identity))
                began_ns = ended_ns
                if intake.replay is not None:
                    break
        except Refusal as refused:
            reason = {c.ATTR_DENIAL_REASON: refused.reason.value, **intake.identity}
            told.append(TracedStep(name, began_ns, time_ns(), reason))
            return refused
        except BaseException as error:  # a defect or the end of the process: passed on, not without its step
            self._telemetry.step(name, began_ns, intake.identity, error=error)
            raise
        finally:
            self._telemetry.steps(told)
        return None

    async def _journal(self, intake: Intake) -> Refusal | None:
        """Its span is the current one meanwhile: what it writes carries the span's id."""
        with self._telemetry.span(self._last.span) as span:
            try:
                await self._last(intake)
            except Refusal as refused:
                span.set({c.ATTR_DENIAL_REASON: refused.reason.value})
                return refused
            finally:
                span.set(intake.identity)
                if intake.commit is not None:
                    span.set(attributes.commit(intake.commit, "append"))
        return None

    def count_error(self, intake: Intake) -> None:
        """A request that ended in a defect of ours: neither answered nor refused, but not lost from the counts."""
        source = intake.source_label
        seconds = (self._clock.monotonic_ns() - intake.received_monotonic_ns) / 1e9
        self._requests[source, _symbol(intake), _side(intake)].add()
        self._processing[source, "error"].record(seconds)
        if intake.authenticated:
            self._acks[source, "false"].add()

    def _count(self, intake: Intake, refusal: Refusal | None) -> None:
        source = intake.source_label
        seconds = (self._clock.monotonic_ns() - intake.received_monotonic_ns) / 1e9
        self._requests[source, _symbol(intake), _side(intake)].add()
        self._processing[source, _status(intake, refusal)].record(seconds)
        if refusal is not None:
            self._count_refusal(intake, refusal)
        elif intake.replay is not None:
            self._telemetry.add(c.DUPLICATE_ALERTS, source=source)
        if refusal is None:
            self._ack_duration[source].record(seconds)
        # An acknowledgement is owed for each authenticated alert that is not refused for what it says.
        if intake.authenticated and (refusal is None or refusal.status >= SERVER_ERROR):
            on_time = refusal is None and seconds * 1e9 <= ACK_ON_TIME_NS
            self._acks[source, "true" if on_time else "false"].add()

    def _count_refusal(self, intake: Intake, refusal: Refusal) -> None:
        source, reason = intake.source_label, refusal.reason
        self._telemetry.add(c.DENIALS, source=source, reason=reason.value)
        if intake.authenticated:
            if reason is not DenialReason.RATE_LIMITED:
                self._telemetry.add(c.WEBHOOK_VALIDATION_FAILURES, source=source, reason=reason.value)
        elif reason is DenialReason.SIGNATURE:
            self._telemetry.add(c.WEBHOOK_SIGNATURE_FAILURES, source=source)
        self._limit.charge(intake.client, reason)


def _symbol(intake: Intake) -> str:
    if intake.order is not None:
        return intake.order.symbol
    return UNKNOWN


def _side(intake: Intake) -> str:
    """Unknown before validation, and of an alert whose side only the position decides."""
    return UNKNOWN if intake.alert is None or intake.alert.side is None else intake.alert.side.value


def _status(intake: Intake, refusal: Refusal | None) -> str:
    if refusal is not None:
        return "error" if refusal.status >= SERVER_ERROR else "refused"
    return "accepted" if intake.replay is None else "duplicate"
