"""What must be right in a configuration file before its content can be: YAML, each key once, references that are read.

Looked at before OpenTelemetry's library reads the file, because it takes the last of two equal keys, leaves a
reference that it does not understand as it stands, and quotes the line of a mistake, secrets included.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator

# Source: https://opentelemetry.io/docs/specs/otel/configuration/data-model/#environment-variable-substitution, as far
# as the library reads it.
_REFERENCE = re.compile(r"\$\$|\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?P<default>:-[^}]*)?\}|(?P<other>\$\{[^}]*\}?)")


class Reference(NamedTuple):
    """A variable that the file refers to, and whether it has a default there."""

    name: str
    has_default: bool


class FileSyntaxError(ValueError):
    """`str` says where, what was expected, and after a semicolon what to do; never what stands there."""


def references(text: str) -> set[Reference]:
    """The variables that the values of a YAML document refer to.

    Raises:
        FileSyntaxError: it is no YAML document, a key stands twice in one mapping, or a reference cannot be read.
    """
    try:
        root = yaml.compose(text, yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}" if mark else "somewhere"
        raise FileSyntaxError(f"{where}: expected YAML; correct what stands there or right above it") from None
    except (yaml.YAMLError, RecursionError):
        raise FileSyntaxError("expected YAML in UTF-8; correct the file") from None
    return {reference for scalar in _values(root, set()) for reference in _references(scalar)}


def _values(node: Any, seen: set[int]) -> Iterator[Any]:
    """Every text that is a value; what an anchor repeats only once."""
    if node is None or id(node) in seen:
        return
    seen.add(id(node))
    if isinstance(node, yaml.ScalarNode):
        yield node
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from _values(item, seen)
    else:
        keys: set[str] = set()
        for key, value in node.value:
            if key.value in keys:
                where = key.start_mark.line + 1
                raise FileSyntaxError(
                    f"line {where}: expected each key once in a mapping; remove or rename the second one"
                )
            if isinstance(key, yaml.ScalarNode):
                keys.add(key.value)
            yield from _values(value, seen)


def _references(scalar: Any) -> Iterator[Reference]:
    for match in _REFERENCE.finditer(scalar.value):
        if match["other"] is not None:
            raise FileSyntaxError(
                f"line {scalar.start_mark.line + 1}: expected ${{NAME}} or ${{NAME:-default}} after a dollar and a "
                "brace; write it so, or $$ for a dollar that is meant"
            )
        if match["name"] is not None:
            yield Reference(match["name"], match["default"] is not None)
