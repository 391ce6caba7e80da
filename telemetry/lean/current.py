"""The current span, as OpenTelemetry's own context holds it: whoever asks the API sees ours, and we see theirs."""

from __future__ import annotations

from contextvars import ContextVar, Token

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.context.context import Context
from opentelemetry.context.contextvars_context import ContextVarsRuntimeContext
from opentelemetry.trace.propagation import _SPAN_KEY as SPAN_KEY

__all__ = ["SPAN_KEY", "activate", "attach", "current_context", "deactivate", "reset"]

_runtime = otel_context._RUNTIME_CONTEXT  # noqa: SLF001 - what the API's own functions use


def _variable() -> ContextVar[Context] | None:
    """The variable of the default implementation; another one (OTEL_PYTHON_CONTEXT) is asked through the API."""
    if type(_runtime) is ContextVarsRuntimeContext:
        return _runtime._current_context  # noqa: SLF001 - two calls a span less
    return None


_own = _variable()
current_context = otel_context.get_current if _own is None else _own.get
attach = otel_context.attach if _own is None else _own.set
reset = otel_context.detach if _own is None else _own.reset


def activate(span: trace.Span, context: Context) -> Token[Context]:
    """Make `span` the current one; `context` is the current context, everything else in it stays."""
    if len(context) <= (SPAN_KEY in context):
        # Nothing else is in it, as nearly always: there is nothing to copy.
        return attach(Context({SPAN_KEY: span}))
    return attach(Context({**context, SPAN_KEY: span}))


def deactivate(token: Token[Context]) -> None:
    try:
        reset(token)
    except ValueError:
        # The block ends in another task than it began in: the API logs it, there is nothing to restore.
        otel_context.detach(token)
