"""`--test-failures`: everything that has to be refused, each with the status and reason it has to be refused with."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import msgspec

from scripts.lib.traffic.checks import TOO_MANY, Caller, Check, Reply, signed, small_order
from scripts.lib.traffic.documents import iso
from scripts.lib.traffic.target import Sender, Target
from service.cli.signing import SignedRequest

FROM = "127.0.0.3"
"""So that these failures use up no allowance of the address from which good alerts come."""

_WAIT_S = 12.0
_LOOK_S = 0.5
_LONG_AGO_S = 600


class Case(NamedTuple):
    """One refusal; `source` is where it goes where that is not the sender's."""

    name: str
    request: SignedRequest
    status: int
    reason: str
    source: str | None = None


def check_failures(target: Target, run: str) -> list[Check]:
    """Each case once, then the two that need an accepted alert before them."""
    with Caller(target, FROM) as caller:
        return list(_all(caller, target, target.senders[0], run))


def _all(caller: Caller, target: Target, sender: Sender, run: str) -> Iterator[Check]:
    for case in [*_unproven(target, sender, run), *_wrong(sender, run)]:
        reply = _post(caller, case.source or sender.name, case.request)
        expected = f"{case.status} {case.reason}"
        # A refusal that names no trace could not be looked into.
        passed = reply.text == expected and bool(reply.document.get("trace_id"))
        yield Check(case.name, expected, reply.text, passed)
    yield from _repeated(caller, sender, run)


def _unproven(target: Target, sender: Sender, run: str) -> list[Case]:
    """Refused before anybody knows who sent it."""
    good = small_order(sender)
    proper = signed(sender, good, f"{run}-signature")
    cases = [
        Case("bad signature", _spoiled(sender, proper), 401, "signature"),
        Case("no signature", _without_proof(sender, proper), 401, "signature"),
        Case("unknown source", signed(sender, good, f"{run}-source"), 401, "signature", "nosuch"),
        Case("malformed body", SignedRequest(proper.headers, b'{"symbol": "BTC/USDT", '), 400, "malformed"),
        Case(
            "body too large",
            signed(sender, {**good, "comment": "x" * (target.max_body_bytes + 1)}, f"{run}-large"),
            413,
            "too_large",
        ),
    ]
    if sender.auth == "standard":
        old = signed(sender, good, f"{run}-old", at=time.time() - _LONG_AGO_S)
        cases.append(Case("signature of long ago", old, 401, "signature"))
    return cases


def _wrong(sender: Sender, run: str) -> list[Case]:
    """Refused for what it says."""
    good = small_order(sender)
    lane = sender.lanes[0]
    changes: list[tuple[str, Mapping[str, object], str]] = [
        ("stale alert", {"timestamp": iso(time.time() - sender.stale_after - 60)}, "stale"),
        ("alert from the future", {"timestamp": iso(time.time() + 3600)}, "in_future"),
        ("unknown symbol", {"symbol": "NOSUCH/USDT"}, "unknown_symbol"),
        ("unknown field", {"nosuch": 1}, "unknown_field"),
        ("no such side", {"side": "hold"}, "invalid_field"),
        ("null for a quantity", {"quote_amount": None}, "not_a_number"),
        ("NaN for a quantity", {"quote_amount": "NaN"}, "not_a_number"),
        ("another's account", {"account": "nosuch"}, "account_not_allowed"),
    ]
    if sender.min_confidence:
        changes.append(("low confidence", {"confidence": "0"}, "low_confidence"))
    if lane.price is not None:
        step = f"{lane.market.amount_step:f}"
        far = f"{lane.market.round_price(lane.price * 10):f}"
        changes.append(("below the minimum", {"quote_amount": None, "quantity": step}, "below_minimum"))
        changes.append(("limit far from the market", {"order_type": "limit", "price": far}, "price_band"))
    return [
        Case(name, signed(sender, _changed(good, change), f"{run}-{reason}-{place}"), 422, reason)
        for place, (name, change, reason) in enumerate(changes)
    ]


def _changed(alert: Mapping[str, object], change: Mapping[str, object]) -> dict[str, object]:
    """A None beside a quantity takes the amount out; alone it stands as it is, for a null is a mistake too."""
    changed = {**alert, **change}
    if "quantity" in changed:
        changed.pop("quote_amount", None)
    return changed


def _repeated(caller: Caller, sender: Sender, run: str) -> Iterator[Check]:
    """A key that comes again: the same answer for the same body, a refusal for another."""
    key, alert = f"{run}-again", small_order(sender)
    first = _post(caller, sender.name, signed(sender, alert, key))
    yield Check("accepted once", "202", first.text, first.status == 202)  # noqa: PLR2004 - accepted
    again = _post(caller, sender.name, signed(sender, alert, key))
    same = again.document.get("order_id") == first.document.get("order_id")
    marked = again.headers.get("idempotent-replayed") == "true"
    said = again.text + (" the same order" if same else " another order") + (" replayed" if marked else "")
    yield Check("duplicate", "202 the same order replayed", said, again.status == 202 and same and marked)  # noqa: PLR2004 - accepted
    other = _post(caller, sender.name, signed(sender, {**alert, "quote_amount": "16"}, key))
    yield Check("the key with another body", "409 key_reused", other.text, other.text == "409 key_reused")


def _post(caller: Caller, source: str, request: SignedRequest) -> Reply:
    """The answer; an address whose failures used up their allowance (an earlier run's) waits for the next one."""
    deadline = time.monotonic() + _WAIT_S
    while True:
        reply = caller.post(source, request)
        if reply.status != TOO_MANY or time.monotonic() > deadline:
            return reply
        time.sleep(_LOOK_S)


def _spoiled(sender: Sender, request: SignedRequest) -> SignedRequest:
    """The same request, signed for another body, or with another token."""
    if sender.auth == "token":
        body = msgspec.json.decode(request.body, type=dict[str, object]) | {"token": "another"}
        return SignedRequest(request.headers, msgspec.json.encode(body))
    return SignedRequest(request.headers, request.body.replace(b"{", b"{ ", 1))


def _without_proof(sender: Sender, request: SignedRequest) -> SignedRequest:
    body = msgspec.json.decode(request.body, type=dict[str, object])
    body.pop("token", None)
    kept = {name: value for name, value in request.headers.items() if "signature" not in name.lower()}
    return SignedRequest(kept, msgspec.json.encode(body) if sender.auth == "token" else request.body)
