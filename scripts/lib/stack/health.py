"""Whether a server answers its health check."""

from __future__ import annotations

import http.client
from urllib.parse import urlsplit

_ANSWER_WITHIN_S = 3.0


def is_healthy(url: str) -> bool:
    """Whether a GET is answered with 200 in time."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=_ANSWER_WITHIN_S)
    try:
        connection.request("GET", parts.path)
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
