"""Requests to the webhook: valid ones, ones whose body, signature, headers or path are changed, and what is allowed."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import NamedTuple

from scripts.lib.fuzz import bodies, values
from scripts.lib.fuzz.cases import Case, request
from service.core.signatures import sign_hex, sign_standard


class Secrets(NamedTuple):
    """What proves who is sending; the service has the same."""

    token: str
    standard: bytes
    hmac: bytes
    operator: str

    def texts(self, standard_text: str) -> tuple[bytes, ...]:
        """As they may not be seen anywhere; `standard_text` is the key as the settings have it."""
        return (self.token.encode(), standard_text.encode(), self.hmac, self.operator.encode())


_TIMES = ("", "0", "-1", "+1", "1e9", " 1", "\uff19", "99999999999999999999", "1.5", "nan", "0x1")
_IDS = ("", ".", "a.b", "é", "a" * 4000, "\t", "a b", "\xff\xfe", "0", "null", "%00", "msg_1,msg_2")
_SIGNATURES = (
    "",
    "v1,",
    "v1",
    "v2,AAAA",
    "v1a,AAAA",
    "v1,====",
    "v1," + "A" * 44,
    " ".join(["v1,AAAA"] * 500),
    "v1,\xff",
    "sha256=",
    "sha256=" + "0" * 64,
    "0" * 64,
    "0" * 4000,
)
_FORWARDED = (
    "1.2.3.4",
    "127.0.0.1",
    "127.0.0.1, 127.0.0.1",
    "::1",
    "::ffff:127.0.0.1",
    "fe80::1%eth0",
    "fe80::1%" + "a" * 500,
    "2001:db8::1, 127.0.0.1",
    "999.1.1.1",
    "1.2.3.4:80",
    "[::1]:80",
    "unknown",
    "_hidden",
    "",
    ",,,,",
    ", ".join(["127.0.0.1"] * 500),
    "127.1",
    "0x7f.1",
    "127.0.0.1\t",
    "\xff",
    "01.02.03.04",
    "0.0.0.0",  # noqa: S104 - an address that a stranger may claim
    "255.255.255.255",
)
_PATHS = (
    "/webhook/",
    "/webhook",
    "/webhook//",
    "/webhook/nobody",
    "/webhook/..%2f..%2fetc%2fpasswd",
    "/webhook/../orders",
    "/webhook/%2e%2e/orders",
    "/webhook/tradingview/",
    "/webhook/tradingview/x",
    "/webhook/tradingview%00",
    "/webhook/%00",
    "/webhook/TRADINGVIEW",
    "/webhook/tradingview%20",
    "/webhook/%74radingvieW",
    "/webhook/%ff%fe",
    "/webhook/%E2%80%AE",
    "/webhook/%F0%9F%98%80",
    "/webhook/%0d%0aX-Injected:%20yes",
    "/webhook/%",
    "/webhook/%zz",
    "/webhook/" + "a" * 5000,
    "/webhook/" + "%41" * 3000,
    "/webhook/{source}",
    "/webhook/__proto__",
    "/webhook/tradingview;a=b",
    "/orders",
    "/halt",
    "/metrics",
    "/status",
    "/healthz/",
    "/readyz/",
    "/",
    "//",
    "/*",
    "/docs",
    "/openapi.json",
    "/webhook/tradingview?token=abc",
)
_EXTRA = (
    b"Content-Type: text/plain",
    b"Content-Type: \xff",
    b"Content-Encoding: gzip",
    b"Content-Encoding: br, gzip",
    b"Accept-Encoding: *;q=0",
    b"Prefer: wait=0",
    b"Prefer: wait=nan",
    b"Prefer: wait=-1",
    b"Prefer: wait=999999999999",
    b"Prefer: respond-async, wait=0.001",
    b"Prefer: wait=0.0000001",
    b"traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    b"traceparent: 00-" + b"0" * 32 + b"-" + b"0" * 16 + b"-00",
    b"traceparent: ff-" + b"f" * 2000,
    b"tracestate: " + b"a=b," * 400,
    b"baggage: token=abc",
    b"Cookie: " + b"a=b;" * 500,
    b"Authorization: Bearer abc",
    b"X-HTTP-Method-Override: DELETE",
    b"X-Original-URL: /orders",
    b"X-Rewrite-URL: /orders",
    b"Forwarded: for=1.2.3.4",
    b"Range: bytes=0-1",
    b"If-Match: *",
    b"Expect: 100-continue",
    b"Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings",
    b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAA",
)


class Alerts:
    """Makes requests; the same seed makes the same ones but for the time of signing."""

    def __init__(self, chance: random.Random, secrets: Secrets, run: str) -> None:
        self._chance = chance
        self._secrets = secrets
        self._run = run
        self._count = 0
        self._makers: tuple[tuple[Callable[[], Case], int], ...] = (
            (self.valid, 2),
            (self.cancel, 1),
            (self._changed, 40),
            (self._combined, 8),
            (self._whole, 10),
            (self._unsigned, 12),
            (self._headers, 12),
            (self._forwarded, 3),
            (self._path, 12),
        )
        self._all = [maker for maker, _ in self._makers]
        self._weights = [weight for _, weight in self._makers]

    def make(self) -> Case:
        return self._chance.choices(self._all, self._weights)[0]()

    def valid(self) -> Case:
        """Nothing is wrong with it."""
        case = self._authentic("valid", bodies.valid(self._chance, self._name()))
        return case._replace(must_accept=True)

    def cancel(self) -> Case:
        return self._authentic("cancel", bodies.cancel(self._chance.choice(tuple(bodies.SYMBOLS)), self._name()))

    def _changed(self) -> Case:
        pairs = bodies.valid(self._chance, self._name())
        for _ in range(self._chance.choice((1, 1, 1, 2, 3))):
            pairs = bodies.mutate(self._chance, pairs)
        return self._authentic("changed", pairs, damage=self._chance.random() < _DAMAGED)

    def _combined(self) -> Case:
        return self._authentic("combined", bodies.combined(self._chance, self._name()))

    def _whole(self) -> Case:
        return self._signed("whole", self._chance.choice(values.WHOLE))

    def _name(self) -> str:
        self._count += 1
        return f"{self._run}-{self._count}"

    def _authentic(self, kind: str, pairs: bodies.Pairs, *, damage: bool = False) -> Case:
        """By the token or a signature, whichever; the proof is right, whatever the body says."""
        chance = self._chance
        by_token = chance.random() < _BY_TOKEN
        if by_token:
            pairs = [*pairs]
            pairs.insert(chance.randrange(len(pairs) + 1), ('"token"', f'"{self._secrets.token}"'))
        body = bodies.written(chance, pairs)
        if damage:
            body = bodies.damaged(chance, body)
        if by_token:
            source = chance.choices((b"tradingview", b"limited"), (9, 1))[0]
            return Case(kind, request(b"/webhook/" + source, body=body), may_accept=True)
        return self._signed(kind, body)

    def _signed(self, kind: str, body: bytes) -> Case:
        if self._chance.random() < _BY_HMAC:
            field = b"X-Signature: " + sign_hex(self._secrets.hmac, body).encode()
            return Case(kind, request(b"/webhook/hmac", field, body=body), may_accept=True)
        return Case(kind, request(b"/webhook/signed", *self._standard(body), body=body), may_accept=True)

    def _standard(self, body: bytes) -> list[bytes]:
        name, now = self._name(), int(time.time())
        signature = sign_standard(self._secrets.standard, msg_id=name, timestamp=now, body=body)
        fields = (f"webhook-id: {name}", f"webhook-timestamp: {now}", f"webhook-signature: {signature}")
        return [field.encode() for field in fields]

    def _unsigned(self) -> Case:
        """An alert that would be executed, but nobody we know has sent it."""
        chance = self._chance
        pairs = bodies.valid(chance, self._name())
        if chance.random() < _BY_TOKEN:
            token = self._secrets.token
            wrong = (f'"{token}x"', f'"{token[:-1]}"', f'" {token}"', f'["{token}"]', "null", "true", "0", '""')
            pairs = [*pairs, ('"token"', chance.choice((*wrong, f'{{"a":"{token}"}}', values.nasty(chance))))]
            return Case("unsigned", request(b"/webhook/tradingview", body=bodies.written(chance, pairs)))
        body = bodies.written(chance, pairs)
        fields = self._standard(body)
        changed = chance.choice((body + b" ", body[:-1] + b',"a":1}', body))
        if changed == body:
            del fields[chance.randrange(len(fields))]
        return Case("unsigned", request(b"/webhook/signed", *fields, body=changed))

    def _headers(self) -> Case:
        """One of the proving headers changed, doubled or of another source."""
        chance = self._chance
        body = bodies.written(chance, bodies.valid(chance, self._name()))
        fields = self._standard(body)
        at = chance.randrange(3)
        name = fields[at].partition(b":")[0]
        value = chance.choice((_IDS, _TIMES, _SIGNATURES)[at]).encode(
            "utf-8" if chance.random() < _HALF else "latin-1", "replace"
        )
        fields[at] = name + b": " + value
        source = chance.choice((b"signed", b"hmac", b"nobody", b"tradingview"))
        return Case("headers", request(b"/webhook/" + source, *fields, body=body))

    def _forwarded(self) -> Case:
        chance = self._chance
        sent = self.valid()
        fields = b"".join(
            b"X-Forwarded-For: %b\r\n" % chance.choice(_FORWARDED).encode("latin-1", "replace")
            for _ in range(chance.choice((1, 1, 2, 20)))
        )
        extra = chance.choice(_EXTRA) + b"\r\n"
        data = sent.data.replace(b"Content-Length:", fields + extra + b"Content-Length:", 1)
        return Case("forwarded", data, may_accept=True)

    def _path(self) -> Case:
        chance = self._chance
        method = chance.choice((b"POST", b"POST", b"GET", b"HEAD", b"PUT", b"DELETE", b"PATCH", b"OPTIONS", b"TRACE"))
        body = bodies.written(chance, bodies.valid(chance, self._name())) if method == b"POST" else b""
        target = chance.choice(_PATHS).encode()
        data = request(target, *self._standard(body), method=method, body=body)
        return Case("path", data, head=method == b"HEAD")


_DAMAGED = 0.1
_BY_TOKEN = 0.45
_BY_HMAC = 0.4
_HALF = 0.5
