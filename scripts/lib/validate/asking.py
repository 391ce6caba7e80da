"""GET requests to the servers; whatever goes wrong becomes a CheckError that says what to do."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeVar

import httpx
import msgspec

from scripts.lib.validate.places import shown
from scripts.lib.validate.results import CheckError

T = TypeVar("T")

_TIMEOUT_S = 15.0
_LOOK_EVERY_S = 0.5

NATIVE = (
    "start it: ./scripts/stack up (what it says: ./scripts/stack logs {name}); elsewhere, give its address: --{name}"
)


class Server(NamedTuple):
    """One server to be asked; `fix` is what to do where it does not answer as it should."""

    title: str
    url: str
    fix: str
    headers: Mapping[str, str] = {}

    @classmethod
    def native(cls, name: str, address: str) -> Server:
        """One that ./scripts/stack starts."""
        return cls(name.capitalize(), address, NATIVE.format(name=name))

    def get(self, path: str = "", **query: str) -> httpx.Response:
        """The answer, whatever its status; raises CheckError where there is none."""
        try:
            with httpx.Client(trust_env=False, timeout=_TIMEOUT_S, headers=dict(self.headers)) as client:
                return client.get(self.url + path, params=query or None)
        except httpx.InvalidURL:
            # Its words may repeat what stands in the address.
            raise CheckError(f"{self.title}'s address is none; expected one like http://HOST:PORT", self.fix) from None
        except httpx.HTTPError as error:
            cause = str(error) or type(error).__name__
            raise CheckError(f"{self.title} does not answer at {shown(self.url)} ({cause})", self.fix) from None

    def document(self, path: str, **query: str) -> Any:
        """The decoded JSON of an answer that says success."""
        response = self.get(path, **query)
        if response.status_code != httpx.codes.OK:
            raise CheckError(f"{self.title} answers {path} with {response.status_code}", self.fix)
        try:
            return msgspec.json.decode(response.content)
        except msgspec.DecodeError:
            raise CheckError(
                f"what answers {path} at {shown(self.url)} is not {self.title}: it sends no JSON", self.fix
            ) from None

    def data(self, path: str, **query: str) -> Any:
        """The `data` of an answer of Prometheus' interface."""
        document = self.document(path, **query)
        if not isinstance(document, dict) or document.get("status") != "success":
            raise CheckError(f"{self.title} refuses {path}: {document}", self.fix)
        return document["data"]

    def well(self, path: str) -> None:
        """Raise CheckError unless it answers 200 there."""
        status = self.get(path).status_code
        if status != httpx.codes.OK:
            raise CheckError(f"{self.title} answers {path or 'its health check'} with {status}: not ready", self.fix)


def until(look: Callable[[], T], good: Callable[[T], bool], by: float) -> T:
    """The first good answer, or the last one once it is `by` (Unix seconds)."""
    while True:
        found = look()
        if good(found) or time.time() > by:
            return found
        time.sleep(_LOOK_EVERY_S)
