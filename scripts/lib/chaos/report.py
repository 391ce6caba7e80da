"""The run's table and its JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from scripts.lib.chaos.evidence import Evidence
from scripts.lib.chaos.judge import Verdict
from scripts.lib.chaos.spans import Restart, Traces

_SHOWN = 200


class Result(NamedTuple):
    """What one run found; `seed` and `venue` repeat it."""

    venue: str
    seed: int
    seconds: float
    evidence: Evidence
    verdict: Verdict
    traces: Traces

    @property
    def passed(self) -> bool:
        return self.verdict.passed and not self.traces.problems


def figures(result: Result) -> Mapping[str, Any]:
    """As a JSON object; times in seconds."""
    evidence, verdict = result.evidence, result.verdict
    sent = evidence.sent
    placed = [order for order in evidence.orders if order["action"] == "place"]
    return {
        "venue": result.venue,
        "seed": result.seed,
        "seconds": round(result.seconds, 1),
        "passed": result.passed,
        "alerts": sent.alerts,
        "acknowledged": len({told.alert for told in sent.acknowledgements}),
        "resent": sent.resent,
        "given_up": sent.given_up,
        "kills": sum(life.killed for life in evidence.lives),
        "kills_before_ready": sum(life.killed and life.ready_ns is None for life in evidence.lives),
        "faults": dict(Counter(f"{hit.endpoint} {hit.kind}" for hit in evidence.hits).most_common()),
        "order_requests_hit": sum(hit.endpoint == "place" for hit in evidence.hits),
        "orders": len(placed),
        "in_doubt": sum(any(step["to"] == "IN_DOUBT" for step in order["transitions"]) for order in placed),
        "sent_again": sum(order["attempts"] > 1 for order in placed),
        "ends": dict(Counter(_end(order) for order in evidence.orders).most_common()),
        "filled_share": round(_filled_share(placed), 4),
        "restarts": _restarts(result.traces.restarts),
        "resumes_checked": result.traces.checked,
        "lost": list(verdict.lost),
        "doubled": list(verdict.doubled),
        "wrong": list(verdict.wrong),
        "trace_problems": list(result.traces.problems),
        "not_filled": list(verdict.not_filled),
    }


def _end(order: Mapping[str, Any]) -> str:
    reason = order["reason"]
    action = "cancel alert " if order["action"] == "cancel" else ""
    return f"{action}{order['status']}" + (f" {reason}" if reason else "")


def _filled_share(placed: Sequence[Mapping[str, Any]]) -> float:
    """Of the orders that were to be filled: not of limits that nobody takes."""
    meant = [order for order in placed if order["tag"] is None]
    return sum(order["status"] == "FILLED" for order in meant) / len(meant) if meant else 0.0


def _restarts(restarts: Sequence[Restart]) -> Mapping[str, Any]:
    times = sorted(restart.seconds for restart in restarts if restart.seconds is not None)
    return {
        "over_unfinished": len(restarts),
        "observed": sum(restart.observed for restart in restarts),
        "most_unfinished": max((restart.unfinished for restart in restarts), default=0),
        "to_first_step_p50": _percentile(times, 0.5),
        "to_first_step_p95": _percentile(times, 0.95),
        "to_first_step_max": _percentile(times, 1.0),
    }


def _percentile(ordered: Sequence[float], share: float) -> float | None:
    return round(ordered[min(len(ordered) - 1, int(len(ordered) * share))], 2) if ordered else None


def table(found: Mapping[str, Any]) -> str:
    """The figures as text, every order that was not filled with its reason below them."""
    restarts = found["restarts"]
    lines = [
        f"{found['venue']}, seed {found['seed']}: {'passed' if found['passed'] else 'FAILED'}, {found['seconds']:g} s",
        (
            f"alerts          {found['alerts']} sent, {found['acknowledged']} acknowledged, {found['resent']} re-sent, "
            f"{found['given_up']} given up"
        ),
        f"kills           {found['kills']}, of them {found['kills_before_ready']} before the service was ready",
        (
            f"faults          {found['order_requests_hit']} order requests hit, "
            f"{sum(found['faults'].values())} requests in all"
        ),
        *(f"  {count:>6}  {kind}" for kind, count in found["faults"].items()),
        f"orders          {found['orders']}, {found['in_doubt']} were in doubt, {found['sent_again']} sent again",
        *(f"  {count:>6}  {end}" for end, count in found["ends"].items()),
        f"filled          {found['filled_share']:.2%} of those that were to be filled",
        (
            f"restarts        {restarts['over_unfinished']} over unfinished orders (at most "
            f"{restarts['most_unfinished']}), first step after {restarts['to_first_step_p50']} s (P50), "
            f"{restarts['to_first_step_p95']} s (P95), {restarts['to_first_step_max']} s (most)"
        ),
        f"order.resume    {found['resumes_checked']} demanded, of {restarts['observed']} restarts whose spans came in",
    ]
    for name in ("lost", "doubled", "wrong", "trace_problems"):
        lines.append(f"{name.replace('_', ' '):<16}{len(found[name])}")
        lines += [f"  {entry}" for entry in found[name][:_SHOWN]]
    lines.append(f"not filled      {len(found['not_filled'])}, each with its reason and the faults that hit it:")
    return "\n".join([*lines, *(f"  {entry}" for entry in found["not_filled"][:_SHOWN])])
