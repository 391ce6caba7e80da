"""A request's body as a JSON object that is safe to work with: bounded numbers, no duplicates, no deep nesting.

Numbers become Decimal straight from their text and never pass through float. What cannot be read is a `Refusal`;
nothing else is raised, whatever the body holds.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from decimal import Decimal, InvalidOperation
from typing import Any, NoReturn

import msgspec

from service.core.refusals import DenialReason, Refusal

MAX_DIGITS = 40
MAX_EXPONENT = 30
"""Numbers beyond 40 digits or outside 1e-30..1e31 are refused: `1e999999999` is cheap to read, not to write out."""

NUMBER_BOUNDS = f"at most {MAX_DIGITS} digits, exponents from -{MAX_EXPONENT} to {MAX_EXPONENT}"

_MAX_DEPTH = 16  # no field is nested; this only keeps everything behind the decoder safe from a nesting bomb
_MAX_SHOWN = 40
_INT_LIMIT = 10**MAX_DIGITS
_TOO_DEEP = f"the body is nested deeper than {_MAX_DEPTH} levels; the fields of an alert are not nested"
_EXAMPLE = '{"symbol": "BTC-USDT", "side": "buy", "quantity": "0.01"}'
_BOM = "\ufeff"
_KEY_END = re.compile(rb'"[ \t\r\n]*:')
_SURROGATE = re.compile("[\ud800-\udfff]")
_NO_VALUES = frozenset({"", *(sign + word for sign in ("", "+", "-") for word in ("nan", "inf", "infinity"))})


class _NumberOutOfRange(ValueError):  # noqa: N818 - named for what is the case
    pass


class _DuplicateKey(ValueError):  # noqa: N818 - named for what is the case
    pass


def decode_document(body: bytes) -> dict[str, object]:
    """The body's JSON object; numbers as int or Decimal, bare NaN and Infinity as strings.

    Raises `Refusal` (malformed) for everything else: `extra["position"]` is the byte offset in the body where the
    JSON or its UTF-8 breaks, if it does. A key given twice is refused too: of two quantities neither is the one that
    was meant. A byte order mark is passed over.
    """
    try:
        document: dict[str, object] = _FAST.decode(body)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        # It may still be a bare NaN or a byte order mark; and the slow reader says where a body breaks.
        document = _decode_slowly(body)
    else:
        # Every key ends in a quote and a colon: as many of them as members means no key twice and nothing nested.
        if len(_KEY_END.findall(body)) != len(document):
            document = _decode_slowly(body)
    _check_values(document, document.values(), 1)
    return document


def bounded_decimal(text: str) -> Decimal | None:
    """The number that `text` writes; None where it is beyond MAX_DIGITS or MAX_EXPONENT."""
    try:
        number = Decimal(text)
    except InvalidOperation:  # an exponent beyond what Decimal can hold
        return None
    return number if is_bounded(number) else None


def is_bounded(number: Decimal) -> bool:
    """Whether a number is finite and within MAX_DIGITS and MAX_EXPONENT."""
    if not number.is_finite() or not -MAX_EXPONENT <= number.adjusted() <= MAX_EXPONENT:
        return False
    return len(str(number)) <= MAX_DIGITS or len(number.as_tuple().digits) <= MAX_DIGITS


def is_blank(text: str) -> bool:
    """Whether a text stands for no value: empty, or NaN or Infinity as a placeholder leaves it."""
    return text.strip().lower() in _NO_VALUES


def is_absent(value: object) -> bool:
    """Whether an optional field counts as not given: null, empty, NaN or infinite."""
    if isinstance(value, Decimal):
        return not value.is_finite()
    return value is None or (isinstance(value, str) and is_blank(value))


def id_text(value: object) -> str | None:
    """The text of a sender's id: strings as they are, numbers as digits; None where it names nothing."""
    if isinstance(value, str):
        return None if is_blank(value) else value
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return str(value) if -_INT_LIMIT < value < _INT_LIMIT else None
    if isinstance(value, Decimal):
        return format(value, "f") if is_bounded(value) else None
    return None


def shown(value: object) -> str:
    """A sent value for a message: texts quoted and cut, everything else by its value or its JSON type."""
    if isinstance(value, str):
        return repr(value if len(value) <= _MAX_SHOWN else f"{value[: _MAX_SHOWN - 3]}...")
    if value is None:
        return "null"
    if isinstance(value, Decimal) and is_bounded(value):
        return str(value)
    names = {bool: "a boolean", list: "an array", dict: "an object"}
    return names.get(type(value), "a number")


def _decimal_hook(text: str) -> Decimal:
    number = bounded_decimal(text)
    if number is None:
        raise _NumberOutOfRange(text)
    return number


def _int_hook(text: str) -> int:
    if len(text) > MAX_DIGITS + 1:
        raise _NumberOutOfRange(text)
    return int(text)


_FAST = msgspec.json.Decoder(dict[str, Any], float_hook=_decimal_hook)


def _unique_pairs(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise _DuplicateKey(key)
            seen.add(key)
    return members


def _decode_slowly(body: bytes) -> dict[str, object]:
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        _refuse(f"the body is not UTF-8: {error.reason} at byte {error.start}", error.start)
    try:
        document = json.loads(
            text.removeprefix(_BOM),
            parse_float=_decimal_hook,
            parse_int=_int_hook,
            parse_constant=str,
            object_pairs_hook=_unique_pairs,
        )
    except json.JSONDecodeError as error:
        position = len(error.doc[: error.pos].encode()) + (len(_BOM.encode()) if text.startswith(_BOM) else 0)
        where = f"line {error.lineno}, column {error.colno} (byte {position})"
        _refuse(f"the body is not JSON: {error.msg} at {where}", position)
    except _NumberOutOfRange as error:
        _refuse(f"the number {shown(str(error))} is out of range: {NUMBER_BOUNDS}")
    except _DuplicateKey as error:
        _refuse(f"the key {shown(str(error))} is there twice; each may be there once")
    except RecursionError:
        _refuse(_TOO_DEEP)
    if not isinstance(document, dict):
        _refuse(f"the body is {shown(document)}, expected an object such as {_EXAMPLE}", 0)
    return document


def _check_values(keys: Iterable[str], values: Iterable[object], depth: int) -> None:
    """Refuse what would hurt later: nesting, integers without end, and strings that are no Unicode text."""
    if depth > _MAX_DEPTH:
        _refuse(_TOO_DEEP)
    for key in keys:
        _check_text(key)
    for value in values:
        if isinstance(value, str):
            _check_text(value)
        elif isinstance(value, int):
            if not -_INT_LIMIT < value < _INT_LIMIT:
                _refuse(f"an integer is out of range: {NUMBER_BOUNDS}")
        elif isinstance(value, dict):
            _check_values(value, value.values(), depth + 1)
        elif isinstance(value, list):
            _check_values((), value, depth + 1)


def _check_text(text: str) -> None:
    if not text.isascii() and _SURROGATE.search(text):
        _refuse("a string has half of a surrogate pair (such as \\ud800), which is no character")


def _refuse(detail: str, position: int | None = None) -> NoReturn:
    # `from None`: the cause would carry the whole body, token included, into whatever prints the traceback.
    raise Refusal(DenialReason.MALFORMED, detail, extra={} if position is None else {"position": position}) from None
