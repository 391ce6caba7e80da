"""When each metric of the contract has to be there: from the start, or once an event has happened."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from telemetry import conventions as c


class Event(NamedTuple):
    """`words` say what it is. It has happened once a series of `witness` with one of these label values is above 0.

    The witness is there from the start, so that a metric that never came is told from an event that never happened.
    None where nothing else counts the event: its metric may be absent.
    """

    words: str
    witness: c.Counter | None
    labels: Mapping[str, frozenset[str]] = {}


def _event(words: str, witness: c.Counter | None, **labels: str) -> Event:
    return Event(words, witness, {name: frozenset(values.split("|")) for name, values in labels.items()})


_ALERT = _event("an alert that is accepted", c.ALERT_ACKS)
_SENT = _event("an order that an exchange takes", c.ORDER_ATTEMPTS, outcome="accepted")
_PAID = _event("an order that is filled for a fee", c.FEES_USD)
_CALLED = _event("a call of an exchange", c.EXCHANGE_API_CALLS)

AFTER: Mapping[str, Event] = {
    instrument.name: event
    for instrument, event in (
        (c.WEBHOOK_REQUESTS, _ALERT),
        (c.WEBHOOK_PROCESSING_DURATION, _ALERT),
        (c.ACK_DURATION, _ALERT),
        (c.RATE_LIMIT_REQUESTS, _ALERT),
        (c.AUDIT_EVENTS, _ALERT),
        (c.JOURNAL_COMMIT_DURATION, _ALERT),
        (c.JOURNAL_BATCH_SIZE, _ALERT),
        (c.EVENT_LOOP_LAG, _ALERT),
        (c.WEBHOOK_CONFIDENCE_FILTERED, _event("an alert of low confidence", c.DENIALS, reason="low_confidence")),
        (c.WEBHOOK_STALE_REJECTED, _event("a stale alert", c.DENIALS, reason="stale")),
        (c.RATE_LIMIT_REJECTIONS, _event("an address beyond its allowance", None)),
        (c.IP_WHITELIST_CHECKS, _event("a source that lists addresses", c.DENIALS, reason="address")),
        (c.IP_WHITELIST_REJECTIONS, _event("an address that is not listed", c.DENIALS, reason="address")),
        (c.ORDERS, _PAID),
        (c.ORDER_DURATION, _SENT),
        (c.PIPELINE_LATENCY, _SENT),
        (c.ORDER_SIZE_USD, _PAID),
        (c.POSITION_SIZE_PCT, _SENT),
        (c.EXCHANGE_API_DURATION, _CALLED),
        (c.FILL_LATENCY, _PAID),
        (c.ORDER_FAILURES, _event("an order that fails", c.ORDER_OUTCOMES, outcome="rejected|denied|absent")),
        (c.SLIPPAGE_ADVERSE_BPS, _event("a fill no better than the price at arrival", None)),
        (c.SLIPPAGE_FAVOURABLE_BPS, _event("a fill better than the price at arrival", None)),
    )
}
"""By OpenTelemetry's name: all that are not there from the start."""


def from_the_start(instrument: c.Instrument) -> bool:
    """Whether it reports before anything has happened: no histogram, and no label whose values come from outside."""
    return not isinstance(instrument, c.Histogram) and all(label.bounded is None for label in instrument.labels)
