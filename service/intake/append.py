"""The last step: the order, its answer and its key on disk, all or nothing, before anything is acknowledged."""

from __future__ import annotations

import msgspec

from service.core.orders import Order
from service.core.refusals import DenialReason, Refusal
from service.intake.idempotency import replay
from service.intake.request import Intake
from service.journal.protocol import Duplicate, Journal, JournalUnavailable, StoredAnswer
from telemetry import conventions as c
from telemetry.facade import Telemetry

ACCEPTED = 202
_RETRY_AFTER_S = 5


class Append:
    """Journals the alert. Of several with the same key one wins; the others wait for its commit and replay it."""

    span = c.SPAN_JOURNAL_APPEND

    def __init__(self, journal: Journal, telemetry: Telemetry) -> None:
        self._journal = journal
        self._telemetry = telemetry

    async def __call__(self, intake: Intake) -> None:
        current = self._telemetry.current()
        assert intake.order is not None, "normalized before"
        order = intake.order = msgspec.structs.replace(
            intake.order, last_span_id=None if current is None else current.span_id
        )
        intake.answer = msgspec.json.encode(answer_body(order))
        try:
            result = await self._journal.append(order, self._stored(intake, order, intake.answer))
        except JournalUnavailable as error:
            raise Refusal(
                DenialReason.JOURNAL_UNAVAILABLE,
                f"the order could not be written down, so it was not accepted: {error}",
                retry_after=_RETRY_AFTER_S,
            ) from error
        intake.commit = result.commit
        if isinstance(result, Duplicate):
            replay(intake, result.stored)
        else:
            intake.appended = True

    def _stored(self, intake: Intake, order: Order, body: bytes) -> StoredAnswer:
        key = intake.key
        assert key is not None, "looked up before"
        now_ns = self._journal.kept_ns()
        return StoredAnswer(
            source=intake.source_name,
            key=key.key,
            content_hash=intake.content_hash,
            order_id=order.id,
            trace_id=order.trace.trace_id,
            span_id=order.trace.span_id,
            status=ACCEPTED,
            body=body,
            created_ns=now_ns,
            expires_ns=now_ns + key.keep_ns,
        )


def answer_body(order: Order) -> dict[str, object]:
    """What the sender gets; links are paths of the operator interface."""
    return {
        "order_id": order.id,
        "client_order_id": order.client_order_id,
        "status": order.status.value,
        "trace_id": order.trace.trace_id,
        "links": {"order": f"/orders/{order.id}", "trace": f"/orders/{order.id}/trace"},
    }
