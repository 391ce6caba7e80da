"""Headers of an exporter, as a configuration file writes them: a list of pairs, and one text of `key=value,...`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

if TYPE_CHECKING:
    from collections.abc import Iterator

# RFC 9110, sections 5.1 and 5.5, without what the HTTP library would refuse at every export, quoting it.
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"(?:[!-~](?:[ -~\t]*[!-~])?)?")


def headers_of(exporter: Any) -> dict[str, str]:
    """By name in lower case, as gRPC wants it; a pair wins over the text."""
    found = {name.lower(): value for name, value in _in_text(exporter.headers_list or "")}
    return found | {pair.name.lower(): pair.value or "" for pair in exporter.headers or ()}


def is_pair(pair: Any) -> bool:
    return is_header(pair.name, pair.value or "")


def is_list(text: str) -> bool:
    return all(is_header(name, value) for name, value in _in_text(text))


def is_header(name: str, value: str) -> bool:
    return _NAME.fullmatch(name) is not None and _VALUE.fullmatch(value) is not None


def _in_text(text: str) -> Iterator[tuple[str, str]]:
    """The form of OTEL_EXPORTER_OTLP_HEADERS: values may be percent-encoded."""
    for item in text.split(","):
        if item.strip():
            name, _, value = item.partition("=")
            yield (name.strip(), unquote(value.strip())) if "=" in item else ("", "")
