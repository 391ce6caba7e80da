"""Requests to the operator's listener, with and without its token; none that would halt the service."""

from __future__ import annotations

import random
from urllib.parse import quote

from scripts.lib.fuzz import values
from scripts.lib.fuzz.alerts import Secrets
from scripts.lib.fuzz.cases import Case, request

_IDS = (
    "0",
    "fp-0",
    "%00",
    "%ff",
    "a" * 3000,
    "..",
    "%2e%2e",
    "' OR 1=1 --",
    "%F0%9F%98%80",
    "01a20904942b759389b44b084d6b9154",
)
_QUERIES = (
    "",
    "limit=0",
    "limit=500",
    "limit=501",
    "limit=1e3",
    "limit=000001" + "9" * 5000,
    "limit=%D9%A3",
    "status=FILLED,,DENIED",
    "status=%00",
    "status=" + "a" * 3000,
    "symbol=%ff",
    "symbol=BTC/USDT%00",
    "account=%ED%A0%80",
    "after=%00",
    "after=" + "f" * 3000,
    "after='%3B%20DROP%20TABLE%20orders",
    "unknown=1",
    "limit=1&limit=2&status=RECEIVED",
    "&&&=&",
    "%",
)
_TARGETS = (
    "/orders",
    "/orders/{}",
    "/orders/{}/trace",
    "/orders/{}/resolve",
    "/halt",
    "/resume",
    "/findings",
    "/status",
    "/metrics",
    "/healthz",
    "/readyz",
    "/nothing",
    "/orders/",
    "/webhook/signed",
)
_METHODS = (b"GET", b"GET", b"POST", b"POST", b"DELETE", b"PUT", b"OPTIONS", b"HEAD")
_ACCEPT = (
    b"*/*",
    b"application/openmetrics-text; version=1.0.0",
    b"\xff",
    b"a/" + b"b" * 4000,
    b"text/plain;q=nan",
    b"application/openmetrics-text;version=99",
)
_TOKENS = (b"Bearer ", b"Bearer x", b"Basic eDp4", b"bearer\t", b"\xff", b"Bearer " + b"a" * 5000, b"Bearer \xc3\xa9")


class Operators:
    """Makes requests; the same seed makes the same ones."""

    def __init__(self, chance: random.Random, secrets: Secrets) -> None:
        self._chance = chance
        self._token = secrets.operator

    def make(self) -> Case:
        chance = self._chance
        template = chance.choice(_TARGETS)
        # Rendering the metrics takes 20 ms and comparing the exchange more: both in the run, neither most of it.
        if template in {"/metrics", "/findings"} and chance.random() < _SKIPPED:
            template = "/orders"
        target = template.format(quote(chance.choice(_IDS), safe="%.")) + "?" + chance.choice(_QUERIES)
        method = chance.choice(_METHODS)
        known = chance.random() < _WITH_TOKEN
        proof = f"Bearer {self._token}".encode() if known else chance.choice(_TOKENS)
        fields = (b"Authorization: " + proof, b"Accept: " + chance.choice(_ACCEPT))
        body = self._body() if method not in {b"GET", b"HEAD"} else b""
        data = request(target.encode(), *fields, method=method, body=body)
        return Case("operator", data, head=method == b"HEAD", operator=True)

    def _body(self) -> bytes:
        """Names an account that is not there, so that nothing is halted, resumed or resolved."""
        chance = self._chance
        pairs = [('"account"', '"nobody"')]
        for key in chance.sample(
            ("level", "status", "evidence", "filled_qty", "average_price", "exchange_order_id"), 2
        ):
            value = chance.choice(
                ('"stop"', '"FILLED"', '"seen"', "1", "1e999999999", "-1", '"NaN"', values.nasty(chance))
            )
            pairs.append((f'"{key}"', value))
        return ("{" + ",".join(f"{key}:{value}" for key, value in pairs) + "}").encode("utf-8", "surrogatepass")


_SKIPPED = 0.95
_WITH_TOKEN = 0.7
