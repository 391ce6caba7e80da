"""What has to be made anew in a forked child: locks that nobody there will release, threads that are not there."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING
from weakref import WeakMethod

if TYPE_CHECKING:
    from collections.abc import Callable


def in_children(method: Callable[[], None]) -> None:
    """Run a bound method in every forked child, as long as its object lives, in the order of these calls."""
    again = WeakMethod(method)

    def run() -> None:
        alive = again()
        if alive is not None:
            alive()

    # Where processes are never forked, there is no such function.
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=run)
