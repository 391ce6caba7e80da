"""A context of the OpenTelemetry API whose current span is made only when somebody asks for it.

Hardly anybody does: the facade's spans know each other. Making the API's span, and a context around it, for every one
of them would cost as much as all the rest of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opentelemetry.context.context import Context

from telemetry.lean.current import SPAN_KEY

if TYPE_CHECKING:
    from collections.abc import ItemsView, Iterator, KeysView, ValuesView

    from opentelemetry import trace


class Around(Context):
    """Every way to look into a dictionary first puts in what belongs there; `{**context}` and `dict(context)` too,
    because a dictionary with an iterator of its own is read by its methods.

    `rest` is what the context around it holds beside a span, None for nothing.
    """

    __slots__ = ("rest",)

    rest: Context | None

    def whole(self) -> trace.Span:
        """The span, made at the first call."""
        raise NotImplementedError

    def get(self, key: str, default: Any = None) -> Any:
        if key == SPAN_KEY:
            return self.whole()
        # What instrumentations ask for at every call, as whether they are suppressed, needs no span.
        return default if self.rest is None else self.rest.get(key, default)

    def __getitem__(self, key: str) -> object:
        return self._filled().__getitem__(key)

    def __contains__(self, key: object) -> bool:
        return key == SPAN_KEY or (self.rest is not None and key in self.rest)

    def __iter__(self) -> Iterator[str]:
        return self._filled().__iter__()

    def __reversed__(self) -> Iterator[str]:
        return self._filled().__reversed__()

    def __len__(self) -> int:
        return 1 if self.rest is None else len(self.rest | {SPAN_KEY: None})

    def __bool__(self) -> bool:
        return True

    def __eq__(self, other: object) -> bool:
        return self._filled().__eq__(other)

    def __ne__(self, other: object) -> bool:
        return self._filled().__ne__(other)

    __hash__ = None  # type: ignore[assignment]

    def __or__(self, other: Any) -> Any:
        return self._filled().__or__(other)

    def __ror__(self, other: Any) -> Any:
        return self._filled().__ror__(other)

    def keys(self) -> KeysView[str]:  # type: ignore[override]
        return self._filled().keys()

    def values(self) -> ValuesView[object]:  # type: ignore[override]
        return self._filled().values()

    def items(self) -> ItemsView[str, object]:  # type: ignore[override]
        return self._filled().items()

    def copy(self) -> dict[str, object]:
        return self._filled()

    def _filled(self) -> dict[str, object]:
        return {**(self.rest or {}), SPAN_KEY: self.whole()}


def rest_of(context: Context) -> Context | None:
    """What a context holds beside its span; None for nothing."""
    if isinstance(context, Around):
        return context.rest
    return context if len(context) > (SPAN_KEY in context) else None
