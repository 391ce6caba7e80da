"""HTTP to a running service; the one place where transport errors and problem documents become ours.

FillpathError
    Unreachable         nothing answered, or not in time; `sent` says whether the request may have arrived
    NotFillpath         something else answered there
    RequestRefused      a problem document, in words
"""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import httpx
import msgspec

from service.cli.output import clean
from service.errors import FillpathError
from service.secrets import Secret

CONNECT_S = 5.0
READ_S = 30.0

_SUCCESS = range(200, 300)

_SHOWN_APART = frozenset({"type", "title", "status", "detail", "reason", "trace_id", "errors"})


class Unreachable(FillpathError):  # noqa: N818 - named for what is the case
    def __init__(self, message: str, *, sent: bool) -> None:
        super().__init__(message)
        self.sent = sent


class NotFillpath(FillpathError):  # noqa: N818 - named for what is the case
    pass


class RequestRefused(FillpathError):  # noqa: N818 - named for what happened
    """`problem` is the document (RFC 9457); the message shows all of it that helps."""

    def __init__(self, status: int, problem: Mapping[str, Any]) -> None:
        super().__init__("\n".join(_lines(status, problem)))
        self.status = status
        self.problem = problem


def _lines(status: int, problem: Mapping[str, Any]) -> list[str]:
    lines = [f"refused: {clean(problem.get('reason', 'no reason'))} ({status}): {clean(problem.get('detail', ''))}"]
    lines += [f"  {clean(e.get('field', ''))}: {clean(e.get('message', ''))}" for e in problem.get("errors") or ()]
    for key, value in problem.items():
        if key not in _SHOWN_APART:
            shown = ", ".join(map(str, value)) if isinstance(value, list) else value
            lines.append(f"  {clean(key)}: {clean(shown)}")
    if problem.get("trace_id"):
        lines.append(f"  trace: {clean(problem['trace_id'])}")
    return lines


class Client:
    """One service; answers are decoded JSON objects, everything else raises a FillpathError.

    Environment proxies are not used: they would see the token.
    """

    def __init__(self, url: str, headers: Mapping[str, str] | None = None, *, read_timeout: float = READ_S) -> None:
        self.url = url.rstrip("/")
        self._http = httpx.Client(
            headers=dict(headers or {}), trust_env=False, timeout=httpx.Timeout(read_timeout, connect=CONNECT_S)
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._http.close()

    def request(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        """The answer's document; raises RequestRefused for any status that is not 2xx."""
        status, document = self.exchange(method, path, **options)
        if status not in _SUCCESS:
            raise RequestRefused(status, document)
        return document

    def exchange(self, method: str, path: str, **options: Any) -> tuple[int, dict[str, Any]]:
        """Status and document, whatever the status."""
        try:
            response = self._http.request(method, self.url + path, **options)
        except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
            raise NotFillpath(f"{self.url} is not an address ({error}); expected http://HOST:PORT") from None
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            raise Unreachable(
                f"nothing answers at {self.url} ({error}); start it with `fillpath serve`, or name its address",
                sent=False,
            ) from None
        except httpx.TransportError as error:
            cause = str(error) or type(error).__name__
            raise Unreachable(f"no answer from {self.url} ({cause}); see whether the service runs", sent=True) from None
        return response.status_code, self._document(response)

    def _document(self, response: httpx.Response) -> dict[str, Any]:
        try:
            return msgspec.json.decode(response.content, type=dict[str, Any])
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise NotFillpath(
                f"{self.url} answered {response.status_code} with something that Fillpath never sends; "
                "see whether another program listens there"
            ) from None


class OperatorClient(Client):
    """The operator interface."""

    def __init__(self, url: str, token: Secret) -> None:
        super().__init__(url, {"Authorization": f"Bearer {token.reveal()}"})

    def order(self, reference: str) -> dict[str, Any]:
        """By order id, client order id or exchange order id, with transitions, fills and fees."""
        return self.request("GET", f"/orders/{quote(reference, safe='')}")

    def trace(self, reference: str) -> dict[str, Any]:
        """OTLP/JSON of what the service knows of the order's trace."""
        return self.request("GET", f"/orders/{quote(reference, safe='')}/trace")
