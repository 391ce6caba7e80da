"""The SDK's own containers around what a span has kept, clean and within its limits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from opentelemetry.attributes import BoundedAttributes
from opentelemetry.sdk.util import BoundedList


def frozen(
    attributes: Mapping[str, Any], dropped: int, count: int | None = None, length: int | None = None
) -> BoundedAttributes:
    result = BoundedAttributes(count, immutable=True, max_value_len=length)
    # They are clean and within their limits: the constructor would clean them once more, and forget what was dropped.
    result._dict = dict(attributes)  # noqa: SLF001
    result.dropped = dropped
    return result


def sized(items: Sequence[Any], dropped: int) -> BoundedList:  # type: ignore[type-arg]
    result = BoundedList.from_seq(len(items), items)
    result.dropped = dropped
    return result
