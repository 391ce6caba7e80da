"""One request with the answer that is right for it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, NamedTuple, Self

import httpx
import msgspec

from scripts.lib.traffic.target import Sender, Target, TrafficError
from service.cli.signing import SignedRequest, sign

_TIMEOUT_S = 10.0
TOO_MANY = 429


class Check(NamedTuple):
    """What was tried, what should come, and what came."""

    name: str
    expected: str
    answered: str
    passed: bool


@dataclass(frozen=True, slots=True)
class Reply:
    """Status, headers in lower case, and the document."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    document: Mapping[str, Any] = field(default_factory=dict)

    @property
    def reason(self) -> str:
        return str(self.document.get("reason", ""))

    @property
    def text(self) -> str:
        return f"{self.status} {self.reason}".strip()


class Caller:
    """Sends single requests from one address of this machine; use it as a context manager.

    On loopback `address` may be any of 127.0.0.0/8 where the system has them all (Linux): the service takes each for
    another sender. Where it cannot be used, None is used in its place.
    """

    def __init__(self, target: Target, address: str | None = None) -> None:
        self._target = target
        self._url = target.url if "//" in target.url else f"http://{target.url}"
        self.address = address if address is None or _usable(target, address) else None
        transport = httpx.HTTPTransport(local_address=self.address)
        self._http = httpx.Client(transport=transport, trust_env=False, timeout=_TIMEOUT_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._http.close()

    def post(self, source: str, request: SignedRequest) -> Reply:
        """The answer; raises TrafficError where there is none."""
        try:
            response = self._http.post(
                f"{self._url.rstrip('/')}/webhook/{source}", content=request.body, headers=request.headers
            )
        except httpx.HTTPError as error:
            cause = str(error) or type(error).__name__
            raise TrafficError(
                f"no answer from {self._url} ({cause}); start it with ./scripts/run, or give --url"
            ) from None
        try:
            document = msgspec.json.decode(response.content, type=dict[str, Any])
        except msgspec.DecodeError:
            document = {}
        return Reply(response.status_code, dict(response.headers), document)


def signed(sender: Sender, alert: Mapping[str, object], key: str, *, at: float | None = None) -> SignedRequest:
    """An alert with its proof; `at` is the time it says it was signed, Unix seconds."""
    alert = alert if sender.auth == "standard" else {**alert, "id": key}
    return sign(sender.auth, sender.secret, alert, msg_id=key, now_s=int(time.time() if at is None else at))


def small_order(sender: Sender) -> dict[str, object]:
    """An order that every paper account can pay."""
    lane = sender.lanes[0]
    return {"symbol": lane.market.symbol, "account": lane.account, "side": "buy", "quote_amount": "15"}


def _usable(target: Target, address: str) -> bool:
    """Whether the service can be reached from that address."""
    host, port, _ = target.address
    transport = httpx.HTTPTransport(local_address=address)
    with httpx.Client(transport=transport, trust_env=False, timeout=1.0) as client:
        try:
            client.get(f"http://{host}:{port}/healthz")
        except httpx.HTTPError:
            return False
    return True
