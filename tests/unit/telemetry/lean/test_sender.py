"""Sending: OTLP's rules of trying again, bounded queues, nothing that blocks, and every loss counted."""

from __future__ import annotations

import socket
import threading
import time
from email.utils import formatdate
from threading import Event
from typing import Any

import pytest
from opentelemetry import context as otel_context
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from telemetry.lean import sender as sending
from telemetry.lean.batching import Queue, Sizes, sizes
from telemetry.lean.reading import fields
from telemetry.lean.sender import SUPPRESSED, Poster, poster
from telemetry.series import Drops
from tests.support.receivers import BOUND, Receiver, wait_until

TRACES = "/v1/traces"


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "_FIRST_BACKOFF", 0.01)


def posting(receiver: Receiver, **environ: str) -> Poster:
    found = poster("traces", receiver.url, environ)
    assert found is not None
    return found


def soon(seconds: float = BOUND) -> float:
    return time.monotonic() + seconds


@pytest.mark.parametrize("status", [200, 202, 204])
def test_a_success_is_a_success(receiver: Receiver, status: int) -> None:
    receiver.status = status

    assert posting(receiver).post(b"body", soon())
    assert receiver.bodies[TRACES] == [b"body"]
    assert receiver.headers[0]["content-type"] == "application/x-protobuf"


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_what_passes_is_tried_again(receiver: Receiver, status: int) -> None:
    receiver.script = [(status, {}, b""), (status, {}, b"")]

    assert posting(receiver).post(b"body", soon())
    assert receiver.bodies[TRACES] == [b"body"] * 3


@pytest.mark.parametrize("status", [400, 401, 404, 413, 500, 501, 307])
def test_what_stays_is_not_tried_again(receiver: Receiver, status: int) -> None:
    receiver.script = [(status, {"Location": f"{receiver.url}/v1/logs"}, b"")]

    assert not posting(receiver).post(b"body", soon())
    assert sum(map(len, receiver.bodies.values())) == 1


@pytest.mark.parametrize("header", ["0.3", "soon", "-1", None])
def test_the_receivers_word_about_waiting_is_kept(receiver: Receiver, header: str | None) -> None:
    receiver.script = [(503, {} if header is None else {"Retry-After": header}, b"")]
    started = time.monotonic()

    assert posting(receiver).post(b"body", soon())
    assert (time.monotonic() - started >= 0.3) == (header == "0.3")


def test_a_date_to_wait_for_is_kept(receiver: Receiver) -> None:
    receiver.script = [(503, {"Retry-After": formatdate(time.time() + 3600, usegmt=True)}, b"")]

    assert not posting(receiver).post(b"body", soon(2))
    assert len(receiver.bodies[TRACES]) == 1


def test_a_wait_beyond_the_deadline_is_not_begun(receiver: Receiver) -> None:
    receiver.script = [(503, {"Retry-After": "3600"}, b"")]
    started = time.monotonic()

    assert not posting(receiver).post(b"body", soon(5))
    assert time.monotonic() - started < 4


def test_trying_again_ends_at_the_deadline(receiver: Receiver) -> None:
    receiver.status = 503

    assert not posting(receiver).post(b"body", soon(0.2))
    assert len(receiver.bodies[TRACES]) > 1


def test_no_time_means_no_attempt(receiver: Receiver) -> None:
    assert not posting(receiver).post(b"body", time.monotonic())
    assert receiver.bodies[TRACES] == []


def test_a_receiver_that_is_not_there_is_tried_again_until_it_is(receiver: Receiver) -> None:
    receiver.close()

    assert not posting(receiver).post(b"body", soon(0.3))


def test_hurry_ends_a_wait(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "_FIRST_BACKOFF", 60.0)
    receiver.status = 503
    post = posting(receiver)
    answers: list[bool] = []
    thread = threading.Thread(target=lambda: answers.append(post.post(b"body", soon(300))))
    thread.start()
    wait_until(lambda: bool(receiver.bodies[TRACES]))

    post.hurry()
    thread.join(BOUND)

    assert answers == [False]


def test_what_a_receiver_took_only_in_part_is_counted(receiver: Receiver) -> None:
    answer = ExportTraceServiceResponse()
    answer.partial_success.rejected_spans = 3
    answer.partial_success.error_message = "no"
    receiver.script = [(200, {}, answer.SerializeToString()), (200, {}, b"\xff"), (200, {}, b"{}")]
    drops = Drops()
    post = poster("traces", receiver.url, {}, drops)
    assert post is not None

    assert [post.post(b"body", soon()) for _ in range(3)] == [True] * 3
    assert drops.snapshot() == {("traces", "export_failed"): 3}


