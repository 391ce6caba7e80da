"""The operating system's random bytes, fetched a page at a time.

Each fetch is a system call that lets go of the interpreter's lock: for ten bytes that costs more than all else that an
order id takes.
"""

from __future__ import annotations

import os

_PAGE = 4_096


class RandomBytes:
    """Belongs to one thread. A forked child begins with bytes of its own."""

    def __init__(self) -> None:
        self._page = b""
        self._used = 0
        os.register_at_fork(after_in_child=self._forget)

    def take(self, count: int) -> bytes:
        """So many bytes, at most a page, that nobody else gets."""
        begin = self._used
        if begin + count > len(self._page):
            self._page, begin = os.urandom(_PAGE), 0
        self._used = begin + count
        return self._page[begin : self._used]

    def _forget(self) -> None:
        self._page, self._used = b"", 0
