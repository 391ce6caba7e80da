"""An exchange's own answer for missing funds: a key of its class's exception map, put where the class looks for it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from ccxt.base.errors import BaseError, InsufficientFunds

from service.core.outcomes import CodeKind, RejectReason
from service.exchanges.ccxt.profile import Profile

_STATUSES = (400, 200, 422)
_UNKNOWN_TEXT, _UNKNOWN_NUMBER = "FILLPATH_UNKNOWN", "98765432"


class Funds(NamedTuple):
    """An answer that the class takes for missing funds; `unknown` is the same with a code that no map has.

    `whole`: the key is a code of the exchange's own, matched as a whole; else it is a part of a text. `certain`: it is
    whole, or the profile lists it as a refusal.
    """

    key: str
    status: int
    body: str
    unknown: str
    whole: bool
    certain: bool


def funds_of(api: Any, profile: Profile, url: str) -> Funds | None:
    """The first that is found, certain ones before others; None where no key in any place is taken so."""
    for key, whole, certain in sorted(_keys(api, profile), key=lambda found: not found[2]):
        for status in _STATUSES:
            for shape in _shapes(key):
                body = json.dumps(shape)
                if _raises(api, url, status, body):
                    word = _UNKNOWN_NUMBER if key.lstrip("-").isdigit() else _UNKNOWN_TEXT
                    return Funds(key, status, body, body.replace(key, word), whole, certain)
    return None


def _keys(api: Any, profile: Profile) -> list[tuple[str, bool, bool]]:
    exceptions = api.exceptions or {}
    return [
        (key, exact, _certain(profile, key, exact=exact))
        for key, kind, exact in _entries(exceptions, exact=not _has_parts(exceptions))
        if issubclass(kind, InsufficientFunds)
    ]


def _has_parts(exceptions: Mapping[str, Any]) -> bool:
    return any(isinstance(value, Mapping) for value in exceptions.values())


def _entries(part: Mapping[str, Any], *, exact: bool) -> Iterator[tuple[str, type[Exception], bool]]:
    """Keys of nested maps; ccxt calls those that match as a whole `exact`, and parts of a text `broad`."""
    for key, value in part.items():
        if isinstance(value, Mapping):
            yield from _entries(value, exact=key == "exact" or (exact and key != "broad"))
        elif isinstance(value, type):
            yield str(key), value, exact


def _certain(profile: Profile, key: str, *, exact: bool) -> bool:
    listed = profile.codes.get(key)
    if listed is None:
        return exact
    return listed.kind is CodeKind.REFUSED and listed.reason is RejectReason.INSUFFICIENT_FUNDS


def _raises(api: Any, url: str, status: int, body: str) -> bool:
    try:
        api.handle_errors(status, "", url, "POST", {}, body, json.loads(body), {}, "")
    except InsufficientFunds:
        return True
    except (BaseError, TypeError, ValueError, LookupError, ArithmeticError, AttributeError):
        return False
    return False


def _shapes(key: str) -> Iterator[Any]:
    """Where classes look: names and places of an error's code or words, with what stands beside them."""
    for value in (key, int(key)) if key.lstrip("-").isdigit() else (key,):
        yield from _flat(value)
        yield from _nested(value)


def _flat(value: str | int) -> Iterator[dict[str, Any]]:
    names = (
        *("code", "msg", "message", "error", "errors", "reason", "label", "type", "status", "name", "errorMsg"),
        *("errorCode", "error_code", "err_code", "err-code", "retCode", "ret_code", "result_code", "statusCode"),
        *("returnCode", "errorMessage", "error_message", "ErrorMessage", "Message", "errormsg", "detail", "rc", "mc"),
        *("success", "result", "description", "error_description", "failure_reason", "status_msg", "statusMessage"),
        *("err_msg", "errCode", "errmsg", "errorData", "reject_reason", "title"),
    )
    besides: tuple[dict[str, Any], ...] = (
        {},
        {"success": False},
        {"status": "error"},
        {"result": False},
        {"result": "false"},
        {"success": 0},
        {"code": 1},
        {"code": "1"},
        {"error": True},
        {"status": False},
        {"result": "error"},
        {"status": "failed"},
        {"status_code": 400},
        {"errors": []},
    )
    for name in names:
        for beside in besides:
            yield beside | {name: value}


def _nested(value: str | int) -> Iterator[dict[str, Any]]:
    inner = {"code": value, "message": value, "sCode": value, "sMsg": value, "error": value, "msg": value, "err": value}
    besides: tuple[dict[str, Any], ...] = ({}, {"success": False}, {"code": "1", "msg": ""}, {"status": "error"})
    for name in ("error", "data", "errors", "result", "meta", "status", "response", "sendStatus", "error_response"):
        for beside in besides:
            yield beside | {name: inner}
            yield beside | {name: [inner]}
            yield beside | {name: [value]}
            yield beside | {name: {"base": [value], "all": [value], "__all__": [value], "error": [inner]}}
    yield {"success": False, "error_response": {"error": value, "preview_failure_reason": value}}
    yield {"status": "error", "response": {"type": "order", "data": {"statuses": [{"error": value}]}}}
    yield {"status": "ok", "response": {"type": "order", "data": {"statuses": [{"error": value}]}}}
    yield {"header": {"message": value}, "body": {"code": value}}
