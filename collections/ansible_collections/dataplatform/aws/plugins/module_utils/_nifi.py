# Copyright: (c) 2026, the data platform provisioner's contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A client of NiFi's REST API that logs in with a certificate and keeps its connections.

One connection per thread: a handshake with client certificates costs more than most calls. Standard library only.
Private to this collection; imports nothing from ansible.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import ssl
import threading
import typing as t
import urllib.parse
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

Item = t.TypeVar("Item")
Answer = t.TypeVar("Answer")

# Calls at a time. NiFi writes users and policies to one file each under a lock, so that more gain nothing (measured on
# 2.3.0: 1,000 users in 15.6 s with one, 10.1 s with two, 9.5 s with four, 9.8 s with eight on two cores).
WORKERS = 4
RETRIED = ("GET", "HEAD")

argument_spec: dict[str, dict[str, t.Any]] = {
    "url": {"type": "str", "default": "https://localhost:8443/nifi-api"},
    "client_cert": {"type": "path", "required": True},
    # a path, not the key itself
    "client_key": {"type": "path", "no_log": False},
    "ca_path": {"type": "path", "required": True},
    "timeout": {"type": "int", "default": 60},
}


class NifiError(Exception):
    """NiFi could not be asked, or said no. The message says what to do."""


class Unreachable(NifiError):
    """No answer: a connection that was refused, broke or timed out."""


class Outdated(NifiError):
    """Something was changed by somebody else since it was read."""


class Refused(NifiError):
    """An answer other than success. ``status`` is HTTP's."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class Login:
    """Where NiFi is and who asks. ``client_key`` may be None when the certificate's file holds the key as well."""

    url: str
    client_cert: str
    client_key: str | None
    ca_path: str
    timeout: int = 60

    @classmethod
    def of(cls, params: t.Mapping[str, t.Any]) -> Login:
        """From a module's parameters, see argument_spec."""
        return cls(**{name: params[name] for name in argument_spec})

    def context(self, verify: bool = True) -> ssl.SSLContext:
        """TLS with the client certificate; without verification only for looking at what is served."""
        try:
            context = ssl.create_default_context(cafile=self.ca_path)
        except (OSError, ssl.SSLError) as error:
            raise NifiError(f"ca_path {self.ca_path} cannot be used: {_reason(error)}") from error
        try:
            context.load_cert_chain(self.client_cert, self.client_key)
        except (OSError, ssl.SSLError) as error:
            pair = " and ".join(path for path in (self.client_cert, self.client_key) if path)
            raise NifiError(f"{pair} cannot be used as client certificate: {_reason(error)}") from error
        if not verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context

    def target(self) -> tuple[str, int, str]:
        """Host, port and path of the URL."""
        parts = urllib.parse.urlsplit(self.url)
        if parts.scheme != "https" or not parts.hostname:
            raise NifiError(f"url {self.url!r} is not an https URL, such as https://localhost:8443/nifi-api")
        return parts.hostname, parts.port or 443, parts.path.rstrip("/")


