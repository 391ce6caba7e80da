"""Who is calling: the address behind trusted proxies, the source's list, and the limit of failures."""

from __future__ import annotations

import functools
import ipaddress
from collections.abc import Iterable, Sequence

from service.clock import Clock
from service.core.limits import KeyedBuckets
from service.core.refusals import DenialReason, Refusal
from service.intake.request import UNKNOWN, Intake, Network, Source
from telemetry import conventions as c
from telemetry.facade import Telemetry

CHARGED = frozenset(
    {
        DenialReason.ADDRESS,
        DenialReason.TOO_LARGE,
        DenialReason.BODY_TIMEOUT,
        DenialReason.MALFORMED,
        DenialReason.SIGNATURE,
    }
)
"""Failures that count against an address: those before authentication. A sender whose alerts are refused for what
they say is known, and must still get through with the next one."""

_RETRY_AFTER_S = 60
_REMEMBERED = 1_024


def client_address(peer: str | None, forwarded_for: Sequence[str], trusted: Sequence[Network]) -> str:
    """The first address from the right of X-Forwarded-For that is not a trusted proxy's; the peer's without proxies.

    Anything that is no address ends the search: what stands left of it was written by a stranger.
    """
    current = _plain(peer) if peer else UNKNOWN
    for hop in (hop.strip() for value in reversed(forwarded_for) for hop in reversed(value.split(","))):
        if not _within(current, trusted):
            return current
        try:
            current = _plain(str(ipaddress.ip_address(hop)))
        except ValueError:
            return current
    return current


@functools.lru_cache(_REMEMBERED)
def _parsed(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Remembered, because the same few senders call all day and parsing costs a twentieth of a webhook."""
    try:
        return ipaddress.ip_address(address)
    except ValueError:
        return None


@functools.lru_cache(_REMEMBERED)
def _plain(address: str) -> str:
    """An IPv4 address that came in over an IPv6 socket, as what it is."""
    parsed = _parsed(address)
    if parsed is None:
        return address
    mapped = parsed.ipv4_mapped if isinstance(parsed, ipaddress.IPv6Address) else None
    return str(mapped or parsed)


def _within(address: str, networks: Iterable[Network]) -> bool:
    parsed = _parsed(address)
    return parsed is not None and any(parsed in network for network in networks)


class CheckAddress:
    """403 where the source lists its senders' addresses and this is none of them."""

    span = c.SPAN_WEBHOOK_ADDRESS

    def __init__(self, telemetry: Telemetry) -> None:
        self._checks = telemetry.counters(c.IP_WHITELIST_CHECKS, "client_ip", "allowed")
        self._rejections = telemetry.counters(c.IP_WHITELIST_REJECTIONS, "client_ip")

    def __call__(self, intake: Intake) -> None:
        if intake.source is None or not intake.source.networks:
            return
        allowed = _within(intake.client, intake.source.networks)
        self._checks[intake.client, "true" if allowed else "false"].add()
        if not allowed:
            self._rejections[intake.client].add()
            raise Refusal(DenialReason.ADDRESS, "this address may not send alerts to this source")


class LimitFailures:
    """429 for an address whose failures used up its allowance; configured senders are never refused here.

    TradingView's four addresses serve all of its users: one stranger's failures must not stop everybody's alerts.
    """

    span = c.SPAN_WEBHOOK_LIMIT

    def __init__(self, buckets: KeyedBuckets, sources: Iterable[Source], telemetry: Telemetry, clock: Clock) -> None:
        self._buckets = buckets
        self._senders = tuple(network for source in sources for network in source.networks)
        self._requests = telemetry.counters(c.RATE_LIMIT_REQUESTS, "client_ip", "allowed")
        self._rejections = telemetry.counters(c.RATE_LIMIT_REJECTIONS, "client_ip")
        self._clock = clock

    def __call__(self, intake: Intake) -> None:
        sender = _within(intake.client, self._senders)
        allowed = sender or self._buckets.available(_key(intake.client), self._now())
        self._requests[intake.client, "true" if allowed else "false"].add()
        if not allowed:
            self._rejections[intake.client].add()
            raise Refusal(
                DenialReason.RATE_LIMITED,
                "too many failed requests from this address; wait a minute",
                retry_after=_RETRY_AFTER_S,
            )

    def charge(self, client: str, reason: DenialReason) -> None:
        """After the answer: count a failure against its address."""
        if reason in CHARGED:
            self._buckets.charge(_key(client), self._now())

    def _now(self) -> float:
        return self._clock.monotonic_ns() / 1e9


def _key(client: str) -> str:
    """An IPv6 sender owns at least a /64: one allowance for all of it."""
    address = _parsed(client)
    if isinstance(address, ipaddress.IPv6Address):
        return str(ipaddress.IPv6Network((address, 64), strict=False))
    return client