@pytest.mark.parametrize("name", ["gzip", "deflate", "none", "", "unheard of"])
def test_compression(receiver: Receiver, name: str) -> None:
    post = posting(receiver, OTEL_EXPORTER_OTLP_COMPRESSION=name)

    assert post.post(b"body" * 100, soon())
    assert receiver.bodies[TRACES] == [b"body" * 100]
    assert receiver.headers[0].get("content-encoding") == (name if name in {"gzip", "deflate"} else None)


def test_a_signals_own_settings_win(receiver: Receiver) -> None:
    environ = {
        "OTEL_EXPORTER_OTLP_HEADERS": "x-tenant=red,x-all=1",
        "OTEL_EXPORTER_OTLP_TRACES_HEADERS": "x-tenant=dark%20blue",
        "OTEL_EXPORTER_OTLP_TIMEOUT": "3",
        "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT": "4.5",
    }
    post = posting(receiver, **environ)

    assert post.post(b"body", soon())
    assert receiver.headers[0]["x-tenant"] == "dark blue"
    assert "x-all" not in receiver.headers[0]
    assert post.timeout == 4.5


def test_certificates_come_from_the_environment(receiver: Receiver) -> None:
    environ = {
        "OTEL_EXPORTER_OTLP_CERTIFICATE": "/ca.pem",
        "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE": "/cert.pem",
        "OTEL_EXPORTER_OTLP_CLIENT_KEY": "/key.pem",
    }
    post = posting(receiver, **environ)

    assert (post._session.verify, post._session.cert) == ("/ca.pem", ("/cert.pem", "/key.pem"))
    assert post._settings["verify"] == "/ca.pem"
    del environ["OTEL_EXPORTER_OTLP_CLIENT_KEY"]
    assert posting(receiver, **environ)._session.cert == "/cert.pem"
    # A certificate that is not there costs the export, and nothing else.
    assert not post.post(b"body", soon())


@pytest.mark.parametrize("text", ["x", "0", "-1", "inf", "nan"])
def test_a_time_out_that_is_none_counts_as_not_set(receiver: Receiver, text: str) -> None:
    assert posting(receiver, OTEL_EXPORTER_OTLP_TIMEOUT=text).timeout == 10


def test_no_endpoint_means_no_poster() -> None:
    assert poster("traces", None, {}) is None


def test_only_what_is_unencrypted_and_near_goes_without_requests(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert posting(receiver)._direct is not None
    assert Poster("https://127.0.0.1:9/v1/traces", {})._direct is None

    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "")

    assert posting(receiver)._direct is None


def test_a_kept_connection_that_broke_is_opened_again() -> None:
    receiver = Receiver(keeps_connections=True)
    post = posting(receiver)
    assert post.post(b"one", soon())
    assert post._direct is not None
    kept = post._direct._socket
    assert post.post(b"two", soon())
    assert post._direct._socket is kept
    assert kept is not None
    kept.shutdown(socket.SHUT_RDWR)

    assert post.post(b"three", soon())

    assert receiver.bodies[TRACES] == [b"one", b"two", b"three"]
    post.close()
    receiver.close()


def test_an_answer_without_end_is_left_and_its_connection_too() -> None:
    receiver = Receiver(keeps_connections=True)
    receiver.script = [(200, {}, bytes(1_000_000))]
    post = posting(receiver)

    assert post.post(b"one", soon())
    assert post.post(b"two", soon())

    assert receiver.bodies[TRACES] == [b"one", b"two"]
    post.close()
    receiver.close()


