"""A short share of `python -m scripts.lib.fuzz`: hostile input against a real process; and that its judge can tell."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from scripts.lib.fuzz.__main__ import fuzz
from scripts.lib.fuzz.alerts import Alerts, Secrets
from scripts.lib.fuzz.answers import NotHttp, Reader, faults
from scripts.lib.fuzz.cases import Case
from scripts.lib.fuzz.heads import Heads

SEED = 7
CASE = Case("test", b"")
ALERT = CASE._replace(may_accept=True, must_accept=True)
PROBLEM = "application/problem+json"


def answer(status: int, document: object, kind: str = PROBLEM, *fields: str) -> bytes:
    body = json.dumps(document).encode()
    lines = [f"HTTP/1.1 {status} Words", f"content-type: {kind}", f"content-length: {len(body)}", *fields]
    return "\r\n".join([*lines, "", ""]).encode() + body


def judged(case: Case, received: bytes) -> list[str]:
    found = Reader(received).next(head=case.head)
    assert found is not None
    return faults(case, found)


def test_hostile_input_hurts_nobody(tmp_path: Path) -> None:
    report = fuzz(requests=4_000, seed=SEED, slow_seconds=5, most_seconds=15, folder=tmp_path)

    assert report["findings"] == []
    assert report["requests"] > 500
    assert report["acknowledged"] > 10
    assert report["sender"]["acknowledged"] > 10
    assert report["held"]["opened"] > 400


@pytest.mark.parametrize(
    ("case", "received", "said"),
    [
        pytest.param(CASE, answer(200, {"order_id": "a"}, "application/json"), "accepted", id="accepted"),
        pytest.param(ALERT, answer(401, {"status": 401, "reason": "signature"}), "not accepted", id="not accepted"),
        pytest.param(CASE, answer(307, {}, "application/json"), "redirect", id="redirect"),
        pytest.param(CASE, answer(500, {"status": 500, "reason": "internal"}), "server error", id="500"),
        pytest.param(CASE, answer(503, {"status": 503, "reason": "overloaded"}), "server error", id="no Retry-After"),
        pytest.param(CASE, answer(400, {"status": 400, "reason": "other"}), "not on the list", id="unknown reason"),
        pytest.param(CASE, answer(400, {"status": 400, "reason": "malformed"}, "text/json"), "problem", id="plain"),
        pytest.param(CASE, answer(400, {"status": 401, "reason": "malformed"}), "problem", id="two statuses"),
    ],
)
def test_the_judge_sees_a_wrong_answer(case: Case, received: bytes, said: str) -> None:
    assert said in " ".join(judged(case, received))


def test_the_judge_takes_what_is_right() -> None:
    overloaded = answer(503, {"status": 503, "reason": "overloaded"}, PROBLEM, "retry-after: 5")
    assert judged(CASE, answer(401, {"status": 401, "reason": "signature"})) == []
    assert judged(ALERT, answer(202, {"order_id": "a"}, "application/json")) == []
    assert judged(ALERT, overloaded) == []


@pytest.mark.parametrize(
    "received",
    [
        b"junk",
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-type: application/json\r\n\r\n{",
        b"HTTP/1.1 200 OK\r\nx: a\x00\r\ncontent-length: 0\r\n\r\n",
    ],
)
def test_the_reader_takes_nothing_that_is_not_http(received: bytes) -> None:
    with pytest.raises(NotHttp):
        Reader(received).next()


def test_the_same_seed_sends_the_same_bytes_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.time", lambda: 1_800_000_000.0)

    def sent() -> list[Case]:
        chance = random.Random(SEED)
        alerts = Alerts(chance, Secrets("token", b"s" * 32, b"h" * 32, "operator"), "run")
        heads = Heads(chance, alerts)
        return [alerts.make() for _ in range(200)] + [heads.make() for _ in range(50)]

    assert sent() == sent()
