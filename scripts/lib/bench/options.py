"""What `scripts/bench` is asked for: its arguments, checked."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from scripts.lib.bench.lanes import LEAST_LANES

SECTIONS = ("unit", "service", "open-loop", "growth", "exchange", "soak")
DEFAULT_SECTIONS = ("unit", "service", "open-loop", "growth")
ENGINES = ("off", "lean", "sdk")
VENUES = ("binance", "bybit", "deribit", "okx")
MOST_CONNECTIONS = 1_000
MOST_RATE = 10_000.0

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Times in seconds unless the name says otherwise; each section reads what is its own."""

    sections: tuple[str, ...]
    json: Path | None
    unit_orders: int
    unit_rounds: int
    engines: tuple[str, ...]
    seconds: float
    rounds: int
    connections: int
    lanes: int
    warm: float
    rates: tuple[float, ...]
    open_seconds: float
    open_engines: tuple[str, ...]
    senders: int
    late: float
    orders: tuple[int, ...]
    growth_engine: str
    growth_seconds: float
    growth_rounds: int
    venue: str
    exchange_orders: int
    minutes: float
    soak_rate: float
    soak_engine: str


def parse(arguments: Sequence[str]) -> Asked:
    """Ends the program (status 2) where an argument is wrong, naming it and what was expected."""
    given = vars(_parser().parse_args(arguments))
    given["sections"] = tuple(dict.fromkeys(given["sections"] or DEFAULT_SECTIONS))
    return Asked(**given)


def number(*, least: float, most: float = math.inf) -> Callable[[str], float]:
    """A finite number within these bounds."""

    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not (least <= value <= most and math.isfinite(value)):
            raise argparse.ArgumentTypeError(f"{text!r} is no number {_within(least, most)}")
        return value

    return read


def whole(*, least: int, most: float = math.inf) -> Callable[[str], int]:
    """A whole number within these bounds."""

    def read(text: str) -> int:
        if not text.isascii() or not text.isdecimal() or not least <= int(text) <= most:
            raise argparse.ArgumentTypeError(f"{text!r} is no whole number {_within(least, most)}")
        return int(text)

    return read


def several(read: Callable[[str], T]) -> Callable[[str], tuple[T, ...]]:
    """One or more, with commas between them, none twice."""

    def read_all(text: str) -> tuple[T, ...]:
        values = tuple(read(part.strip()) for part in text.split(","))
        if len(set(values)) != len(values):
            raise argparse.ArgumentTypeError(f"{text!r} names something twice; name it once")
        return values

    return read_all


def one_of(known: Sequence[str]) -> Callable[[str], str]:
    """One of these names."""

    def read(text: str) -> str:
        if text not in known:
            raise argparse.ArgumentTypeError(f"{text!r} is unknown; expected one of {', '.join(known)}")
        return text

    return read


def _within(least: float, most: float) -> str:
    return f"of at least {least:g}" if math.isinf(most) else f"from {least:g} to {most:g}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="scripts/bench",
        description="Measures telemetry's price and the service's speed; everything stays on 127.0.0.1.",
        epilog=f"Sections without being named: {', '.join(DEFAULT_SECTIONS)}. Ctrl-C prints what is there so far.",
    )
    parser.add_argument(
        "sections", nargs="*", type=one_of(SECTIONS), metavar="SECTION", help=f"any of {', '.join(SECTIONS)}"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    _unit(parser.add_argument_group("unit: CPU of telemetry's calls, lean against the SDK"))
    _service(parser.add_argument_group("service: closed loop, one core (lanes and connections hold for all loads)"))
    _open_loop(parser.add_argument_group("open-loop: latency by a fixed schedule"))
    _growth(parser.add_argument_group("growth: with finished orders in the journal"))
    _exchange(parser.add_argument_group("exchange: an order through ccxt at a simulated exchange"))
    _soak(parser.add_argument_group("soak: memory under moderate load"))
    return parser


def _unit(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--unit-orders", type=whole(least=10, most=5_000), default=200, help="orders a round (200)")
    group.add_argument("--unit-rounds", type=whole(least=1, most=20), default=5, help="rounds, best counts (5)")


def _service(group: argparse._ArgumentGroup) -> None:
    engines = several(one_of(ENGINES))
    group.add_argument("--engines", type=engines, default=ENGINES, help="any of off,lean,sdk (all)")
    group.add_argument("--seconds", type=number(least=0.5, most=120), default=6.0, help="a round and engine (6)")
    group.add_argument("--rounds", type=whole(least=1, most=20), default=3, help="rounds, medians count (3)")
    group.add_argument("--connections", type=whole(least=1, most=MOST_CONNECTIONS), default=64, help="at once (64)")
    group.add_argument("--lanes", type=whole(least=LEAST_LANES, most=1_024), default=128, help="at least (128)")
    group.add_argument("--warm", type=number(least=0, most=30), default=2.0, help="seconds of load before it (2)")


def _open_loop(group: argparse._ArgumentGroup) -> None:
    rates = several(number(least=1, most=MOST_RATE))
    group.add_argument("--rates", type=rates, default=(1_000.0, 3_000.0), help="alerts a second (1000,3000)")
    group.add_argument("--open-seconds", type=number(least=0.5, most=120), default=10.0, help="a rate (10)")
    group.add_argument("--open-engines", type=several(one_of(ENGINES)), default=("lean",), help="(lean)")
    group.add_argument("--senders", type=whole(least=1, most=8), default=2, help="processes that send (2)")
    group.add_argument("--late", type=number(least=0.001, most=10), default=0.25, help="seconds that are late (0.25)")


def _growth(group: argparse._ArgumentGroup) -> None:
    orders = several(whole(least=1, most=5_000_000))
    group.add_argument("--orders", type=orders, default=(100_000,), help="finished orders, beside none (100000)")
    group.add_argument("--growth-engine", type=one_of(ENGINES), default="lean", help="(lean)")
    group.add_argument("--growth-seconds", type=number(least=0.5, most=120), default=6.0, help="of load (6)")
    group.add_argument("--growth-rounds", type=whole(least=1, most=20), default=2, help="rounds, medians count (2)")


def _exchange(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--venue", type=one_of(VENUES), default="binance", help=f"any of {', '.join(VENUES)} (binance)")
    group.add_argument("--exchange-orders", type=whole(least=4, most=100_000), default=1_000, help="each (1000)")


def _soak(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--minutes", type=number(least=0.1, most=240), default=10.0, help="how long (10)")
    group.add_argument("--soak-rate", type=number(least=1, most=2_000), default=100.0, help="alerts a second (100)")
    group.add_argument("--soak-engine", type=one_of(ENGINES), default="lean", help="(lean)")
