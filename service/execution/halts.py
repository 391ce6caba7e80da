"""The kill switch: what may be sent, for all accounts or for one."""

from __future__ import annotations

from collections.abc import Mapping

from service.core.orders import Intent
from service.journal.protocol import AuditEvent, HaltLevel, Journal

ALL = "*"


class Halts:
    """Kept in the journal, mirrored in memory because every order asks."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._levels = dict(journal.halts())
        self._any = any(self._levels.values())

    @property
    def levels(self) -> Mapping[str, HaltLevel]:
        return self._levels

    def names(self) -> dict[str, str]:
        """What is engaged, by account, as people read it."""
        return {account: level.name.lower() for account, level in self._levels.items() if level}

    def level(self, account: str) -> HaltLevel:
        if not self._any:  # nearly always, and every order asks several times
            return HaltLevel.OFF
        return max(self._levels.get(ALL, HaltLevel.OFF), self._levels.get(account, HaltLevel.OFF))

    def blocks(self, account: str, intent: Intent) -> bool:
        level = self.level(account)
        return level is HaltLevel.STOP or (level is HaltLevel.REDUCING and intent is Intent.ENTRY)

    async def set(self, account: str, level: HaltLevel, event: AuditEvent) -> None:
        """In force at once, also while it is being written: a halt may come early, never late.

        Lifting one waits for the journal, for the same reason.
        """
        before = self._levels.get(account, HaltLevel.OFF)
        if level >= before:
            self._set(account, level)
        await self._journal.set_halt(account, level, event)
        self._set(account, level)

    def _set(self, account: str, level: HaltLevel) -> None:
        self._levels[account] = level
        self._any = any(self._levels.values())
