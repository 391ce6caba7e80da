"""`--test-rate-limit`: failures from one address until it is refused, while good alerts from another still pass."""

from __future__ import annotations

import time
from collections.abc import Iterator

from scripts.lib.traffic.checks import TOO_MANY, Caller, Check, signed, small_order
from scripts.lib.traffic.target import Sender, Target
from service.cli.signing import SignedRequest

FROM = "127.0.0.2"
"""The stranger; where the system has only one loopback address, the good sender's own."""

_GOOD = 10
_AGAIN_WITHIN_S = 10.0
_ACCEPTED = 202


def check_rate_limit(target: Target, run: str) -> list[Check]:
    """What the limit has to do, in order."""
    with Caller(target, FROM) as stranger, Caller(target) as good:
        return list(_all(target, stranger, good, run))


def _all(target: Target, stranger: Caller, good: Caller, run: str) -> Iterator[Check]:
    sender = target.senders[0]
    yield _until_refused(target, stranger, sender)
    if stranger.address is not None:
        passed = [good.post(sender.name, signed(sender, small_order(sender), f"{run}-good-{n}")) for n in range(_GOOD)]
        accepted = sum(reply.status == _ACCEPTED for reply in passed)
        name = "good alerts from another address, at once"
        yield Check(name, f"{_GOOD} of 202", f"{accepted} of 202", accepted == _GOOD)
    yield _again(stranger, sender, run)


def _until_refused(target: Target, stranger: Caller, sender: Sender) -> Check:
    """The burst is what an address may fail at once; refilling meanwhile allows some more."""
    most = target.failure_burst * 3 + 20
    nonsense = SignedRequest({"Content-Type": "application/json"}, b"{}")
    reply, failed = stranger.post(sender.name, nonsense), 0
    while reply.status != TOO_MANY and failed < most:
        reply, failed = stranger.post(sender.name, nonsense), failed + 1
    after = reply.headers.get("retry-after", "")
    return Check(
        "failures from one address",
        f"429 rate_limited with Retry-After, after at most {most} failures",
        f"{reply.text} after {failed} failures, Retry-After {after or 'missing'}",
        reply.text == "429 rate_limited" and after.isdigit(),
    )


def _again(stranger: Caller, sender: Sender, run: str) -> Check:
    """The limited address is not shut out: what it may fail comes back with time, and good alerts are not charged."""
    started = time.monotonic()
    tries = 0
    while True:
        tries += 1
        reply = stranger.post(sender.name, signed(sender, small_order(sender), f"{run}-back-{tries}"))
        waited = time.monotonic() - started
        if reply.status != TOO_MANY or waited > _AGAIN_WITHIN_S:
            break
        time.sleep(0.1)
    expected = f"202 within {_AGAIN_WITHIN_S:g} s"
    name = "a good alert from the limited address"
    return Check(name, expected, f"{reply.text} after {waited:.1f} s", reply.status == _ACCEPTED)
