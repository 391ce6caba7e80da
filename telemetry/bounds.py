"""The labels whose values come from outside: each takes a fixed number of values for the life of the process.

A value once shown keeps its place for ever, because a cumulative stream never forgets a series.
"""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from threading import Lock
from typing import TYPE_CHECKING, Protocol

from telemetry.conventions import OTHER, UNKNOWN
from telemetry.redaction import clean_text

if TYPE_CHECKING:
    from collections.abc import Iterable

_CACHE_SIZE = 4096


class Slots(Protocol):
    def show(self, value: str, *, may_take: bool) -> str:
        """The label value for `value`; it takes a free place only where `may_take` is set."""
        ...

    def after_fork(self) -> None:
        """In a forked child: a lock that another thread of the parent held would never be released."""
        ...

    @property
    def taken(self) -> int:
        """How many places were taken so far: while that stays, every value shows as it did."""
        ...


class Places:
    """Values that always show as themselves, and the first `extra` others."""

    def __init__(self, own: Iterable[str], extra: int) -> None:
        self._shown = {value: value for value in (*own, OTHER, UNKNOWN)}
        self._extra = self._left = extra
        self._lock = Lock()

    @property
    def taken(self) -> int:
        return self._extra - self._left

    def show(self, value: str, *, may_take: bool) -> str:
        shown = self._shown.get(value)
        if shown is not None:
            return shown
        if not may_take:
            return OTHER
        with self._lock:
            if value not in self._shown and self._left > 0:
                # A plain string: an enum member would print differently.
                self._shown[value] = clean_text(str(value))
                # Only now, for whoever remembers how a value shows asks first how many are taken.
                self._left -= 1
            return self._shown.get(value, OTHER)

    def after_fork(self) -> None:
        self._lock = Lock()


class SymbolSlots:
    """Configured symbols and the first `extra` others; an empty symbol is unknown."""

    def __init__(self, symbols: Iterable[str], extra: int) -> None:
        self._places = Places(symbols, extra)

    def show(self, value: str, *, may_take: bool) -> str:
        return self._places.show(value, may_take=may_take) if value else UNKNOWN

    @property
    def taken(self) -> int:
        return self._places.taken

    def after_fork(self) -> None:
        self._places.after_fork()


class AddressSlots:
    """Configured senders and the first `extra` others; IPv6 as its /64, an address in a configured network as that."""

    def __init__(self, senders: Iterable[str], extra: int) -> None:
        networks = [_network(sender) for sender in senders]
        self._networks = [network for network in networks if network is not None]
        self._places = Places((_shown(network) for network in self._networks), extra)
        self._cache: dict[str, str] = {}

    def show(self, value: str, *, may_take: bool) -> str:
        name = self._cache.get(value)
        if name is None:
            name = self._name(value)
            if len(self._cache) >= _CACHE_SIZE:
                self._cache.clear()
            self._cache[value] = name
        return self._places.show(name, may_take=may_take)

    @property
    def taken(self) -> int:
        return self._places.taken

    def after_fork(self) -> None:
        self._places.after_fork()

    def _name(self, value: str) -> str:
        try:
            address = ip_address(value)
        except ValueError:
            return value if value in {OTHER, UNKNOWN} else UNKNOWN
        if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        for network in self._networks:
            if address in network:
                return _shown(network)
        return _shown(ip_network(address))


def _network(text: str) -> IPv4Network | IPv6Network | None:
    try:
        return ip_network(text, strict=False)
    except ValueError:
        return None


def _shown(network: IPv4Network | IPv6Network) -> str:
    if isinstance(network, IPv6Network):
        return str(network.supernet(new_prefix=64) if network.prefixlen > 64 else network)  # noqa: PLR2004 - a /64
    return str(network.network_address) if network.prefixlen == network.max_prefixlen else str(network)
