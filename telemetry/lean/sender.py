"""Sends one OTLP/HTTP request at a time, and again by OTLP's rules; never raises.

Source: https://opentelemetry.io/docs/specs/otlp/#otlphttp and #failures-1.
"""

from __future__ import annotations

import gzip
import logging
import random
import time
import zlib
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime
from math import isfinite
from threading import Event
from typing import TYPE_CHECKING, Literal, NamedTuple, cast

import requests
from opentelemetry import context as otel_context
from opentelemetry.util.re import parse_env_headers

from telemetry import environment
from telemetry.forking import in_children
from telemetry.lean.direct import Answer, direct_to
from telemetry.lean.reading import fields

if TYPE_CHECKING:
    from telemetry.series import Drops

Compression = Literal["none", "gzip", "deflate"]

TIMEOUT = 10.0
_RETRYABLE = frozenset({429, 502, 503, 504})
_REDIRECTS = 300
_FIRST_BACKOFF = 1.0
_LARGEST_BACKOFF = 30.0
_JITTER = 0.2
_ANSWER_BYTES = 64 * 1024

SUPPRESSED = otel_context._SUPPRESS_INSTRUMENTATION_KEY  # noqa: SLF001 - the mark that instrumentations ask for

log = logging.getLogger(__name__)


class _Refusal(NamedTuple):
    """Why a receiver did not take a request; `passing` where trying again may help, after `wait` seconds if it said."""

    reason: str
    passing: bool
    wait: float | None = None


class Poster:
    """One OTLP/HTTP endpoint; a thread of its own uses it.

    `rejected` is told how many items a receiver refused out of a request that it otherwise took. `verify` is a file
    with certificates to trust, or True for the system's; `cert` the client's certificate, with its key where that is
    a file of its own.
    """

    def __init__(
        self,
        endpoint: str,
        headers: Mapping[str, str],
        *,
        timeout: float = TIMEOUT,
        compression: Compression = "none",
        verify: bool | str = True,
        cert: str | tuple[str, str] | None = None,
        rejected: Callable[[int], None] | None = None,
    ) -> None:
        self.timeout = timeout
        self._endpoint = endpoint
        self._headers = {"Content-Type": "application/x-protobuf", "User-Agent": "fillpath-otlp", **headers}
        self._compress = _COMPRESSIONS[compression]
        if compression != "none":
            self._headers["Content-Encoding"] = compression
        self._verify = verify
        self._cert = cert
        self._rejected = rejected
        self._prepare()
        in_children(self._prepare)

    def post(self, body: bytes, deadline: float) -> bool:
        """Whether the receiver took it, tried again until `deadline` (`time.monotonic` seconds) where that may help.

        One request takes at most the time-out of the settings. Runs under suppressed instrumentation.
        """
        token = otel_context.attach(otel_context.set_value(SUPPRESSED, True))  # noqa: FBT003 - the API's positional value
        try:
            return self._post(self._compress(body), deadline)
        except Exception as error:  # noqa: BLE001 - a failing export is counted by the caller and must not end its thread
            # Never its text: a URL in it may hold credentials.
            log.warning("a telemetry export failed: %s; the batch is dropped and counted", type(error).__name__)
            return False
        finally:
            otel_context.detach(token)

    def hurry(self) -> None:
        """From now on nothing is tried again: a wait between two attempts ends at once."""
        self._hurried.set()

    def close(self) -> None:
        self._session.close()
        if self._direct is not None:
            self._direct.close()

    def _prepare(self) -> None:
        # A forked child must neither write on its parent's connections nor wait for a lock of its parent's threads.
        self._hurried = Event()
        self._session = requests.Session()
        self._session.verify = self._verify
        self._session.cert = self._cert
        request = requests.Request("POST", self._endpoint, headers=self._headers, data=b"")
        self._request = self._session.prepare_request(request)
        # Read once: requests would look through the environment again for every batch.
        self._settings = self._session.merge_environment_settings(self._endpoint, {}, False, self._verify, self._cert)  # noqa: FBT003
        # Who names certificates means an encrypted endpoint: what is wrong with them is told there.
        plain = self._verify is True and self._cert is None
        self._direct = direct_to(self._request, self._settings["proxies"], _ANSWER_BYTES) if plain else None

    def _post(self, body: bytes, deadline: float) -> bool:
        backoff = _FIRST_BACKOFF
        while (left := deadline - time.monotonic()) > 0:
            refusal = self._attempt(body, min(left, self.timeout))
            if refusal is None:
                return True
            pause = refusal.wait
            if pause is None:
                pause = backoff * random.uniform(1 - _JITTER, 1 + _JITTER)  # noqa: S311 - it spreads the load
            backoff = min(2 * backoff, _LARGEST_BACKOFF)
            if not refusal.passing or pause > deadline - time.monotonic() or self._hurried.is_set():
                log.warning("a telemetry export failed: %s; the batch is dropped and counted", refusal.reason)
                return False
            log.info("a telemetry export failed: %s; it is tried again in %.1f s", refusal.reason, pause)
            self._hurried.wait(pause)
        return False

    def _attempt(self, body: bytes, timeout: float) -> _Refusal | None:
        """None when the receiver took it."""
        try:
            try:
                answer = self._send(body, timeout)
            except requests.exceptions.Timeout:
                raise
            except requests.exceptions.ConnectionError:
                # Mostly a pooled connection that the receiver has closed meanwhile: a new one may do at once.
                answer = self._send(body, timeout)
        except requests.exceptions.ConnectionError as error:
            return _Refusal(type(error).__name__, passing=True)
        except requests.exceptions.Timeout as error:
            return _Refusal(type(error).__name__, passing=True)
        status = answer.status_code
        if status < _REDIRECTS:
            self._count_rejected(answer.content)
            return None
        again = status in _RETRYABLE
        wait = _retry_after(answer.headers.get("Retry-After")) if again else None
        return _Refusal(f"status {status}", passing=again, wait=wait)

    def _send(self, body: bytes, timeout: float) -> requests.Response | Answer:
        if self._direct is not None:
            return self._direct.post(body, timeout)
        request = self._request.copy()
        request.body = body
        request.headers["Content-Length"] = str(len(body))
        return self._session.send(request, timeout=timeout, allow_redirects=False, **self._settings)

    def _count_rejected(self, answer: bytes) -> None:
        if self._rejected is None or not answer or len(answer) > _ANSWER_BYTES:
            return
        try:
            count = _rejected_in(answer)
        except ValueError:
            # It took the request; what it says beside that is no message of OTLP.
            return
        if count > 0:
            self._rejected(count)