def test_sending_is_not_instrumented(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    post = posting(receiver)
    seen: list[Any] = []
    send = post._send
    monkeypatch.setattr(post, "_send", lambda *a: (seen.append(otel_context.get_value(SUPPRESSED)), send(*a))[1])

    post.post(b"body", soon())

    assert seen == [True]
    assert otel_context.get_value(SUPPRESSED) is None


class Gate:
    """A sender that takes what it is given once it is open."""

    timeout = 10.0

    def __init__(self, *, is_open: bool = True) -> None:
        self.bodies: list[bytes] = []
        self.threads: set[str] = set()
        self.opened = Event()
        self.hurried = Event()
        if is_open:
            self.opened.set()

    def post(self, body: bytes, deadline: float) -> bool:
        self.threads.add(threading.current_thread().name)
        self.opened.wait(max(0.0, deadline - time.monotonic()))
        self.bodies.append(body)
        return self.opened.is_set()

    def hurry(self) -> None:
        self.hurried.set()

    def close(self) -> None:
        pass


def queue_before(gate: Gate, drops: Drops, size: Sizes) -> Queue[bytes]:
    return Queue("traces", b" ".join, gate, drops, size)


def test_items_leave_in_order_after_their_delay_from_a_thread_of_their_own() -> None:
    gate, drops = Gate(), Drops()
    queue = queue_before(gate, drops, Sizes(100, 50, 0.02))

    for item in (b"a", b"b", b"c"):
        queue.put(item)

    wait_until(lambda: b" ".join(gate.bodies) == b"a b c")
    assert gate.threads == {"fillpath-traces"}
    queue.close(BOUND)
    assert drops.snapshot() == {}


def test_a_full_batch_leaves_at_once() -> None:
    gate = Gate()
    queue = queue_before(gate, Drops(), Sizes(100, 2, 3600))

    for item in (b"a", b"b", b"c"):
        queue.put(item)

    wait_until(lambda: gate.bodies == [b"a b"])
    assert queue.waiting == 1
    queue.close(BOUND)
    assert gate.bodies == [b"a b", b"c"]


def test_a_receiver_that_stands_still_blocks_nobody_and_takes_no_more_room() -> None:
    gate, drops = Gate(is_open=False), Drops()
    queue = queue_before(gate, drops, Sizes(10, 5, 0.01))
    queue.put(b"first")
    wait_until(lambda: bool(gate.threads))
    started = time.monotonic()

    for n in range(1000):
        queue.put(str(n).encode())

    assert time.monotonic() - started < 2
    assert queue.waiting == 10
    assert drops.snapshot() == {("traces", "queue_full"): 990}
    gate.opened.set()
    queue.close(BOUND)
    assert gate.bodies[1:] == [b"990 991 992 993 994", b"995 996 997 998 999"]


def test_closing_keeps_its_time_and_counts_what_is_left() -> None:
    gate, drops = Gate(is_open=False), Drops()
    queue = queue_before(gate, drops, Sizes(100, 2, 0.01))
    for _ in range(7):
        queue.put(b"x")
    wait_until(lambda: queue.waiting == 5)
    started = time.monotonic()

    queue.close(0.3)

    assert time.monotonic() - started < 2
    assert gate.hurried.is_set()
    assert drops.snapshot()["traces", "shutdown"] == 5
    queue.put(b"late")
    assert drops.snapshot()["traces", "shutdown"] == 6


def test_what_is_refused_or_cannot_be_encoded_is_counted() -> None:
    gate, drops = Gate(), Drops()

    def encode(batch: Any) -> bytes:
        raise ValueError

    queue: Queue[bytes] = Queue("logs", encode, gate, drops, Sizes(100, 2, 0.01))
    for _ in range(3):
        queue.put(b"x")
    queue.close(BOUND)

    assert drops.snapshot() == {("logs", "export_failed"): 3}


def test_a_flush_sends_what_waits_and_says_whether_it_could() -> None:
    gate = Gate()
    queue = queue_before(gate, Drops(), Sizes(100, 2, 3600))
    queue.put(b"x")

    assert queue.flush(BOUND)
    assert gate.bodies == [b"x"]
    gate.opened.clear()
    queue.put(b"y")
    queue.put(b"z")
    wait_until(lambda: len(gate.threads) == 2)
    assert not queue.flush(0.05)
    gate.opened.set()
    queue.close(BOUND)


def test_sizes_come_from_the_environment() -> None:
    environ = {"OTEL_BSP_MAX_QUEUE_SIZE": "4", "OTEL_BSP_SCHEDULE_DELAY": "20"}

    assert sizes("BSP", environ) == Sizes(4, 4, 0.02)
    assert sizes("BLRP", environ) == Sizes(8192, 512, 1.0)


@pytest.mark.parametrize("message", [b"\x0a", b"\x0a\x05a", b"\x0f", b"\xff" * 11, b"\x09abc"])
def test_what_is_no_message_is_refused(message: bytes) -> None:
    with pytest.raises(ValueError, match="expected"):
        list(fields(message))
