"""The faults, as data: what the exchange does with an order, and what it answers."""

from __future__ import annotations

import json
from collections.abc import Callable
from enum import Enum, StrEnum, auto
from typing import Any, NamedTuple

from scripts.lib.ccxt_matrix.funds import Funds
from scripts.lib.ccxt_matrix.rules import Verdict
from scripts.lib.ccxt_matrix.wire import MOVED, Answer, Break, Reply


class Where(StrEnum):
    """What the class is pointed at."""

    SERVER = "server"
    NOBODY = "a port where nobody listens"
    NOWHERE = "a name without an address"


class Does(Enum):
    """What the exchange does with an order that meets the fault.

    AS_DOCUMENTED: it executes it, unless the profile has a document by which such an answer proves the contrary.
    UNLESS_CERTAIN: it executes it where the words for missing funds are a part of a text only, which proves nothing.
    """

    EXECUTES = auto()
    NOTHING = auto()
    AS_DOCUMENTED = auto()
    UNLESS_CERTAIN = auto()


class Words(NamedTuple):
    """One class's answers as JSON; None where none is known. `with_id` carries the exchange's id."""

    url: str
    with_id: str | None
    without_id: str | None
    empty_id: str | None
    funds: Funds | None


class Fault(NamedTuple):
    """`answer` gives None for a class that the fault does not apply to. `must`: the one right verdict, if there is one.

    `hangs`: ended by a short time-out. `reused`: it meets a connection that was used before. `in_words`: the exchange
    refuses in words of its own.
    """

    name: str
    does: Does
    answer: Callable[[Words], Answer | None]
    must: Verdict | None = None
    where: Where = Where.SERVER
    hangs: bool = False
    reused: bool = False
    in_words: bool = False


_HTML = "<html><body><h1>{}</h1><p>insufficient funds, order not found, Insufficient balance</p></body></html>"


def _always(answer: Answer) -> Callable[[Words], Answer]:
    return lambda _: answer


def _page(status: int, title: str) -> Callable[[Words], Answer]:
    return _always(Reply(status, _HTML.format(title), kind="text/html"))


def _json(status: int, value: Any, *headers: str) -> Callable[[Words], Answer]:
    return _always(Reply(status, json.dumps(value), headers))


def _moved(status: int) -> Callable[[Words], Answer]:
    return lambda words: Reply(status, "", (f"Location: {words.url}{MOVED}",))


def _ok(words: Words) -> Reply:
    return Reply(body=words.with_id or '{"status": "ok"}')


