"""Reading single fields of a decoded document: numbers, words, texts and times, as senders really write them.

A wrong field is noted and the next one read, so that a sender learns everything at once.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TypeVar

from service.core.documents import NUMBER_BOUNDS, bounded_decimal, id_text, is_absent, is_bounded, shown
from service.core.markets import MATH
from service.core.refusals import FieldError

_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,9})?")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_BOOLEANS = {"true": True, "false": False}
_MS_FROM = 100_000_000_000  # as seconds that is the year 5138, as milliseconds 1973: neither is taken
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_NS = int(datetime(2000, 1, 1, tzinfo=UTC).timestamp()) * 1_000_000_000
_END_NS = int(datetime(2101, 1, 1, tzinfo=UTC).timestamp()) * 1_000_000_000
_YEARS = range(1999, 2103)  # a day around what is taken, for the offset; beyond them datetime cannot subtract
_MICROSECOND = timedelta(microseconds=1)
_TIME_FORMATS = "seconds or milliseconds since 1970, or ISO 8601 such as 2026-01-31T12:00:00Z"

_T = TypeVar("_T")


class FieldReader:
    """One pass over a document; results are None where a field is absent or wrong, and then `errors` tells which.

    `nan_replaced` and `operations` are as in `alerts.ParsedAlert`.
    """

    __slots__ = ("document", "errors", "nan_replaced", "operations")

    def __init__(self, document: Mapping[str, object]) -> None:
        self.document = document
        self.errors: list[FieldError] = []
        self.nan_replaced: list[str] = []
        self.operations: list[str] = []

    def error(self, field: str, kind: str, message: str) -> None:
        """Note what is wrong; `kind` is a label, see `FieldError`."""
        self.errors.append(FieldError(field, kind, message))

    def amount(self, field: str, *, at_most: Decimal | None = None, zero: bool = False) -> Decimal | None:
        """A number above 0 (`zero`: or 0) that decides about money: NaN, infinite, null and empty are errors here."""
        if field not in self.document:
            return None
        value = self.document[field]
        if is_absent(value):
            self.error(field, "not_a_number", f"is {shown(value)}, expected a number; leave the field out if unused")
            return None
        return self._number(field, value, above=not zero, at_most=at_most)

    def optional_number(self, field: str, *, above: bool, at_most: Decimal | None = None) -> Decimal | None:
        """A number from 0 (`above`: more than 0) whose NaN, infinite or empty value counts as absent."""
        value = self.document.get(field)
        if value is None or self._replaced(field, value):
            return None
        return self._number(field, value, above=above, at_most=at_most)

    def choice(self, field: str, choices: Mapping[str, _T]) -> _T | None:
        """One of the lower-case words in `choices`, in any case. A word that is not there is never guessed."""
        value = self.document.get(field)
        if isinstance(value, str):
            word = value.strip()
            chosen = choices.get(word) or choices.get(word.lower())
            if chosen is not None:
                if word not in choices:
                    self.operations.append("enum_case")
                return chosen
        if value is None:
            self.error(field, "missing", f"expected one of {', '.join(choices)}")
        else:
            self.error(field, "range", f"is {shown(value)}, expected one of {', '.join(choices)}")
        return None

    def boolean(self, field: str) -> bool | None:
        """True or false, also as text in any case; empty is an error, because it hides what was meant."""
        value = self.document.get(field)
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, str):
            word = value.strip().lower()
            if word in _BOOLEANS:
                return _BOOLEANS[word]
        self.error(field, "type", f"is {shown(value)}, expected true or false")
        return None

    def text(self, field: str, limit: int) -> str | None:
        """A string of at most `limit` characters without control characters; empty counts as absent."""
        value = self.document.get(field)
        if _is_empty(value):
            return None
        if not isinstance(value, str):
            self.error(field, "type", f"is {shown(value)}, expected a string")
            return None
        return self._checked_text(field, value, limit)

    def label(self, field: str, limit: int) -> str | None:
        """Like `text`, but a number is taken as its digits, and what a placeholder left as NaN as absent."""
        value = self.document.get(field)
        if _is_empty(value) or self._replaced(field, value):
            return None
        text = id_text(value)
        if text is None:
            self.error(field, "type", f"is {shown(value)}, expected a string or a number")
            return None
        return self._checked_text(field, text, limit)

    def time(self, field: str) -> int | None:
        """Unix nanoseconds of a time in the years 2000 to 2100.

        Taken are seconds or milliseconds since 1970 (numbers or texts) and ISO 8601, which is UTC where it has no
        offset. Digits beyond the microsecond of ISO 8601 are cut.
        """
        value = self.document.get(field)
        if value is None or self._replaced(field, value):
            return None
        nanoseconds = _time_ns(value)
        if nanoseconds is None:
            self.error(field, "type", f"is {shown(value)}, expected {_TIME_FORMATS}")
            return None
        if not _FIRST_NS <= nanoseconds < _END_NS:
            self.error(field, "range", f"is {shown(value)}, which is not in the years 2000 to 2100 as {_TIME_FORMATS}")
            return None
        self.operations.append("timestamp")
        return nanoseconds

    def _replaced(self, field: str, value: object) -> bool:
        if not is_absent(value):
            return False
        self.nan_replaced.append(field)
        self.operations.append("nan_replaced")
        return True

    def _checked_text(self, field: str, text: str, limit: int) -> str | None:
        if len(text) > limit:
            self.error(field, "range", f"has {len(text)} characters, at most {limit} are allowed")
        elif _CONTROL.search(text):
            self.error(field, "range", "has control characters (such as line breaks); leave them out")
        else:
            return text
        return None

    def _number(self, field: str, value: object, *, above: bool, at_most: Decimal | None) -> Decimal | None:
        if isinstance(value, str):
            text = value.strip()
            if not _NUMBER.fullmatch(text):
                self.error(field, "type", f"is {shown(value)}, expected a plain number such as 1234.5")
                return None
            self.operations.append("number_from_string")
            number = bounded_decimal(text)
        elif isinstance(value, (int, Decimal)) and not isinstance(value, bool):
            number = Decimal(value)
            number = number if is_bounded(number) else None
        else:
            self.error(field, "type", f"is {shown(value)}, expected a number")
            return None
        if number is None:
            self.error(field, "range", f"is {shown(value)}, out of range: {NUMBER_BOUNDS}")
        elif number < 0 or (above and not number) or (at_most is not None and number > at_most):
            limits = ("more than 0" if above else "0 or more") + ("" if at_most is None else f" and at most {at_most}")
            self.error(field, "range", f"is {shown(value)}, expected {limits}")
        else:
            return number
        return None


def _is_empty(value: object) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


def _time_ns(value: object) -> int | None:
    if isinstance(value, str):
        text = value.strip()
        if not _NUMBER.fullmatch(text):
            return _iso_ns(text)
        number = bounded_decimal(text)
    elif isinstance(value, (int, Decimal)) and not isinstance(value, bool):
        number = Decimal(value)
        number = number if is_bounded(number) else None
    else:
        return None
    if number is None:
        return -1
    return int(MATH.scaleb(number, 9 if abs(number) < _MS_FROM else 6))


def _iso_ns(text: str) -> int | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    if moment.year not in _YEARS:
        return -1
    moment = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return (moment - _EPOCH) // _MICROSECOND * 1000
