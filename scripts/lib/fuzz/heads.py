"""Bytes that are nearly HTTP: broken lines, lengths that contradict each other, other protocols, heads without end."""

from __future__ import annotations

import random
from collections.abc import Callable

from scripts.lib.fuzz.alerts import Alerts
from scripts.lib.fuzz.cases import Case, request

_LINES = (
    b"\r\n\r\n\r\n",
    b"GET\r\n\r\n",
    b"GET /\r\n\r\n",
    b"GET  /healthz  HTTP/1.1\r\n\r\n",
    b"GET /healthz HTTP/1.1 \r\n\r\n",
    b"GET /healthz HTTP/0.9\r\n\r\n",
    b"GET /healthz HTTP/1.2\r\n\r\n",
    b"GET /healthz HTTP/2.0\r\n\r\n",
    b"GET /healthz HTTP/9.9\r\n\r\n",
    b"GET /healthz http/1.1\r\n\r\n",
    b"GET /healthz HTTP/1.1\n\n",
    b"GET /healthz HTTP/1.1\r\r\n\r\n",
    b"get /healthz HTTP/1.1\r\n\r\n",
    b"G\x00T /healthz HTTP/1.1\r\n\r\n",
    b"\xff\xfe\xfd /healthz HTTP/1.1\r\n\r\n",
    b"FROBNICATE /healthz HTTP/1.1\r\n\r\n",
    b"BREW /pot HTTP/1.1\r\n\r\n",
    b"M-SEARCH * HTTP/1.1\r\n\r\n",
    b"SOURCE /a ICE/1.0\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00",
    b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
    b"OPTIONS rtsp://a/b RTSP/1.0\r\nCSeq: 1\r\n\r\n",
    b"CONNECT 127.0.0.1:22 HTTP/1.1\r\nHost: 127.0.0.1:22\r\n\r\nSSH-2.0-x\r\n",
    b"CONNECT /healthz HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET http://127.0.0.1/healthz HTTP/1.1\r\nHost: b\r\n\r\n",
    b"GET http://127.0.0.1 HTTP/1.1\r\nHost: b\r\n\r\n",
    b"GET http://a:99999/ HTTP/1.1\r\nHost: b\r\n\r\n",
    b"GET http://[::1/ HTTP/1.1\r\nHost: b\r\n\r\n",
    b"GET http://user:pass@a/healthz HTTP/1.1\r\nHost: b\r\n\r\n",
    b"GET file:///etc/passwd HTTP/1.1\r\nHost: b\r\n\r\n",
    b"GET healthz HTTP/1.1\r\nHost: b\r\n\r\n",
    b"GET ? HTTP/1.1\r\nHost: b\r\n\r\n",
    b"GET /healthz#a HTTP/1.1\r\nHost: b\r\n\r\n",
    b"GET /health\xffz HTTP/1.1\r\nHost: b\r\n\r\n",
    b"GET /a\x00b HTTP/1.1\r\nHost: b\r\n\r\n",
    b"GET /a\tb HTTP/1.1\r\nHost: b\r\n\r\n",
    b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: b\r\n\r\n",
    b"GET /?" + b"a=b&" * 10_000 + b" HTTP/1.1\r\nHost: b\r\n\r\n",
    b"GET /healthz/ HTTP/1.1\r\nHost: [\r\n\r\n",
    b"GET /healthz/ HTTP/1.1\r\nHost: \xff\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(32)) + b"\x20" * 64,
    b"\x80\x2e\x01\x00\x02",
    b"SSH-2.0-OpenSSH_9.0\r\n",
    b"*1\r\n$4\r\nPING\r\n",
    b"PROXY TCP4 1.2.3.4 127.0.0.1 1 80\r\n",
    b"\r\n\r\n\x00\r\nQUIT\n!\r\n\x49\x54\x0a\x11",
    b"\x05\x01\x00",
    b"EHLO a\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
)
_FIELDS = (
    b"x\r\n",
    b": a\r\n",
    b"x : a\r\n",
    b" x: a\r\n",
    b"x: a\r\n folded\r\n",
    b"x\x00: a\r\n",
    b"x: a\x00b\r\n",
    b"x: a\rb\r\n",
    b"x: a\nb: c\r\n",
    b"\xff: a\r\n",
    b"x: \xff\xfe\x80\r\n",
    b"x(y): a\r\n",
    b"x: \x01\x1f\x7f\r\n",
    b"x: " + b"a" * 70_000 + b"\r\n",
    b"x" * 70_000 + b": a\r\n",
    b"x: a\r\n" * 200,
    b"x:\r\n" * 5000,
    b"Host: a\r\nHost: b\r\n",
    b"Connection: close, keep-alive, x, , \xff\r\n",
    b"Connection: Content-Length\r\n",
    b"Expect: 200-maybe\r\n",
    b"Expect: 100-continue\r\n",
    b"Upgrade: h2c, websocket\r\nConnection: upgrade\r\n",
    b"Upgrade: " + b"\xff" * 100 + b"\r\nConnection: UPGRADE\r\n",
    b"Keep-Alive: timeout=99999999999999999999\r\n",
    b"TE: trailers, chunked;q=0.5\r\n",
    b"Trailer: Content-Length, webhook-signature\r\n",
)
_LENGTHS = (
    b"Content-Length: %d\r\nContent-Length: 0\r\n",
    b"Content-Length: %d\r\nContent-Length: %d\r\n",
    b"Content-Length: %d, %d\r\n",
    b"Content-Length: +%d\r\n",
    b"Content-Length: -%d\r\n",
    b"Content-Length: 0x%x\r\n",
    b"Content-Length: %d.0\r\n",
    b"Content-Length: \xc2\xb2\r\n",
    b"Content-Length: \xb2\r\n",
    b"Content-Length: 99999999999999999999999999\r\n",
    b"Content-Length: 18446744073709551616\r\n",
    b"Content-Length: \r\n",
    b"Content-Length : %d\r\n",
    b"Content-Length: %d\r\nTransfer-Encoding: chunked\r\n",
    b"Transfer-Encoding: chunked\r\nContent-Length: %d\r\n",
    b"Content-Length: %d\r\nTransfer-Encoding: identity\r\n",
    b"Content-Length: %d\r\nTransfer-Encoding : chunked\r\n",
    b"Content-Length: %d\r\nTransfer-Encoding: xchunked\r\n",
    b"Content-Length: %d\r\nTransfer-Encoding:\x0bchunked\r\n",
    b"Content-Length: %d\r\nTransfer-Encoding: chunked, identity\r\n",
    b"Content-Length: %d\r\nTransfer-Encoding: gzip, chunked\r\n",
    b"Content-Length: %d\r\nTransfer-Encoding: chunked, chunked\r\n",
    b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
    b"Transfer-Encoding: chunked\r\n foo\r\n",
    b"Transfer-Encoding: identity\r\n",
    b"Transfer-Encoding: gzip\r\n",
)
"""Lengths that two readers may understand in two ways, or that are none."""

