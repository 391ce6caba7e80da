"""Whether this alert was seen before, and whether the source may send another one now."""

from __future__ import annotations

import math
from collections.abc import Callable

from service.clock import Clock
from service.core.idempotency import content_hash, derive_key
from service.core.refusals import DenialReason, Refusal
from service.intake.request import Intake
from service.journal.protocol import Journal, StoredAnswer
from telemetry import conventions as c


class LookUpKey:
    """Only looks: the journal's unique key decides. A known key with the same content is replayed, else 409."""

    span = c.SPAN_WEBHOOK_IDEMPOTENCY

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    def __call__(self, intake: Intake) -> None:
        source = intake.known
        signed_id = intake.headers.get("webhook-id") if source.settings.auth == "standard" else None
        intake.content_hash = content_hash(intake.document)
        intake.key = derive_key(webhook_id=signed_id, document=intake.document, content_hash=intake.content_hash)
        stored = self._journal.look_up_answer(source.name, intake.key.key, self._journal.kept_ns())
        if stored is not None:
            replay(intake, stored)


def replay(intake: Intake, stored: StoredAnswer) -> None:
    """Answer as before, or refuse: the same key with another body is another alert under a used name."""
    if stored.content_hash != intake.content_hash:
        raise Refusal(
            DenialReason.KEY_REUSED,
            "this key was used for an alert with another body. A key names one alert: TradingView's "
            "{{strategy.order.id}} is the same every time and belongs into `tag`; put {{timenow}} into `timestamp` or "
            "something unique into `id`",
            extra={"order_id": stored.order_id},
        )
    intake.replay = stored


class LimitSource:
    """503 where no further alert can be taken: the sender tries again, and nothing was journaled.

    Either the source is above its rate, or `refuses` says why the service takes none. Replays do not come here.
    """

    span = c.SPAN_WEBHOOK_SOURCE_LIMIT

    def __init__(self, clock: Clock, refuses: Callable[[], Refusal | None]) -> None:
        self._clock = clock
        self._refuses = refuses

    def __call__(self, intake: Intake) -> None:
        refusal = self._refuses()
        if refusal is not None:
            raise refusal
        bucket = intake.known.bucket
        now = self._clock.monotonic_ns() / 1e9
        if not bucket.take(now):
            raise Refusal(
                DenialReason.RATE_LIMITED,
                f"source {intake.known.name} sends more than {intake.known.settings.rate:g} alerts a second",
                status=503,
                retry_after=max(1, math.ceil(bucket.wait_s(now))),
            )