def _rejected_in(answer: bytes) -> int:
    """Field 1 (int64) of field 1: ExportTracePartialSuccess and its like."""
    count = 0
    for number, partial in fields(answer):
        if number == 1 and isinstance(partial, bytes):
            count = next((n for at, n in fields(partial) if at == 1 and isinstance(n, int)), 0)
    return count


def poster(
    signal: str, default_endpoint: str | None, environ: Mapping[str, str], drops: Drops | None = None
) -> Poster | None:
    """The endpoint of one of `environment.SIGNALS`, from `OTEL_EXPORTER_OTLP_*`; None where nothing is to be exported.

    With `drops`, what a receiver takes only in part is counted.

    Raises:
        ValueError: the endpoint is no HTTP URL.
    """
    url = environment.endpoint(signal, default_endpoint, environ)
    if url is None:
        return None

    def setting(name: str) -> str | None:
        for variable in (f"OTEL_EXPORTER_OTLP_{signal.upper()}_{name}", f"OTEL_EXPORTER_OTLP_{name}"):
            if value := environ.get(variable, "").strip():
                return value
        return None

    certificate, key = setting("CLIENT_CERTIFICATE"), setting("CLIENT_KEY")
    return Poster(
        url,
        parse_env_headers(setting("HEADERS") or "", liberal=True),
        timeout=_seconds(setting("TIMEOUT")),
        compression=_compression(setting("COMPRESSION")),
        verify=setting("CERTIFICATE") or True,
        cert=(certificate, key) if certificate and key else certificate,
        rejected=None if drops is None else lambda count: drops.count(signal, "export_failed", count),
    )


def _seconds(text: str | None) -> float:
    try:
        seconds = float(text or TIMEOUT)
    except ValueError:
        seconds = TIMEOUT
    if isfinite(seconds) and seconds > 0:
        return seconds
    return TIMEOUT


def _compression(text: str | None) -> Compression:
    name = (text or "none").lower()
    if name in _COMPRESSIONS:
        return cast("Compression", name)
    log.warning("OTEL_EXPORTER_OTLP_COMPRESSION names none of gzip, deflate, none; nothing is compressed")
    return "none"


def _retry_after(text: str | None) -> float | None:
    """Seconds from a Retry-After header, a number or a date (RFC 9110, section 10.2.3); None for anything else."""
    if text is None:
        return None
    try:
        seconds = float(text)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(text).timestamp() - time.time()
        except (ValueError, OverflowError, OSError):
            return None
    return max(0.0, seconds) if isfinite(seconds) else None


def _as_it_is(body: bytes) -> bytes:
    return body


def _gzip(body: bytes) -> bytes:
    # Level 1: half the time of the default for a tenth more bytes.
    return gzip.compress(body, compresslevel=1, mtime=0)


_COMPRESSIONS: dict[str, Callable[[bytes], bytes]] = {"none": _as_it_is, "gzip": _gzip, "deflate": zlib.compress}