_CHUNKS = (
    b"zz\r\n",
    b"-1\r\n",
    b"0x5\r\n",
    b"5 \r\nabcde\r\n0\r\n\r\n",
    b" 5\r\nabcde\r\n0\r\n\r\n",
    b"5\nabcde\n0\n\n",
    b"5\r\nabcdefgh\r\n0\r\n\r\n",
    b"ffffffffffffffffff\r\n",
    b"7fffffffffffffff\r\na",
    b"5;" + b"e" * 70_000 + b"\r\nabcde\r\n0\r\n\r\n",
    b'5;a="\r\n"\r\nabcde\r\n0\r\n\r\n',
    b"5;\x00\r\nabcde\r\n0\r\n\r\n",
    b"1\r\na\r\n" * 3000 + b"0\r\n\r\n",
    b"1;aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\na\r\n" * 3000 + b"0\r\n\r\n",
    b"0\r\n" + b"x: a\r\n" * 500 + b"\r\n",
    b"0\r\nx: " + b"a" * 70_000 + b"\r\n\r\n",
    b"0\r\nContent-Length: 5\r\n\r\n",
    b"0\r\n\x00\r\n\r\n",
    b"0\r\n",
    b"\r\n",
    b"4000\r\n" + b" " * 16_384 + b"\r\n1\r\n{\r\n0\r\n\r\n",
)
_DRAWN = 70