class Client:
    """Calls to one NiFi. Close it, or use it in a ``with`` statement."""

    def __init__(self, login: Login, workers: int = WORKERS) -> None:
        self.login = login
        self.host, self.port, self.path = login.target()
        self._context = login.context()
        self._local = threading.local()
        self._connections: list[http.client.HTTPSConnection] = []
        self._pool = ThreadPoolExecutor(workers)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Wait for running calls and close all connections."""
        self._pool.shutdown(cancel_futures=True)
        for connection in self._connections:
            connection.close()

    def get(self, path: str) -> t.Any:
        """The decoded answer."""
        return self._call("GET", path)

    def post(self, path: str, body: t.Any) -> t.Any:
        return self._call("POST", path, body)

    def put(self, path: str, body: t.Any) -> t.Any:
        return self._call("PUT", path, body)

    def delete(self, path: str, version: int) -> t.Any:
        """Delete an entity that is at this revision."""
        return self._call("DELETE", f"{path}?version={version}")

    def each(self, action: Callable[[Item], Answer], items: Iterable[Item]) -> list[Answer]:
        """Do something for each item, several at a time; answers in the items' order. The first error is raised.

        What has not begun by then does not begin.
        """
        futures = [self._pool.submit(action, item) for item in items]
        try:
            return [future.result() for future in futures]
        finally:
            for future in futures:
                future.cancel()

    def _connection(self) -> http.client.HTTPSConnection:
        connection = getattr(self._local, "connection", None)
        if connection is None:
            connection = http.client.HTTPSConnection(
                self.host, self.port, timeout=self.login.timeout, context=self._context
            )
            self._local.connection = connection
            self._connections.append(connection)
        return connection

    def _call(self, method: str, path: str, body: t.Any = None) -> t.Any:
        try:
            status, content = self._send(method, path, body)
        except ssl.SSLCertVerificationError as error:
            raise NifiError(
                f"{self.login.url} shows a certificate that {self.login.ca_path} does not vouch for: {_reason(error)}"
            ) from error
        except (OSError, http.client.HTTPException) as error:
            raise Unreachable(f"{self.login.url} does not answer: {_reason(error)}; see whether NiFi runs") from error
        if 200 <= status < 300:
            return json.loads(content) if content else None
        raise _refusal(method, path, status, content.decode("utf-8", "replace"))

    def _send(self, method: str, path: str, body: t.Any) -> tuple[int, bytes]:
        """Send, and once more on a new connection when a kept one turns out closed and nothing can happen twice."""
        connection = self._connection()
        kept = connection.sock is not None
        try:
            return _exchange(connection, method, self.path + path, body)
        except (http.client.RemoteDisconnected, ConnectionError):
            connection.close()
            if not kept or method not in RETRIED:
                raise
            return _exchange(connection, method, self.path + path, body)
        except BaseException:
            # Half an answer may be left in it.
            connection.close()
            raise


def _exchange(connection: http.client.HTTPConnection, method: str, path: str, body: t.Any) -> tuple[int, bytes]:
    headers = {"Accept": "application/json"}
    content = None
    if body is not None:
        content = json.dumps(body).encode()
        headers["Content-Type"] = "application/json"
    connection.request(method, path, content, headers)
    answer = connection.getresponse()
    return answer.status, answer.read()


def _refusal(method: str, path: str, status: int, text: str) -> NifiError:
    text = " ".join(text.split())[:500]
    message = f"{method} {path}: NiFi answers {status}: {text}"
    if "most up-to-date revision" in text:
        return Outdated(message)
    if status in (401, 403):
        message += " (does this certificate's identity have the policies for it?)"
    return Refused(message, status)


def _reason(error: BaseException) -> str:
    for text in (getattr(error, "verify_message", None), getattr(error, "strerror", None), str(error)):
        if text:
            return str(text)
    return type(error).__name__


def served_certificate(login: Login) -> bytes:
    """The certificate (DER) that NiFi serves, trusted or not: to see what it is, also when it is the wrong one."""
    host, port, _path = login.target()
    context = login.context(verify=False)
    try:
        with (
            socket.create_connection((host, port), timeout=login.timeout) as plain,
            context.wrap_socket(plain, server_hostname=host) as secure,
        ):
            return secure.getpeercert(binary_form=True) or b""
    except OSError as error:
        raise Unreachable(f"{login.url} does not answer: {_reason(error)}; see whether NiFi runs") from error


def health(url: str, timeout: int) -> tuple[int, str]:
    """Status and text that NiFi's management server (plain HTTP on loopback) answers; status 0 without an answer."""
    parts = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "127.0.0.1", parts.port or 80, timeout=timeout)
    with contextlib.closing(connection):
        try:
            status, content = _exchange(connection, "GET", parts.path or "/", None)
        except (OSError, http.client.HTTPException) as error:
            return 0, _reason(error)
    return status, content.decode("utf-8", "replace").strip()[:500]
