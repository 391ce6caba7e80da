"""The two clocks: wall time for stamps and freshness, monotonic time for waiting."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    def now_ns(self) -> int:
        """Unix nanoseconds, UTC."""
        ...

    def monotonic_ns(self) -> int:
        """Nanoseconds that only grow; comparable within one process."""
        ...


class SystemClock:
    # The functions themselves: an order asks for the time some fifty times.
    now_ns = staticmethod(time.time_ns)
    monotonic_ns = staticmethod(time.monotonic_ns)