class Heads:
    """Makes them. Each is the last on its connection, and nothing in it may be executed unless it says so."""

    def __init__(self, chance: random.Random, alerts: Alerts) -> None:
        self._chance = chance
        self._alerts = alerts
        self._makers: tuple[Callable[[], Case], ...] = (
            self._line,
            self._field,
            self._lengths,
            self._chunks,
            self._bytes,
            self._damaged,
            self._body_length,
            self._version,
            self._random,
        )

    def make(self) -> Case:
        return self._chance.choice(self._makers)()

    def _inner(self) -> bytes:
        """An alert that would be executed if it were taken for a request of its own."""
        return self._alerts.valid().data

    def _ending(self, kind: str, data: bytes, most: int = 2, *, may_accept: bool = False) -> Case:
        return Case(kind, data, framed=False, most=most, may_accept=may_accept)

    def _line(self) -> Case:
        return self._ending("line", self._chance.choice(_LINES))

    def _field(self) -> Case:
        field = self._chance.choice(_FIELDS)
        return self._ending("field", b"GET /healthz HTTP/1.1\r\nHost: a\r\n" + field + b"\r\n")

    def _lengths(self) -> Case:
        """What one reader takes for the body, another takes for the next request."""
        inner = self._inner()
        written = self._chance.choice(_LENGTHS)
        fields = written % ((len(inner),) * written.count(b"%")) if b"%" in written else written
        head = b"POST /webhook/signed HTTP/1.1\r\nHost: a\r\n" + fields + b"\r\n"
        chunk = self._chance.choice((b"", b"0\r\n\r\n", b"5\r\nabcde\r\n0\r\n\r\n"))
        # Two equal lengths, one after the other or in a list, say the same: RFC 9112 lets a server take them for one.
        return self._ending("lengths", head + chunk + inner, most=3)

    def _chunks(self) -> Case:
        head = b"POST /webhook/tradingview HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        return self._ending("chunks", head + self._chance.choice(_CHUNKS))

    def _bytes(self) -> Case:
        return self._ending("bytes", self._chance.randbytes(self._chance.choice((1, 10, 100, 1000, 20_000))), most=1)

    def _damaged(self) -> Case:
        """A good request with a few bytes changed anywhere."""
        data = bytearray(self._inner())
        for _ in range(self._chance.choice((1, 1, 2, 8))):
            at = self._chance.randrange(len(data))
            data[at : at + self._chance.choice((0, 1, 1, 3))] = self._chance.randbytes(
                self._chance.choice((0, 1, 1, 2))
            )
        return self._ending("damaged", bytes(data), most=3, may_accept=True)

    def _body_length(self) -> Case:
        """Less than was declared, or more, or far more."""
        chance = self._chance
        inner = self._inner()
        head, _, body = inner.partition(b"\r\n\r\n")
        declared = chance.choice((len(body) + 1, len(body) + 5000, 16_384, 16_385, 10**9, 10**18))
        head = head.replace(b"Content-Length: %d" % len(body), b"Content-Length: %d" % declared)
        return self._ending("body length", head + b"\r\n\r\n" + body + b"a" * chance.choice((0, 0, 20_000)))

    def _version(self) -> Case:
        """HTTP/1.0 and closed connections, with more requests behind that nobody may take."""
        inner = self._inner()
        if self._chance.random() < _DRAWN / 100:
            inner = inner.replace(b"HTTP/1.1", b"HTTP/1.0", 1)
        else:
            inner = inner.replace(b"Host:", b"Connection: close\r\nHost:", 1)
        behind = self._chance.choice((b"", request(b"/healthz", method=b"GET"), b"\x00"))
        return self._ending("version", inner + behind, may_accept=True)

    def _random(self) -> Case:
        """The head of a request cut anywhere."""
        inner = self._inner()
        return self._ending("cut", inner[: self._chance.randrange(len(inner))], most=1)
