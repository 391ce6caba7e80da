"""Numbers as Grafana's units show them; only the units that our dashboards use."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

_SECONDS = ((1e-3, 1e6, "µs"), (1.0, 1e3, "ms"), (60.0, 1.0, "s"), (3600.0, 1 / 60, "min"), (math.inf, 1 / 3600, "h"))
_PLURAL = ((1e3, 1.0, ""), (1e6, 1e-3, "K"), (1e9, 1e-6, "M"), (math.inf, 1e-9, "G"))
_BYTES = ((2.0**10, 1.0, "B"), (2.0**20, 2.0**-10, "KiB"), (2.0**30, 2.0**-20, "MiB"), (math.inf, 2.0**-30, "GiB"))


def shown(value: float, unit: str) -> str:
    """The value with its unit; "-" for no number."""
    if math.isnan(value):
        return "-"
    return _SHOWN.get(unit, _short)(value)


def _short(value: float) -> str:
    return _scaled(value, _PLURAL)


def _seconds(value: float) -> str:
    return _scaled(value, _SECONDS) if value else "0 s"


_SHOWN: Mapping[str, Callable[[float], str]] = {
    "s": _seconds,
    "percentunit": lambda value: f"{_digits(value * 100)}%",
    "bytes": lambda value: _scaled(value, _BYTES),
    "currencyUSD": lambda value: f"${_short(value)}",
    "reqps": lambda value: f"{_short(value)} req/s",
    "ops": lambda value: f"{_short(value)} /s",
}


def _scaled(value: float, scale: Sequence[tuple[float, float, str]]) -> str:
    factor, suffix = next((factor, suffix) for below, factor, suffix in scale if abs(value) < below)
    return f"{_digits(value * factor)} {suffix}".rstrip()


def _digits(value: float) -> str:
    """Three digits, never an exponent."""
    magnitude = 0 if value == 0 else math.floor(math.log10(abs(value)))
    text = f"{value:.{min(6, max(0, 2 - magnitude))}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
