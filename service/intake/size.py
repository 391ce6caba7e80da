"""Reads the body within its size and time; a sender that stalls or floods is refused before all is read."""

from __future__ import annotations

from service.bounded import within
from service.core.refusals import DenialReason, Refusal
from service.intake.request import Intake
from telemetry import conventions as c


class ReadBody:
    """413 above `max_bytes`, 408 when the body has not arrived within `timeout` seconds."""

    span = c.SPAN_WEBHOOK_SIZE

    def __init__(self, max_bytes: int, timeout: float) -> None:
        self._max_bytes = max_bytes
        self._timeout = timeout

    async def __call__(self, intake: Intake) -> None:
        declared = intake.headers.get("content-length", "")
        if declared.isdigit() and (len(declared) > len(str(self._max_bytes)) or int(declared) > self._max_bytes):
            raise self._too_large()
        try:
            intake.body = await within(self._timeout, self._read(intake))
        except TimeoutError:
            raise Refusal(
                DenialReason.BODY_TIMEOUT, f"the body did not arrive within {self._timeout:g} s; send it at once"
            ) from None

    async def _read(self, intake: Intake) -> bytes:
        chunks: list[bytes] = []
        size = 0
        while True:
            message = await intake.receive()
            if message["type"] == "http.disconnect":
                raise Refusal(DenialReason.BODY_TIMEOUT, "the connection was closed before the body was complete")
            chunk = message.get("body", b"")
            size += len(chunk)
            if size > self._max_bytes:
                raise self._too_large()
            chunks.append(chunk)
            if not message.get("more_body", False):
                return b"".join(chunks)

    def _too_large(self) -> Refusal:
        return Refusal(
            DenialReason.TOO_LARGE,
            f"the body is larger than {self._max_bytes} bytes",
            extra={"limit": self._max_bytes},
        )
