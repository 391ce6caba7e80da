"""What a venue is: an exchange's own addresses, signatures, words and codes around an engine."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from tests.simulator.engine import Engine
from tests.simulator.faults import Endpoint
from tests.simulator.http import Answer, Request
from tests.simulator.model import RejectCode, Rejection

API_KEY = "simulator-key"
API_SECRET = "simulator-secret"
API_PASSWORD = "simulator-passphrase"


class Venue(ABC):
    """One simulated exchange with one account.

    Requests are signed with `api_key`, `api_secret` and, where the exchange wants one, `api_password`. `answer` is
    called once a delivery and does all of it, at once. Faults that need the venue's own words ask the other methods.
    `skew_ms` is how far its clock is off; the server sets it before each call.
    """

    name: ClassVar[str]
    ccxt_id: ClassVar[str]

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.api_key = API_KEY
        self.api_secret = API_SECRET
        self.api_password = API_PASSWORD
        self.skew_ms = 0

    def now_ms(self) -> int:
        """The venue's clock, Unix milliseconds."""
        return self.engine.clock() // 1_000_000 + self.skew_ms

    @abstractmethod
    def endpoint(self, request: Request) -> Endpoint:
        """What the request asks for, by method and path."""

    @abstractmethod
    def client_id(self, request: Request) -> str | None:
        """The client order id in the request, if it carries one."""

    @abstractmethod
    def answer(self, request: Request) -> Answer:
        """Check, execute and answer."""

    @abstractmethod
    def rate_limited(self, request: Request, retry_after: float | None, *, banned: bool) -> Answer:
        """The refusal of a request too many; nothing was executed."""

    def rejected(self, request: Request) -> Answer:
        """A 200 that says that this order was rejected; nothing was executed."""
        return self.refusal(Rejection(RejectCode.INSUFFICIENT_FUNDS), request)

    def unknown_status(self, request: Request) -> Answer:
        """The venue's word that it does not know whether the request was executed."""
        return Answer(status=504, body="<html><body><h1>504 Gateway Time-out</h1></body></html>")

    @abstractmethod
    def refusal(self, rejection: Rejection, request: Request) -> Answer:
        """An engine's refusal in the venue's words."""

    @abstractmethod
    def without_order_id(self, answer: Answer) -> Answer:
        """The answer to a new order, its order id taken out."""


def retry_after_header(retry_after: float | None) -> dict[str, str]:
    """In whole seconds, as HTTP wants it."""
    return {} if retry_after is None else {"Retry-After": f"{retry_after:g}"}
