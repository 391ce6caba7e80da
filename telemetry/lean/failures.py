"""What an exception leaves on a span of the OpenTelemetry API, in the SDK's words; never raises itself."""

from __future__ import annotations

import traceback

from opentelemetry.trace import Status, StatusCode


def failure(error: BaseException) -> Status:
    """The status that an exception leaves, in the SDK's words."""
    return Status(StatusCode.ERROR, f"{type(error).__name__}: {text_of(error)}")


def text_of(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # noqa: BLE001 - a foreign __str__ may do anything; the type is recorded beside it
        return "<no message>"


def stack_of(error: BaseException) -> str:
    try:
        return "".join(traceback.format_exception(error))
    except Exception:  # noqa: BLE001 - as above
        return ""
