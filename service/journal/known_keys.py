"""Which keys the journal may hold, in memory: nearly every alert's key is unknown, and knowing that reads no file.

A read of the file lets go of the interpreter's lock, and the answer to the sender waits for the writer's turn to end.
"""

from __future__ import annotations

from collections.abc import Iterable

_SLOTS = 1 << 22
"""One byte each. Of so many keys' memory only this is kept: with 100,000 keys one unknown key in 40 looks known."""


class KnownKeys:
    """Says `may_hold` of every key that was added, and of a few others; of all until `complete`.

    Added to by several threads: setting a byte is one step.
    """

    def __init__(self) -> None:
        self._slots = bytearray(_SLOTS)
        self.complete = False

    def add(self, keys: Iterable[tuple[str, str]]) -> None:
        """Keys as source and key."""
        slots = self._slots
        for key in keys:
            slots[hash(key) % _SLOTS] = 1

    def may_hold(self, source: str, key: str) -> bool:
        return not self.complete or self._slots[hash((source, key)) % _SLOTS] == 1
