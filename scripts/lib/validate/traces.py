"""Checks: the trace of an order in Jaeger is the contract's, and an exemplar in Prometheus leads to one."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence

import httpx

from scripts.lib.census.jaeger import Jaeger
from scripts.lib.census.judge import INTAKE, ROOT, lacks
from scripts.lib.census.spans import Trace
from scripts.lib.validate.asking import Server, until
from scripts.lib.validate.orders import Order, Sent
from scripts.lib.validate.results import CheckError, named
from telemetry import conventions as c

_LOOK_EVERY_S = 0.5
_BACK_S = 3600.0
_FEW = 5

_JAEGERS_OWN = ("otel.", "internal.", "span.kind", "error", "w3c.")
"""What Jaeger adds to the tags of a span."""

_BEFORE_THE_ORDER = {ROOT, *INTAKE[: INTAKE.index(c.SPAN_ORDER_NORMALIZE)]}
_IDENTITY = frozenset(
    {
        c.ATTR_ORDER_ID,
        c.ATTR_ORDER_CLIENT_ORDER_ID,
        c.ATTR_EXCHANGE_ID,
        c.ATTR_ACCOUNT_ID,
        c.ATTR_ORDER_SYMBOL,
        c.ATTR_ORDER_SIDE,
        c.ATTR_ORDER_TYPE,
    }
)
_DEMANDED = {
    ROOT: {
        c.ATTR_HTTP_REQUEST_METHOD,
        c.ATTR_HTTP_ROUTE,
        c.ATTR_URL_PATH,
        c.ATTR_URL_SCHEME,
        c.ATTR_HTTP_RESPONSE_STATUS_CODE,
    },
    c.SPAN_JOURNAL_APPEND: {
        c.ATTR_DB_SYSTEM_NAME,
        c.ATTR_DB_OPERATION_NAME,
        c.ATTR_JOURNAL_COMMIT_ID,
        c.ATTR_JOURNAL_BATCH_SIZE,
    },
    c.SPAN_EXCHANGE_CREATE_ORDER: {
        c.ATTR_EXCHANGE_ENDPOINT,
        c.ATTR_EXCHANGE_ATTEMPT,
        c.ATTR_EXCHANGE_REQUEST_SENT,
        c.ATTR_EXCHANGE_OUTCOME,
    },
    c.SPAN_ORDER_EXECUTE: {
        c.ATTR_ORDER_STATUS,
        c.ATTR_ORDER_EXCHANGE_ORDER_ID,
        c.ATTR_ORDER_FILLED_QUANTITY,
        c.ATTR_ORDER_AVERAGE_PRICE,
        c.ATTR_ORDER_FEE,
    },
}
"""Attributes that these spans of a filled order have, beside those that name the order."""

_RECORDED_IN_A_TRACE = (c.FILL_LATENCY, c.ORDER_DURATION, c.PIPELINE_LATENCY, c.ACK_DURATION)


def check_instrumented(jaeger: Server, sent: Sent, by: float) -> str:
    """Each order's one trace: its tree, its transitions, its attributes."""
    jaeger.document("/api/services")
    found = asyncio.run(_look(jaeger, sent, by))
    lacking = [f"{order['trace_id']}: {each}" for order, traces in found for each in problems(order, traces)]
    if lacking:
        raise CheckError(
            named(lacking),
            "where all is missing: telemetry.otlp_endpoint, ./scripts/stack logs collector; else compare the trace in "
            "Jaeger with docs/telemetry.md",
        )
    spans = " + ".join(str(len(traces[0].spans)) for _, traces in found)
    return f"{len(found)} orders, each one whole trace of the contract's spans ({spans}) and attributes"


def problems(order: Order, traces: Sequence[Trace]) -> list[str]:
    """What a filled order's traces lack of the contract, or have beside it; pure."""
    return [*lacks(order, traces), *(problem for trace in traces for problem in _attributes(order, trace))]


def _attributes(order: Order, trace: Trace) -> Iterator[str]:
    said: set[str] = set()
    for span in trace.spans:
        own = {key for key in span.attributes if not key.startswith(_JAEGERS_OWN)}
        # CLIENT spans are named by their method; the paper exchange makes none.
        if span.name not in c.SPANS:
            said.add(f"span {span.name} is not in the contract")
        said |= {f"{span.name} has {key}, which is not in the contract" for key in own - c.ATTRIBUTES.keys()}
        demanded = _DEMANDED.get(span.name, set()) | (set() if span.name in _BEFORE_THE_ORDER else _IDENTITY)
        said |= {f"{span.name} lacks {key}" for key in demanded - own}
        if span.attributes.get(c.ATTR_ORDER_ID, order["order_id"]) != order["order_id"]:
            said.add(f"{span.name} names another order")
    yield from sorted(said)


async def _look(jaeger: Server, sent: Sent, by: float) -> list[tuple[Order, Sequence[Trace]]]:
    """Every order with its traces, once they lack nothing, or as they are when the time is up."""
    found: list[tuple[Order, Sequence[Trace]]] = []
    async with Jaeger(jaeger.url, since=sent.began) as asked:
        for order in sent.orders:
            traces: Sequence[Trace] = []
            while True:
                try:
                    traces = await asked.of_order(order["order_id"])
                except httpx.HTTPError as error:
                    raise CheckError(f"Jaeger does not answer a search ({error!r})", jaeger.fix) from None
                if not lacks(order, traces) or time.time() > by:
                    break
                await asyncio.sleep(_LOOK_EVERY_S)
            found.append((order, traces))
    return found


def check_exemplars(prometheus: Server, jaeger: Server, sent: Sent | None, by: float) -> str:
    """Exemplars of since our orders, ours first, then the newest; without orders of our own, of the last hour."""
    since = sent.began if sent else time.time() - _BACK_S
    ours = sent.trace_ids if sent else set()
    names = "|".join(f"{instrument.prometheus_name}_bucket" for instrument in _RECORDED_IN_A_TRACE)

    def look() -> list[str]:
        answer = prometheus.data(
            "/api/v1/query_exemplars",
            query=f'{{__name__=~"{names}"}}',
            start=str(since),
            end=str(time.time() + 60),
        )
        at = {each["labels"].get("trace_id", ""): each["timestamp"] for one in answer for each in one["exemplars"]}
        return sorted(at, key=lambda trace_id: (trace_id not in ours, -at[trace_id]))

    found = until(look, bool, by if sent else 0.0)
    if not found:
        raise CheckError(
            "Prometheus has no exemplar of an order's latency",
            "start Prometheus with --enable-feature=exemplar-storage and the collector's exporter with "
            "enable_open_metrics, as ./scripts/stack up does",
        )
    asked = found[:_FEW]
    gone = [trace_id for trace_id in asked if not _has(jaeger, trace_id, by)]
    if gone:
        raise CheckError(
            f"the trace of an exemplar is not in Jaeger: {', '.join(gone)}",
            "see whether the collector's exporter to Jaeger fails: ./scripts/stack logs collector",
        )
    mine = f", {len(ours & set(asked))} of them of the orders sent here" if ours else ""
    return f"{len(asked)} exemplars lead to traces in Jaeger{mine}"


def _has(jaeger: Server, trace_id: str, by: float) -> bool:
    return until(lambda: jaeger.get(f"/api/traces/{trace_id}").status_code == httpx.codes.OK, bool, by)
