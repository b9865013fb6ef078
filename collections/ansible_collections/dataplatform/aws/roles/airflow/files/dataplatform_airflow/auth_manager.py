"""Airflow's auth manager: Flask-AppBuilder's users and roles, logins by certificate alone."""

from __future__ import annotations

import time
from typing import Any

from airflow import settings
from airflow.api_fastapi.app import get_auth_manager
from airflow.configuration import conf
from airflow.providers.fab.auth_manager.fab_auth_manager import FabAuthManager
from fastapi import FastAPI, HTTPException
from pydantic import BaseModel

from dataplatform_airflow import identity
from dataplatform_airflow.access import access
from dataplatform_airflow.middleware import CertificateMiddleware, claims_of
from dataplatform_airflow.security_manager import end_foreign_session

TOKEN_SECONDS = conf.getint("api_auth", "jwt_expiration_time")
CLIENT_SECONDS = conf.getint("api_auth", "jwt_cli_expiration_time")


class Token(BaseModel):
    """A token for `Authorization: Bearer`, good for `expires_in` seconds and with the same certificate only."""

    access_token: str
    expires_in: int


class CertificateAuthManager(FabAuthManager):
    """Tokens carry the subject they were made for and end with its certificate; the middleware refuses others."""

    def get_fastapi_middlewares(self) -> list[tuple[Any, dict[str, Any]]]:
        """The last of them is the first that sees a request."""
        return [*super().get_fastapi_middlewares(), (CertificateMiddleware, {})]

    def get_fastapi_app(self) -> FastAPI | None:
        app = super().get_fastapi_app()
        if app is None or self.flask_app is None:
            return app
        self.flask_app.before_request_funcs.setdefault(None, []).insert(0, end_foreign_session)
        app.add_api_route("/certificate-token", certificate_token, methods=["POST"], status_code=201)
        # Before the catch-all at the end, which hands the rest to Flask.
        app.router.routes.insert(0, app.router.routes.pop())
        return app

    def serialize_user(self, user: Any) -> dict[str, Any]:
        return {**super().serialize_user(user), **claims_of(user.username, access.roles(user.username))}

    def generate_jwt(self, user: Any, *, expiration_time_in_seconds: int = TOKEN_SECONDS) -> str:
        """A token that ends no later than the certificate of this request."""
        certificate = identity.current.get()
        if certificate is None or certificate.dn != user.username:
            raise ValueError(f"no token for {user.username}: this request's certificate is not that user's")
        seconds = max(1, min(expiration_time_in_seconds, certificate.seconds_left()))
        return super().generate_jwt(user, expiration_time_in_seconds=seconds)

    def deserialize_user(self, token: dict[str, Any]) -> Any:
        """The user of a genuine token. Once more: it must be the one of this request's certificate."""
        user = super().deserialize_user(token)
        certificate = identity.current.get()
        if certificate is None or not token.get("dn") == user.username == certificate.dn:
            raise ValueError("the token was made for another certificate")
        return user

    def create_token(self, headers: dict[str, str], body: dict[str, Any]) -> Any:
        """Nobody has a password here."""
        raise ValueError("There are no passwords: POST /auth/certificate-token exchanges your certificate for a token.")


def certificate_token() -> Token:
    """Exchange the certificate of this request for a short token, for command lines and programs."""
    manager = get_auth_manager()
    certificate = identity.current.get()
    assert isinstance(manager, CertificateAuthManager)
    assert manager.flask_app is not None
    try:
        with manager.flask_app.app_context():
            user = manager.security_manager.user_of(certificate.dn) if certificate else None
            if user is None or certificate is None:
                raise HTTPException(403, "This certificate has no account in Airflow.")
            began = time.time()
            token = manager.generate_jwt(user, expiration_time_in_seconds=CLIENT_SECONDS)
        left = min(CLIENT_SECONDS, int(certificate.not_after - began))
        return Token(access_token=token, expires_in=max(1, left))
    finally:
        # This thread's session; the app's own cleaning reaches only that of the event loop.
        settings.Session.remove()