def _truncated(words: Words) -> Reply:
    """Valid HTTP around half of the JSON."""
    whole = words.with_id or '{"status": "ok"}'
    return Reply(body=whole[: len(whole) // 2])


def _cut(words: Words) -> Reply:
    """Half of what was announced, then the connection closes."""
    whole = words.with_id or '{"status": "ok"}'
    half = len(whole) // 2
    return Reply(body=whole[:half], missing=len(whole) - half)


def _in_trouble(words: Words) -> Reply:
    """A gateway that repeats an earlier answer: no such status comes with an order that was taken."""
    return _ok(words)._replace(status=502)


def _without_id(words: Words) -> Reply | None:
    return None if words.without_id is None else Reply(body=words.without_id)


def _empty_id(words: Words) -> Reply | None:
    return None if words.empty_id is None else Reply(body=words.empty_id)


def _no_funds(words: Words) -> Reply | None:
    return None if words.funds is None else Reply(words.funds.status, words.funds.body)


def _no_funds_in_trouble(words: Words) -> Reply | None:
    """A gateway that repeats the exchange's words does not know what became of the order."""
    return None if words.funds is None else Reply(502, words.funds.body)


def _no_funds_in_html(words: Words) -> Reply | None:
    if words.funds is None:
        return None
    return Reply(body=f"<html><body>{words.funds.key}</body></html>", kind="text/html")


def _longer(words: Words) -> Reply | None:
    """Another code, which begins like the one for missing funds."""
    if words.funds is None or not words.funds.whole:
        return None
    return Reply(words.funds.status, words.funds.body.replace(words.funds.key, f"{words.funds.key}0x"))


def _unknown(words: Words) -> Reply:
    if words.funds is None:
        return Reply(400, '{"code": "FILLPATH_UNKNOWN", "error": "FILLPATH_UNKNOWN"}')
    return Reply(words.funds.status, words.funds.unknown)


_TEAPOT = {"message": "something that no document mentions"}

_DONE, _NOT, _AS_DOCUMENTED = Does.EXECUTES, Does.NOTHING, Does.AS_DOCUMENTED

NO_FAULT = Fault("no fault", _DONE, _ok, must=Verdict.ACCEPTED)

PLACING = (
    NO_FAULT,
    Fault("connection refused", _NOT, _ok, must=Verdict.NOT_EXECUTED, where=Where.NOBODY),
    Fault("host without an address", _NOT, _ok, must=Verdict.NOT_EXECUTED, where=Where.NOWHERE),
    Fault("hangs, not executed", _NOT, _always(Break.HANG), hangs=True),
    Fault("hangs, executed", _DONE, _always(Break.HANG), hangs=True),
    Fault("closed, not executed", _NOT, _always(Break.CLOSE)),
    Fault("closed, executed", _DONE, _always(Break.CLOSE)),
    Fault("kept-alive connection closed, executed", _DONE, _always(Break.CLOSE), reused=True),
    Fault("kept-alive connection closed, not executed", _NOT, _always(Break.CLOSE), reused=True),
    Fault("reset, executed", _DONE, _always(Break.RESET)),
    Fault("302, executed", _DONE, _moved(302)),
    Fault("307, executed", _DONE, _moved(307)),
    Fault("308, executed", _DONE, _moved(308)),
    Fault("502, executed", _DONE, _page(502, "Bad Gateway")),
    Fault("503, not executed", _NOT, _page(503, "Service Unavailable")),
    Fault("HTML with 200, executed", _DONE, _page(200, "Just a moment...")),
    Fault("HTML with 200, not executed", _NOT, _page(200, "Just a moment...")),
    Fault("HTML with 524, executed", _DONE, _page(524, "A timeout occurred")),
    Fault("429 with Retry-After", _AS_DOCUMENTED, _json(429, _TEAPOT, "Retry-After: 1")),
    Fault("418", _AS_DOCUMENTED, _json(418, _TEAPOT)),
    Fault("empty 200, executed", _DONE, _always(Reply(body=""))),
    Fault("truncated JSON, executed", _DONE, _truncated),
    Fault("body cut short, executed", _DONE, _cut),
    Fault("{} with 200, executed", _DONE, _json(200, {})),
    Fault("[] with 200, executed", _DONE, _json(200, [])),
    Fault("null with 200, executed", _DONE, _json(200, None)),
    Fault("success with 502, not executed", _NOT, _in_trouble),
    Fault("success without an id, executed", _DONE, _without_id),
    Fault("success with an empty id, executed", _DONE, _empty_id),
    Fault("missing funds, in the exchange's words", Does.UNLESS_CERTAIN, _no_funds, in_words=True),
    Fault("the same words with 502, executed", _DONE, _no_funds_in_trouble),
    Fault("the same words in HTML with 200, executed", _DONE, _no_funds_in_html),
    Fault("a code that begins like theirs, executed", _DONE, _longer),
    Fault("unknown code, executed", _DONE, _unknown),
    Fault("unknown JSON with 400, executed", _DONE, _json(400, _TEAPOT)),
    Fault("unknown JSON with 403, executed", _DONE, _json(403, _TEAPOT)),
    Fault("unknown JSON with 404, executed", _DONE, _json(404, _TEAPOT)),
    Fault("HTML with 403, executed", _DONE, _page(403, "Forbidden")),
)

LOOKING_UP = (
    Fault("connection refused", _NOT, _ok, where=Where.NOBODY),
    Fault("hangs", _NOT, _always(Break.HANG), hangs=True),
    Fault("closed", _NOT, _always(Break.CLOSE)),
    Fault("reset", _NOT, _always(Break.RESET)),
    Fault("302", _NOT, _moved(302)),
    Fault("307", _NOT, _moved(307)),
    Fault("308", _NOT, _moved(308)),
    Fault("502", _NOT, _page(502, "Bad Gateway")),
    Fault("503 with JSON", _NOT, _json(503, _TEAPOT)),
    Fault("HTML with 200", _NOT, _page(200, "Just a moment...")),
    Fault("HTML with 404", _NOT, _page(404, "Not Found")),
    Fault("HTML with 524", _NOT, _page(524, "A timeout occurred")),
    Fault("429", _NOT, _json(429, _TEAPOT, "Retry-After: 1")),
    Fault("empty 200", _NOT, _always(Reply(body=""))),
    Fault("empty 404", _NOT, _always(Reply(404, ""))),
    Fault("truncated JSON", _NOT, _truncated),
    Fault("body cut short", _NOT, _cut),
    Fault("{} with 200", _NOT, _json(200, {})),
    Fault("[] with 200", _NOT, _json(200, [])),
    Fault("null with 200", _NOT, _json(200, None)),
    Fault("unknown JSON with 200", _NOT, _json(200, _TEAPOT)),
    Fault("unknown JSON with 404", _NOT, _json(404, _TEAPOT)),
    Fault("unknown code", _NOT, _unknown),
)
"""What may meet a look-up; nothing of it says that there is no such order."""
