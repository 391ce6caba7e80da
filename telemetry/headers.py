"""Headers of an export: a text of `key=value,...`, as variables hold it, and the pairs of a configuration file.

Looked at before an exporter sees them: OpenTelemetry's parser quotes what it does not understand, and the HTTP library
what it refuses, at every export.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

if TYPE_CHECKING:
    from collections.abc import Iterator

_NAME_TEXT = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
# RFC 9110, sections 5.1 and 5.5.
_NAME = re.compile(_NAME_TEXT)
_VALUE = re.compile(r"(?:[!-~](?:[ -~\t]*[!-~])?)?")
# What OpenTelemetry's parser takes: printable ASCII without double quote, comma, semicolon and backslash.
_ITEM = re.compile(rf"{_NAME_TEXT}[ \t]*=[\t\x20\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]*")


def headers_of(exporter: Any) -> dict[str, str]:
    """Of a configuration file's exporter, by name in lower case, as gRPC wants it; a pair wins over the text."""
    found = {name.lower(): value for name, value in _in_text(exporter.headers_list or "")}
    return found | {pair.name.lower(): pair.value or "" for pair in exporter.headers or ()}


def is_header(name: str, value: str) -> bool:
    return _NAME.fullmatch(name) is not None and _VALUE.fullmatch(value) is not None


def is_list(text: str) -> bool:
    """Whether all of it would be sent."""
    return all(_ITEM.fullmatch(item) for item in _items(text)) and all(is_header(*pair) for pair in _in_text(text))


def _in_text(text: str) -> Iterator[tuple[str, str]]:
    """Values may be percent-encoded."""
    for item in _items(text):
        name, _, value = item.partition("=")
        yield name.strip(), unquote(value.strip())


def _items(text: str) -> list[str]:
    return [item.strip() for item in text.split(",") if item.strip()]
