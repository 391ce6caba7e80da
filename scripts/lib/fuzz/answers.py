"""Reads what comes back, strictly, and says what is wrong with it."""

from __future__ import annotations

import json
import re
from typing import NamedTuple

from scripts.lib.fuzz.cases import Case
from service.core.refusals import DenialReason

PUBLIC_REASONS = frozenset(reason.value for reason in DenialReason) | {"not_found", "method_not_allowed"}
OPERATOR_REASONS = PUBLIC_REASONS | {
    "unknown_order",
    "order_done",
    "unknown_account",
    "evidence_missing",
    "impossible_status",
    "impossible_quantity",
    "impossible_price",
    "not_in_doubt",
    "unknown_level",
    "invalid_body",
    "unknown_parameter",
    "unknown_status",
    "invalid_limit",
}
PASSING = frozenset({"rate_limited", "overloaded", "no_market_data"})
"""Reasons with which a 503 is right while nothing is broken."""

_HEAD = re.compile(
    rb"HTTP/1\.1 ([1-5][0-9]{2}) [A-Za-z' -]+\r\n((?:[!#$%&'*+.^_`|~0-9A-Za-z-]+: [^\x00-\x08\x0a-\x1f\x7f]*\r\n)*)\r\n"
)
_CONTINUE = 100
_ERROR = 400
_SERVER_ERROR = 500
_UNAVAILABLE = 503
_SUCCESS = range(200, 300)
_REDIRECT = range(300, 400)
_PROBLEM = "application/problem+json"


class Answer(NamedTuple):
    """One final answer; `document` is its JSON, None where there is none."""

    status: int
    headers: dict[str, str]
    body: bytes
    document: dict[str, object] | None

    @property
    def accepted(self) -> bool:
        return self.status in _SUCCESS and self.document is not None and "order_id" in self.document


class NotHttp(Exception):  # noqa: N818 - named for what is the case
    """What came back cannot be read."""


class Reader:
    """The answers in what was received, one by one."""

    def __init__(self, received: bytes) -> None:
        self._received = received
        self._at = 0

    @property
    def left(self) -> bytes:
        return self._received[self._at :]

    def next(self, *, head: bool = False) -> Answer | None:
        """None where nothing more came; raises NotHttp. `head`: the answer to HEAD, which has no body."""
        while self._at < len(self._received):
            found = _HEAD.match(self._received, self._at)
            if found is None:
                raise NotHttp(f"no answer of HTTP: {self.left[:200]!r}")
            self._at = found.end()
            if int(found[1]) > _CONTINUE:
                return self._whole(int(found[1]), found[2], head=head)
        return None

    def _whole(self, status: int, fields: bytes, *, head: bool) -> Answer:
        lines = fields.decode("latin-1").split("\r\n")[:-1]
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        if len(headers) != len(lines):
            raise NotHttp(f"a header stands twice: {lines}")
        if not headers.get("content-length", "").isdecimal():
            raise NotHttp(f"no length: {lines}")
        size = 0 if head else int(headers["content-length"])
        body = self._received[self._at : self._at + size]
        if len(body) < size:
            raise NotHttp(f"{len(body)} of {size} bytes came")
        self._at += size
        is_json = headers.get("content-type", "").endswith("json") and not head
        try:
            document = json.loads(body) if is_json else None
        except ValueError as error:
            raise NotHttp(f"a body that is not the JSON it says: {error}: {body[:200]!r}") from None
        return Answer(status, headers, body, document)


def faults(case: Case, answer: Answer) -> list[str]:
    """What this answer may not be."""
    found = []
    if answer.status in _REDIRECT:
        found.append("a redirect")
    if answer.accepted and not case.may_accept:
        found.append("what nobody may send was accepted")
    if case.must_accept and not answer.accepted and not _passes(answer):
        found.append("an alert that nothing is wrong with was not accepted")
    if answer.status >= _ERROR and not case.head:
        found += _refusal_faults(case, answer)
    elif answer.status >= _SERVER_ERROR and answer.status != _UNAVAILABLE:
        found.append("a server error")
    return found


def _passes(answer: Answer) -> bool:
    return answer.status == _UNAVAILABLE and (answer.document or {}).get("reason") in PASSING


def _refusal_faults(case: Case, answer: Answer) -> list[str]:
    document = answer.document or {}
    reason = document.get("reason")
    found = []
    if answer.headers.get("content-type") != _PROBLEM or document.get("status") != answer.status:
        found.append("a refusal that is no problem document")
    if reason not in (OPERATOR_REASONS if case.operator else PUBLIC_REASONS):
        found.append(f"a reason that is not on the list: {reason}")
    if answer.status >= _SERVER_ERROR and not (_passes(answer) and "retry-after" in answer.headers):
        found.append("a server error")
    return found
