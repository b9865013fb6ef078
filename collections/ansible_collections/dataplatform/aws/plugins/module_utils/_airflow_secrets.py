# Copyright: (c) 2026, the data platform provisioner's contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The secrets of an Airflow installation: its keys and the address of its database.

``PREFIX/config/fernet_key``        encrypts connections and variables; after a rotation: the new key, a comma, the old one
``PREFIX/config/jwt_secret``        signs tokens
``PREFIX/config/api_secret_key``    signs sessions, and requests for logs between hosts
``PREFIX/config/sql_alchemy_conn``  the database's address with user and password

Values are made here and go to Secrets Manager; no function returns one. Private to this collection. Imports nothing
from ansible. `client` is a boto3 client of secretsmanager.
"""

from __future__ import annotations

import base64
import secrets
import typing as t
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from urllib.parse import quote, unquote, urlencode, urlsplit

from ansible_collections.dataplatform.aws.plugins.module_utils import _aws

PASSWORD_BYTES = 32
CONNECTION = "sql_alchemy_conn"


@dataclass(frozen=True)
class Database:
    """Where the database is and how Airflow logs in to it. certificates: file on Airflow's hosts with the server's CAs."""

    host: str
    port: int
    name: str
    user: str
    certificates: str

    def address(self, password: str) -> str:
        """The SQLAlchemy address; the server's certificate and name are verified."""
        query = urlencode({"sslmode": "verify-full", "sslrootcert": self.certificates}, safe="/")
        login = f"{quote(self.user, safe='')}:{quote(password, safe='')}"
        return f"postgresql+psycopg2://{login}@{self.host}:{self.port}/{quote(self.name, safe='')}?{query}"


def fernet_key() -> str:
    """A key as the Fernet specification wants it: 32 random bytes in URL-safe base64."""
    return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode("ascii")


def _rotated_fernet(old: str) -> str:
    """The new key first, which encrypts; the one before it still decrypts."""
    return f"{fernet_key()},{old.split(',')[0]}"


def _token(_old: str = "") -> str:
    return secrets.token_urlsafe(64)


MAKERS: dict[str, tuple[Callable[[], str], Callable[[str], str]]] = {
    "fernet_key": (fernet_key, _rotated_fernet),
    "jwt_secret": (_token, _token),
    "api_secret_key": (_token, _token),
}
"""Secret → how its first value is made, and how the next one is made of the last."""
NAMES = (*MAKERS, CONNECTION)


def _read(client: t.Any, name: str) -> tuple[str, str] | None:
    """Value and version of a secret; None when there is none or it has no value yet."""
    try:
        found = _aws.call(client, "get_secret_value", SecretId=name)
    except _aws.AwsError as error:
        if error.code == "ResourceNotFoundException":
            return None
        raise
    return str(found["SecretString"]), str(found["VersionId"])


def _write(client: t.Any, name: str, value: str, kms_key_id: str | None, tags: Mapping[str, str]) -> str:
    """Put a value, make the secret when it is new; returns the version."""
    encryption: dict[str, t.Any] = {"KmsKeyId": kms_key_id} if kms_key_id else {}
    labels = [{"Key": key, "Value": text} for key, text in sorted(tags.items())]
    description = "Read by Airflow's hosts; made and rotated by the airflow role"
    try:
        made = _aws.call(
            client,
            "create_secret",
            Name=name,
            Description=description,
            SecretString=value,
            **({"Tags": labels} if labels else {}),
            **encryption,
        )
    except _aws.AwsError as error:
        if error.code != "ResourceExistsException":
            raise
        made = _aws.call(client, "put_secret_value", SecretId=name, SecretString=value)
    return str(made["VersionId"])


def _password(address: str) -> str:
    return unquote(urlsplit(address).password or "")


def _wanted(name: str, old: str | None, database: Database, rotate: bool) -> tuple[str, str]:
    """The value that a secret should have, and why it differs from the old one (empty: it does not)."""
    if name == CONNECTION:
        if old is None or rotate or not _password(old):
            reason = "created" if old is None else "rotated"
            return database.address(secrets.token_urlsafe(PASSWORD_BYTES)), reason
        address = database.address(_password(old))
        return address, "" if address == old else "moved"
    first, following = MAKERS[name]
    if old is None:
        return first(), "created"
    return (following(old), "rotated") if rotate else (old, "")


def ensure(
    client: t.Any,
    prefix: str,
    database: Database,
    rotate: Collection[str] = (),
    kms_key_id: str | None = None,
    tags: Mapping[str, str] | None = None,
    check: bool = False,
) -> dict[str, dict[str, str]]:
    """Make what is missing, replace what is to be rotated, and follow a database that moved.

    Returns secret → {"state": unchanged, created, rotated or moved, "version": id of the version in use}.
    """
    found: dict[str, dict[str, str]] = {}
    for name in NAMES:
        full = f"{prefix}/config/{name}"
        old = _read(client, full)
        value, reason = _wanted(name, old[0] if old else None, database, name in rotate)
        version = old[1] if old else ""
        if reason and not check:
            version = _write(client, full, value, kms_key_id, tags or {})
        found[name] = {"state": reason or "unchanged", "version": version}
    return found
