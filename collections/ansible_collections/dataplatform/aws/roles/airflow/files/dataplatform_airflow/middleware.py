"""The door of Airflow's API server: every request but a health check belongs to one certificate.

Runs before Airflow looks at a request. A subject without a role sees a page that says so; a token or a cookie that was
made for another certificate, or for roles that have changed since, is refused and the browser's session ended.
"""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from http.cookies import CookieError, SimpleCookie
from typing import Any

from dataplatform_airflow import identity
from dataplatform_airflow.access import Access, access

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

TOKEN_COOKIE, SESSION_COOKIE = "_token", "session"
# Without a certificate: what a load balancer's health check asks, and what tasks on this host call with a token of
# their own. The edge vouches for users alone, so tasks' interface is not for anybody who comes by way of it.
HEALTH = "/api/v2/monitor/health"
EXECUTION = "/execution"


class Refused(Exception):
    """A request that is answered here."""

    def __init__(self, status: int, title: str, text: str, end_session: bool = False) -> None:
        super().__init__(text)
        self.status, self.title, self.text, self.end_session = status, title, text, end_session


def claims_of(dn: str, roles: Iterable[str]) -> dict[str, Any]:
    """What a token says about the certificate it was made for."""
    return {"dn": dn, "roles": sorted(roles)}


class CertificateMiddleware:
    """ASGI middleware. `rules` is replaced in tests."""

    def __init__(self, app: App, rules: Access = access) -> None:
        self._app = app
        self._rules = rules

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":  # Airflow has no web sockets
            await send({"type": "websocket.close", "code": 1008})
            return
        try:
            certificate = self.admit(scope)
        except Refused as refused:
            await _answer(scope, send, refused)
            return
        if certificate is not None:
            # What users speak is HTTPS, whatever the edge speaks on this host: cookies are marked accordingly.
            scope["scheme"] = "https"
        mark = identity.current.set(certificate)
        try:
            await self._app(scope, receive, send)
        finally:
            identity.current.reset(mark)

    def admit(self, scope: Scope) -> identity.Certificate | None:
        """The certificate of an admitted request; None for what needs none. Raises Refused."""
        path = str(scope["path"])
        try:
            certificate = identity.certificate_of(scope["headers"])
        except identity.IdentityError as error:
            raise Refused(403, "Your certificate was not accepted", str(error)) from None
        tasks = path == EXECUTION or path.startswith(EXECUTION + "/")
        if certificate is None:
            if tasks or path == HEALTH:
                return None
            raise Refused(401, "A certificate is needed", "This door opens with a client certificate only.")
        if tasks:
            raise Refused(403, "Not for users", "Only tasks on Airflow's own hosts use this interface.")
        roles = self._rules.roles(certificate.dn)
        if not roles:
            raise Refused(
                403,
                "No access to Airflow",
                f"Your certificate is valid, but {certificate.dn} has no role in Airflow. Roles follow from the rules "
                "in access.yml: ask the platform's administrators for one, and name this subject.",
            )
        self._check_tokens(scope, claims_of(certificate.dn, roles))
        return certificate

    def _check_tokens(self, scope: Scope, wanted: dict[str, Any]) -> None:
        """Refuse a token of somebody else. Whether it is genuine Airflow itself verifies, later on the same request."""
        bearers = [value for name, value in scope["headers"] if name == b"authorization"]
        for value in bearers:
            scheme, _space, token = value.decode("latin-1").partition(" ")
            if scheme.lower() == "bearer" and not _made_for(token.strip(), wanted):
                raise Refused(
                    403,
                    "Another certificate's token",
                    "This token was made for another certificate, or for roles that have changed since. "
                    "Get a new one with POST /auth/certificate-token.",
                )
        for token in _cookies(scope, TOKEN_COOKIE):
            if not _made_for(token, wanted):
                raise Refused(
                    401,
                    "Your session has ended",
                    "It was begun with another certificate, or your roles have changed since. Open Airflow again.",
                    end_session=True,
                )


def _made_for(token: str, wanted: dict[str, Any]) -> bool:
    """Whether a token's claims (RFC 7519: the part between the dots) are the wanted ones."""
    try:
        _header, claims, _signature = token.split(".")
        found = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
        return all(found.get(name) == value for name, value in wanted.items())
    except (ValueError, AttributeError):
        return False


def _cookies(scope: Scope, wanted: str) -> list[str]:
    """Every value that a cookie has, over all headers: whichever Airflow picks was looked at."""
    found = []
    for name, value in scope["headers"]:
        if name == b"cookie":
            for part in value.decode("latin-1").split(";"):
                try:
                    jar = SimpleCookie(part.strip())
                except CookieError:
                    continue
                found += [morsel.value for key, morsel in jar.items() if key == wanted]
    return [value for value in found if value]


async def _answer(scope: Scope, send: Send, refused: Refused) -> None:
    accept = b",".join(value for name, value in scope["headers"] if name == b"accept")
    if b"text/html" in accept:
        kind = b"text/html; charset=utf-8"
        title, text = html.escape(refused.title), html.escape(refused.text)
        body = (
            f"<!doctype html><html lang=en><meta charset=utf-8><title>{title}</title>"
            f"<body style='font-family:sans-serif;max-width:40em;margin:4em auto'><h1>{title}</h1><p>{text}</p>"
            "<p><a href='/'>Airflow</a></p></body></html>"
        ).encode()
    else:
        kind, body = b"application/json", json.dumps({"detail": refused.text}).encode()
    headers = [(b"content-type", kind), (b"content-length", str(len(body)).encode()), (b"cache-control", b"no-store")]
    if refused.end_session:
        headers += [
            (b"set-cookie", f"{name}=; Max-Age=0; Path=/; HttpOnly; Secure; SameSite=Lax".encode())
            for name in (TOKEN_COOKIE, SESSION_COOKIE)
        ]
    await send({"type": "http.response.start", "status": refused.status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})
