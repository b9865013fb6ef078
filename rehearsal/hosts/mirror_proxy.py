"""An HTTP proxy for package mirrors: what a NAT gateway is to hosts on AWS, but for Debian's archives alone."""

from __future__ import annotations

import contextlib
import http.client
import shutil
import urllib.error
import urllib.request
from collections.abc import Callable
from email.message import Message
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import urlsplit

HOP_BY_HOP = {"connection", "keep-alive", "proxy-authorization", "proxy-connection", "te", "trailer", "upgrade"}


class Handler(BaseHTTPRequestHandler):
    """Fetches `http://MIRROR/…` for a host. `allowed` gives the mirrors' names and is set on a subclass."""

    timeout = 60
    allowed: Callable[[], frozenset[str]]

    def do_GET(self) -> None:
        address = urlsplit(self.path)
        if address.scheme != "http" or (address.hostname or "") not in type(self).allowed():
            self.send_error(403, "only package mirrors are reached here")
            return
        headers = {name: value for name, value in self.headers.items() if name.lower() not in HOP_BY_HOP}
        request = urllib.request.Request(self.path, headers=headers, method=self.command)  # noqa: S310  # http only
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
                self._hand_on(answer.status, answer.headers, answer)
        except urllib.error.HTTPError as problem:
            with problem:
                self._hand_on(problem.code, problem.headers, problem)
        except (OSError, http.client.HTTPException) as problem:
            self.send_error(502, f"{address.hostname}: {problem}")

    do_HEAD = do_GET

    def do_CONNECT(self) -> None:
        self.send_error(403, "only package mirrors are reached here, by plain HTTP: their lists are signed")

    def _hand_on(self, status: int, headers: Message, body: Any) -> None:
        self.send_response(status)
        for name, value in headers.items():
            if name.lower() not in HOP_BY_HOP | {"transfer-encoding", "date", "server"}:
                self.send_header(name, value)
        self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            with contextlib.suppress(OSError):
                shutil.copyfileobj(body, self.wfile)

    def log_message(self, format: str, *args: object) -> None:
        """No line for every request."""
