# Copyright: the data platform provisioner's authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One HTTPS request as a browser would make it, with or without a client certificate.

Keys stay in memory: Python's TLS reads key pairs from files only, so a pair is handed over as an anonymous memory
file (``memfd_create(2)``) that has no name and ends with the process.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import socket
import ssl
import typing as t
from dataclasses import dataclass, field


class Refused(Exception):
    """The TLS handshake was refused by the other side: no request was answered."""


class Unreachable(Exception):
    """No answer for a reason that is not a refusal (name, route, port, time-out): proves nothing."""


@dataclass(frozen=True)
class KeyPair:
    """A client certificate with its chain, and its private key; both PEM."""

    certificate: bytes
    key: bytes = field(repr=False)


@dataclass(frozen=True)
class Response:
    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> t.Any:
        """The body as JSON, or ``{}`` when it is none (an edge's own error page)."""
        try:
            return json.loads(self.body)
        except ValueError:
            return {}


@dataclass(frozen=True)
class Endpoint:
    """Where users log in: ``host`` is the public name, ``ca_path`` the CA of its certificate (None: the system's).

    timeout: seconds for connection and handshake
    answer_timeout: seconds for an answer; a balancer waits 60 s for one by default, and then says so itself (504)
    """

    host: str
    port: int = 443
    ca_path: str | None = None
    timeout: float = 15.0
    answer_timeout: float = 65.0

    def address(self) -> str:
        """What to connect to. Names below ``localhost`` are the loopback address (RFC 6761, section 6.3)."""
        return "127.0.0.1" if self.host.endswith(".localhost") else self.host

    @property
    def origin(self) -> str:
        return f"https://{self.host}" if self.port == 443 else f"https://{self.host}:{self.port}"

    def request(
        self,
        method: str,
        path: str,
        *,
        pair: KeyPair | None = None,
        headers: t.Sequence[tuple[str, str]] = (),
        body: t.Any = None,
    ) -> Response:
        """Send one request on a connection of its own.

        Raises:
            Refused: the handshake failed because of the client's certificate (or its absence).
            Unreachable: there was no connection, or no answer in time.
        """
        payload = None if body is None else json.dumps(body).encode()
        try:
            with contextlib.closing(self._connect(pair)) as connection:
                connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
                connection.putheader("Host", self.host if self.port == 443 else f"{self.host}:{self.port}")
                for name, value in headers:
                    connection.putheader(name, value)
                if payload is not None:
                    connection.putheader("Content-Type", "application/json")
                    connection.putheader("Content-Length", str(len(payload)))
                connection.endheaders(payload)
                answer = connection.getresponse()
                return Response(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
        except ssl.SSLCertVerificationError as error:
            raise Unreachable(f"the certificate of {self.host} is not trusted: {error.verify_message}") from error
        # With TLS 1.3 a refused client certificate shows at the first read, as an alert or as a closed connection.
        except (ssl.SSLError, ConnectionResetError, BrokenPipeError, http.client.RemoteDisconnected) as error:
            raise Refused(_reason(error)) from error
        except (OSError, http.client.HTTPException) as error:
            raise Unreachable(f"{self.host}:{self.port}: {error}") from error

    def _connect(self, pair: KeyPair | None) -> http.client.HTTPConnection:
        context = ssl.create_default_context(cafile=self.ca_path)
        context.set_alpn_protocols(["http/1.1"])
        if pair is not None:
            _load(context, pair)
        raw = socket.create_connection((self.address(), self.port), timeout=self.timeout)
        try:
            secured = context.wrap_socket(raw, server_hostname=self.host)
        except BaseException:
            raw.close()
            raise
        secured.settimeout(self.answer_timeout)
        connection = http.client.HTTPConnection(self.host, self.port)
        connection.sock = secured
        return connection


def _load(context: ssl.SSLContext, pair: KeyPair) -> None:
    descriptor = os.memfd_create("client-certificate", os.MFD_CLOEXEC)
    try:
        os.write(descriptor, pair.certificate.rstrip() + b"\n" + pair.key)
        context.load_cert_chain(f"/proc/self/fd/{descriptor}")
    finally:
        os.close(descriptor)


def _reason(error: BaseException) -> str:
    return getattr(error, "reason", None) or str(error) or type(error).__name__
