"""What a census found: figures, a table, JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rich.table import Table

from scripts.lib.census.looking import Found
from scripts.lib.census.orders import Dropped
from scripts.lib.census.sending import Answer

SHOWN = 10
_MEGABYTE = 1e6


@dataclass(slots=True)
class Result:
    """`searchable`: for a sample of the orders, seconds from the last span to the found trace; None: not in time.

    `sending_s` is how long the alerts took to send, `seconds` the whole census.
    """

    asked: int
    rate: float
    answers: list[Answer] = field(default_factory=list)
    found: list[Found] = field(default_factory=list)
    searchable: list[float | None] = field(default_factory=list)
    dropped: Sequence[Dropped] = ()
    jaeger_bytes: int = 0
    sending_s: float = 0.0
    seconds: float = 0.0

    @property
    def complete(self) -> int:
        return sum(not one.lacking for one in self.found)

    @property
    def passed(self) -> bool:
        """Every alert became an order, and each of these has its whole trace."""
        return self.complete == self.asked


def figures(result: Result) -> dict[str, Any]:
    """As a JSON object; times in seconds."""
    incomplete = [one for one in result.found if one.lacking]
    in_time = sorted(one for one in result.searchable if one is not None)
    return {
        "passed": result.passed,
        "orders": result.asked,
        "rate": result.rate,
        "acknowledged": sum(answer.order_id is not None for answer in result.answers),
        "refused": [answer.refusal for answer in result.answers if answer.order_id is None][:SHOWN],
        "ends": dict(Counter(str(one.order["status"]) for one in result.found).most_common()),
        "complete": result.complete,
        "incomplete": len(incomplete),
        "incomplete_first": [{"order_id": one.order["order_id"], "lacks": list(one.lacking)} for one in incomplete][
            :SHOWN
        ],
        "spans": sum(one.spans for one in result.found),
        "acknowledgement": _spread(sorted(one.seconds for one in result.answers if one.order_id is not None)),
        "searchable": _spread(in_time) | {"sampled": len(result.searchable)},
        "searchable_late": len(result.searchable) - len(in_time),
        "dropped": [one._asdict() for one in result.dropped],
        "jaeger_bytes": result.jaeger_bytes,
        "sending": round(result.sending_s, 1),
        "seconds": round(result.seconds, 1),
    }


def _spread(ordered: Sequence[float]) -> dict[str, float | None]:
    return {"p50": percentile(ordered, 0.5), "p95": percentile(ordered, 0.95), "max": percentile(ordered, 1.0)}


def percentile(ordered: Sequence[float], share: float) -> float | None:
    """The value that this share of the ordered values does not exceed; None where there are none."""
    return round(ordered[min(len(ordered) - 1, int(len(ordered) * share))], 4) if ordered else None


def table(found: Mapping[str, Any]) -> Table:
    """The figures as `figures` gives them."""
    rows = Table(title=f"census: {'passed' if found['passed'] else 'FAILED'}", box=None, pad_edge=False, title_style="")
    rows.add_column("", no_wrap=True)
    rows.add_column("", overflow="fold")
    ends = ", ".join(f"{count:,} {status}" for status, count in found["ends"].items())
    rows.add_row("orders", f"{found['orders']:,} at {found['rate']:g}/s, {found['acknowledged']:,} acknowledged")
    rows.add_row("ends", ends or "none")
    rows.add_row("traces complete", f"{found['complete']:,} of {found['orders']:,}")
    rows.add_row("incomplete", f"{found['incomplete']:,}")
    for one in found["incomplete_first"]:
        rows.add_row("", f"{one['order_id']} lacks {'; '.join(one['lacks'])}")
    for refusal in found["refused"]:
        rows.add_row("refused", refusal)
    rows.add_row("spans", f"{found['spans']:,}")
    rows.add_row("acknowledged in", _spread_text(found["acknowledgement"]))
    searchable = found["searchable"]
    late = f", {found['searchable_late']} not in time" if found["searchable_late"] else ""
    rows.add_row("searchable after", f"{_spread_text(searchable)}, {searchable['sampled']} sampled{late}")
    dropped = ", ".join(f"{one['items']:,} {one['signal']} {one['reason']}" for one in found["dropped"])
    rows.add_row("dropped by the service", dropped or "nothing")
    rows.add_row("Jaeger on disk", f"{found['jaeger_bytes'] / _MEGABYTE:,.1f} MB")
    rows.add_row("took", f"{found['seconds']:g} s, {found['sending']:g} s of them sending")
    return rows


def _spread_text(spread: Mapping[str, float | None]) -> str:
    return ", ".join(
        f"{title} {'-' if spread[key] is None else f'{spread[key]:.3f} s'}"
        for title, key in (("P50", "p50"), ("P95", "p95"), ("max", "max"))
    )
