"""The built-in receiver, a process of its own: takes OTLP/HTTP and says yes, so that an export costs what it costs."""

from __future__ import annotations

import http.server
import sys


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(http.HTTPStatus.OK)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the standard library's name
        """Says nothing: nobody reads it."""


def main(arguments: list[str]) -> int:
    """Serves on the port that is named, until it is ended."""
    http.server.ThreadingHTTPServer(("127.0.0.1", int(arguments[0])), _Handler).serve_forever()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
