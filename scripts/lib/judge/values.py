"""Names, attributes, labels and numbers of every kind, for hypothesis."""

from __future__ import annotations

from decimal import Decimal
from enum import IntEnum, StrEnum
from math import inf, nan, nextafter
from typing import Any

from hypothesis import strategies as st

from telemetry import conventions as c
from telemetry.config import TelemetryConfig

CONFIG = TelemetryConfig(
    service_version="1.2.3",
    instance_id="one",
    sources=("tv", "signed"),
    exchanges=("paper", "krakén"),
    accounts=("main",),
    symbols=("BTC/USDT",),
    sender_addresses=("52.89.214.238", "10.0.0.0/8"),
)

HISTOGRAMS = [i for i in c.INSTRUMENTS if isinstance(i, c.Histogram)]
COUNTERS = [i for i in c.INSTRUMENTS if isinstance(i, c.Counter | c.UpDownCounter)]
GAUGES = [i for i in c.INSTRUMENTS if isinstance(i, c.Gauge) and i is not c.TELEMETRY_QUEUE_ITEMS]
"""But the one that says how many spans wait just now."""

# The values of every bounded label: own, other, in a network, beyond the places, none at all, no UTF-8.
_OUTSIDE = ["BTC/USDT", "ETH/USDT", "other", "", "x\ud800", "10.1.2.3", "52.89.214.238", "2001:db8::1", "198.51.100.7"]


class Side(StrEnum):
    BUY = "buy"


class Number(IntEnum):
    ONE = 1


names = st.one_of(st.text(max_size=12), st.sampled_from(["", "äß€😀", "name " * 500, "POST /webhook/tv"]))
"""Without lone surrogates, for which the SDK cannot be the judge: one in a name costs it the whole batch."""

_plain = st.one_of(
    st.text(st.characters(), max_size=20),
    st.integers(),
    st.floats(),
    st.sampled_from(["ä" * 5000, "", "a\ud800b", True, False, Side.BUY, Number.ONE]),
    st.sampled_from([nan, inf, -inf, -0.0, 2**63, 2**63 - 1, -(2**63), 0, 1, 1.0]),
)

_leaf = st.one_of(_plain, st.sampled_from([None, b"", b"\x00\xff"]))
_inner = st.one_of(_leaf, st.lists(_leaf, max_size=2), st.dictionaries(st.text(max_size=3), _leaf, max_size=2))
# By hand, because st.recursive takes longer than both engines together.
values = st.one_of(
    _leaf,
    _leaf,
    _leaf,
    st.lists(_inner, max_size=3),
    st.tuples(_leaf, _leaf),
    st.dictionaries(st.text(max_size=4), _inner, max_size=3),
)
"""Whatever OpenTelemetry's API may be given."""

attributes = st.dictionaries(st.text(st.characters(), max_size=6), values, max_size=4)

own_attributes = st.one_of(
    st.dictionaries(
        st.one_of(st.text(min_size=1, max_size=8), st.sampled_from(["api_key", "order.id", "a"])),
        st.one_of(
            _plain,
            st.decimals(),
            st.none(),
            st.lists(st.text(max_size=3), max_size=2),
            st.sampled_from([Decimal("1.50"), Decimal("1e999999"), "token=hunter2 in a text"]),
        ),
        max_size=5,
    ),
    st.integers(60, 70).map(lambda n: {f"key {i}": i for i in range(n)}),
)
"""Whatever the facade may be given, also beyond what one span may carry."""

numbers = st.one_of(
    st.integers(0, 5),
    st.floats(0, 100),
    st.decimals(0, 10, places=3),
    st.sampled_from([-1, -0.0, 0.1, 1e18, 2e18, 10**400, 2**60, inf, nan, -2.5, True, None, "1", Decimal("sNaN")]),
)


def edges(histogram: c.Histogram) -> st.SearchStrategy[float]:
    """A bucket's edge, and the numbers right beside it."""
    return st.sampled_from([near for e in histogram.buckets for near in (nextafter(e, 0), e, nextafter(e, inf))])


def _known(label: c.Label) -> list[str]:
    configured = {
        "source": CONFIG.sources,
        "exchange": CONFIG.exchanges,
        "account": CONFIG.accounts,
        "version": ("1.2.3",),
    }
    own = configured[label.configured.value] if label.configured else ()
    return [*own, *label.values] if label.bounded is None else _OUTSIDE


@st.composite
def labels(draw: st.DrawFn, instrument: c.Instrument) -> dict[str, Any]:
    """Mostly right ones, in any order; one in ten has a value, a name or a type that is not."""
    chosen: dict[str, Any] = {label.name: draw(st.sampled_from(_known(label))) for label in instrument.labels}
    if draw(st.integers(0, 9)) == 0:
        wrong: st.SearchStrategy[Any] = st.sampled_from(["nobody", "", 1, None, [], True])
        chosen[draw(st.sampled_from([*chosen, "more"]))] = draw(wrong)
    order = draw(st.permutations(sorted(chosen)))
    return {name: chosen[name] for name in order}
