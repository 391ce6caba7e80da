"""What senders and strangers do wrong, and what the operator does."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Any

from tests.acceptance.alerts.live.desks import STRANGER, Desks
from tests.acceptance.alerts.live.scenario import Expected, Fault, Scenario, Track
from tests.acceptance.alerts.live.senders import again_and_again, slowly

SMALL = {"symbol": "BTC/USDT", "side": "buy", "quantity": "0.0001"}

_SLOW_SENDERS = 300
_BODY_AFTER_S = 6.0
_HOUR_S = 3_600
_FLOODING = 4
"""Connections of the stranger, each ten requests a second at most."""


def _sending(source: str, alert: Mapping[str, Any], *, status: int, every: float = 0.5) -> Fault:
    """Such alerts of this source, one after another, each answered so."""

    def fault(desks: Desks) -> AbstractContextManager[None]:
        def send() -> None:
            answer = desks["front"].send(alert, source=source, wait=None)
            assert answer.status_code == status, answer.text

        return again_and_again(send, every=every)

    return fault


def _late(desks: Desks) -> AbstractContextManager[None]:
    def send() -> None:
        answer = desks["front"].send(SMALL | {"timestamp": int(time.time()) - _HOUR_S}, source="late", wait=None)
        assert answer.json()["reason"] == "stale", answer.text

    return again_and_again(send, every=0.5)


def _forged(desks: Desks) -> AbstractContextManager[None]:
    def send() -> None:
        wrong = desks["front"].secrets["forged"][::-1]
        answer = desks["front"].send(SMALL, source="forged", secret=wrong, wait=None)
        assert answer.status_code == 401, answer.text

    return again_and_again(send, every=0.4)


@contextlib.contextmanager
def _flood(desks: Desks) -> Iterator[None]:
    def send() -> None:
        front = desks["front"]
        answer = desks.http.post(f"{front.public}/webhook/wrong", content=b"{}", headers=STRANGER)
        # Up to the limit they are judged, and refused for what they are; above it unread.
        assert answer.status_code in {401, 429}, answer.text

    with contextlib.ExitStack() as stack:
        for _ in range(_FLOODING):
            stack.enter_context(again_and_again(send, every=0.1))
        yield


def _intrude(desks: Desks) -> AbstractContextManager[None]:
    def call() -> None:
        front = desks["front"]
        answer = front.send(SMALL, source="elsewhere", wait=None)
        assert answer.json()["reason"] == "address", answer.text
        assert desks.http.get(f"{front.operator}/orders").status_code == 401

    return again_and_again(call, every=0.5)


def _slow_bodies(desks: Desks) -> AbstractContextManager[None]:
    front = desks["front"]
    return slowly(
        f"{front.public}/webhook/slow",
        lambda: front.signed(SMALL | {"account": "paper-3"}, source="slow"),
        connections=_SLOW_SENDERS,
        seconds=_BODY_AFTER_S,
    )


@contextlib.contextmanager
def _halt(desks: Desks) -> Iterator[None]:
    done = desks["front"].fillpath("halt", "--account", "paper-2", "--level", "reducing")
    assert done.returncode == 0, done.stderr
    try:
        yield
    finally:
        done = desks["front"].fillpath("resume", "--account", "paper-2")
        assert done.returncode == 0, done.stderr


def _expect(rule: str, variant: str = "", **labels: str) -> Expected:
    return Expected(rule=rule, variant=variant, labels={"job": "front", **labels})


TRACKS: tuple[Track, ...] = (
    (
        Scenario(
            story="requests with a wrong signature, two a second, and no good one of that source",
            fault=_forged,
            fires=(_expect("WebhookSignatureFailures", source="forged"),),
        ),
    ),
    (
        Scenario(
            story="calls from an address that is not listed, and of `/orders` without the operator's token",
            fault=_intrude,
            fires=(_expect("UnauthorizedIPAttempts"),),
        ),
    ),
    (
        Scenario(
            story="a stranger's requests without a signature, forty a second: above the limit of failures they get 429",
            fault=_flood,
            fires=(_expect("HighRateLimitRejections"),),
        ),
    ),
    (
        Scenario(
            story="alerts with a negative quantity, no side and an unknown field, three a second",
            fault=_sending("wrong", {"symbol": "BTC/USDT", "quantity": "-1", "leverage": "3"}, status=422, every=0.3),
            fires=(
                _expect("WebhookValidationFailureRate", source="wrong"),
                _expect("HighValidationErrorRate"),
            ),
        ),
    ),
    (
        Scenario(
            story="alerts with a confidence of 0.1, where 0.6 is the least",
            fault=_sending("unsure", SMALL | {"confidence": "0.1"}, status=422),
            fires=(_expect("HighConfidenceFilterRate", source="unsure"),),
        ),
    ),
    (
        Scenario(
            story='alerts with `"confidence": NaN`',
            fault=_sending("missing", SMALL | {"confidence": "NaN"}, status=202),
            fires=(_expect("HighNaNReplacementRate"),),
        ),
    ),
    (
        Scenario(
            story="alerts with a timestamp of an hour ago",
            fault=_late,
            fires=(_expect("HighStaleWebhookRate", source="late"),),
        ),
    ),
    (
        Scenario(
            story=f"{_SLOW_SENDERS} senders at once whose bodies arrive {_BODY_AFTER_S:g} s after their heads",
            fault=_slow_bodies,
            fires=(
                _expect("HighActiveRequests"),
                _expect("AlertAcksBudgetBurn", "1h"),
                _expect("AlertAcksBudgetBurn", "6h"),
                _expect("HighWebhookLatency"),
            ),
        ),
    ),
    (
        Scenario(
            story="`fillpath halt` for one account, then `fillpath resume`",
            fault=_halt,
            fires=(_expect("KillSwitchEngaged", account="paper-2"),),
        ),
    ),
)
