"""Calls of the telemetry facade as data: recorded of orders, made different for each replay, played to any engine."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, Literal, NamedTuple, cast

from telemetry import conventions
from telemetry.conventions import Histogram, Instrument
from telemetry.facade import LogEntry, Repeated, Step, Telemetry

What = Literal[
    "add",
    "record",
    "bound add",
    "bound record",
    "gauge",
    "set",
    "span",
    "step",
    "steps",
    "exit",
    "context",
    "current",
    "event",
    "request",
    "keep",
    "fail",
    "link",
    "log",
]

_HEX = 16
_SHORTEST = 8
"""Texts that only one order has are ids where they are at least so long; shorter ones are coincidences."""

_Own = frozenset[tuple[type, Any]]
"""Values, with their types, for 5 and Decimal(5) are equal."""


class Binding(NamedTuple):
    """Series that the service bound once: those with these labels, by the values of the `varying` ones."""

    instrument: Instrument
    varying: tuple[str, ...]
    labels: Mapping[str, str]


class Call(NamedTuple):
    """One call. `span` is the number of the span that it begins or is made on, from 0 in its order; -1: on none.

    Of a record in series that were bound it is the number of the binding, and the values of the labels that vary come
    first. `parent` is the number of a span named as parent, -1 where none was.
    """

    what: What
    span: int = -1
    arguments: tuple[Any, ...] = ()
    names: Mapping[str, Any] = {}
    parent: int = -1


Order = Sequence[Call]
"""All calls for one order, task by task, so that spans nest as they did."""


def count(order: Order) -> Counter[str]:
    """How many calls of each kind."""
    return Counter(call.what for call in order)


Bound = Sequence[Any]
"""What an engine made of the bindings, in their order."""


def bind(telemetry: Telemetry, bindings: Sequence[Binding]) -> Bound:
    """Bind what the service binds when it starts."""
    return [
        telemetry.histograms(instrument, *varying, **labels)
        if isinstance(instrument, Histogram)
        else telemetry.counters(cast("conventions.Counter", instrument), *varying, **labels)
        for instrument, varying, labels in bindings
    ]


def replay(telemetry: Telemetry, order: Order, bound: Bound = ()) -> None:
    """Make the same calls as the service made them; the spans' ids are the engine's own."""
    blocks: dict[int, Any] = {}
    spans: dict[int, Any] = {}
    for what, number, arguments, names, parent in order:
        if what == "bound record":
            values, value = arguments
            bound[number][values].record(value)
        elif what == "bound add":
            values, value = arguments
            bound[number][values].add(value)
        elif what == "set":
            spans[number].set(*arguments)
        elif what == "span":
            above = spans[parent].context if parent >= 0 else None
            block = blocks[number] = telemetry.span(*arguments, parent=above, **names)
            spans[number] = block.__enter__()
        elif what == "step":
            telemetry.step(*arguments, **names)
        elif what == "steps":
            telemetry.steps(*arguments)
        elif what == "exit":
            blocks.pop(number).__exit__(*arguments)
        elif what == "context":
            _ = spans[number].context
        else:
            _replay_rare(telemetry, Call(what, number, arguments, names), blocks, spans)


def _replay_rare(telemetry: Telemetry, call: Call, blocks: dict[int, Any], spans: dict[int, Any]) -> None:
    """What an order does once or seldom."""
    what, number, arguments, names, _ = call
    if what == "current":
        telemetry.current()
    elif what == "request":
        block = blocks[number] = telemetry.request(*arguments, **names)
        spans[number] = block.__enter__()
    elif what == "log":
        telemetry.log(*arguments)
    elif what == "gauge":
        telemetry.set(*arguments, **names)
    elif what in {"add", "record"}:
        getattr(telemetry, what)(*arguments, **names)
    else:
        getattr(spans[number], what)(*arguments)


class Recorded:
    """Orders as they were recorded; `fresh` makes others of them, alike but with ids and times of their own."""

    def __init__(self, orders: Sequence[Order]) -> None:
        if not orders:
            raise ValueError("no order was recorded; expected at least one")
        self._orders = orders
        self._own = _own_values(orders)

    @property
    def calls(self) -> dict[str, float]:
        """Of the average order, by kind."""
        total = sum((count(order) for order in self._orders), Counter[str]())
        return {what: number / len(self._orders) for what, number in sorted(total.items())}

    @property
    def log(self) -> LogEntry | None:
        """One of the recorded log records; None where nothing was logged."""
        return next((call.arguments[0] for order in self._orders for call in order if call.what == "log"), None)

    def fresh(self, number: int) -> list[Order]:
        """So many orders, the recorded ones in turn, that share no id, price or time with each other.

        What repeats in them repeats in production too, so that no cache of an engine is flattered.
        """
        chosen = (one % len(self._orders) for one in range(number))
        return [_renewed(self._orders[one], self._own[one]) for one in chosen]


def _own_values(orders: Sequence[Order]) -> list[_Own]:
    """Of each order the values that no other one has."""
    seen = [frozenset(found for call in order for found in _values((call.arguments, call.names))) for order in orders]
    shared = Counter(found for values in seen for found in values)
    return [frozenset(found for found in values if shared[found] == 1) for values in seen]


def _values(value: Any) -> Iterator[tuple[type, Any]]:
    """Texts that are long enough for an id, whole numbers and decimals, however deep."""
    if isinstance(value, Mapping):
        for one in value.values():
            yield from _values(one)
    elif isinstance(value, tuple):
        for one in value:
            yield from _values(one)
    elif (type(value) is str and len(value) >= _SHORTEST) or type(value) in {int, Decimal}:
        yield type(value), value


def _renewed(order: Order, own: _Own) -> Order:
    with_others = _Renewal({found: _another(found[1]) for found in own})
    return [call._replace(arguments=with_others(call.arguments), names=with_others(call.names)) for call in order]


def _another(value: Any) -> Any:
    """Of the same type and as long; a text that has parts, as a path, keeps its beginning."""
    if isinstance(value, str):
        kept = max(0, len(value) - _HEX)
        return value[:kept] + secrets.token_hex(_HEX)[: len(value) - kept]
    more = secrets.randbelow(1_000_000)
    if isinstance(value, Decimal):
        exponent = value.as_tuple().exponent
        return value + Decimal(more % 1_000).scaleb(exponent if isinstance(exponent, int) else 0)
    return value + more


class _Renewal:
    """Values with others in the place of some; what the service makes once for an order is made once here too."""

    def __init__(self, values: Mapping[tuple[type, Any], Any]) -> None:
        self._values = values
        self._repeated: dict[int, Repeated] = {}

    def __call__(self, value: Any) -> Any:
        if type(value) in {str, int, Decimal}:
            return self._values.get((type(value), value), value)
        if isinstance(value, LogEntry | Step):
            return type(value)(*map(self, value))
        if isinstance(value, Repeated):
            known = self._repeated.get(id(value))
            if known is None:
                renewed = {key: self(one) for key, one in value.items()}
                # What other orders have too is one for all of them.
                known = self._repeated[id(value)] = value if renewed == value else Repeated(renewed)
            return known
        if isinstance(value, Mapping):
            return {key: self(one) for key, one in value.items()}
        if type(value) is tuple:
            return tuple(map(self, value))
        return value
