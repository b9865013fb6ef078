"""The accounts of a rehearsal: which are open, and how each one's API is reached."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import asdict, dataclass, field, fields
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from rehearsal.processes import write_json

API_PORT = 4566
API = f"http://127.0.0.1:{API_PORT}"
ROLE = "OrganizationAccountAccessRole"
"""Role by which AWS Organizations gives the parent account access to a member account."""


@dataclass(frozen=True)
class Opened:
    """An account that was opened: what the supervisor has to know of its environment.

    `archives` belong into `bucket`: key → path on this machine.
    """

    env: str
    account_id: str
    region: str
    domain: str
    bucket: str = ""
    archives: Mapping[str, str] = field(default_factory=dict)


class Registry:
    """The open accounts, kept in a file that supervisor and commands share."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "accounts.json"

    def all(self) -> dict[str, Opened]:
        """Environment → account."""
        try:
            noted = json.loads(self._path.read_text())
        except (OSError, ValueError):
            return {}
        known = {one.name for one in fields(Opened)}
        return {env: Opened(**{k: v for k, v in item.items() if k in known}) for env, item in noted.items()}

    def add(self, opened: Opened) -> None:
        """Note an account as open."""
        self._write(self.all() | {opened.env: opened})

    def remove(self, env: str) -> None:
        """Forget an account."""
        self._write({name: opened for name, opened in self.all().items() if name != env})

    def _write(self, accounts: Mapping[str, Opened]) -> None:
        write_json(self._path, {env: asdict(opened) for env, opened in accounts.items()})


class AccountSession:
    """Clients of one account, made once each: what is used of a boto3 session."""

    def __init__(self, account_id: str, region: str, api: str = API) -> None:
        self.account_id = account_id
        self.region = region
        self.api = api
        self._credentials: dict[str, str] | None = None
        self._clients: dict[str, Any] = {}
        self._lock = threading.Lock()

    def client(self, service_name: str, /) -> Any:
        """A client of the service in this account."""
        with self._lock:
            if service_name not in self._clients:
                keys = self.credentials()
                self._clients[service_name] = _client(
                    service_name,
                    self.region,
                    self.api,
                    keys["AccessKeyId"],
                    keys["SecretAccessKey"],
                    keys["SessionToken"],
                )
            return self._clients[service_name]

    def credentials(self) -> dict[str, str]:
        """AccessKeyId, SecretAccessKey and SessionToken, got by assuming the account's role."""
        if self._credentials is None:
            sts = _client("sts", self.region, self.api, "rehearsal", "rehearsal", None)
            arn = f"arn:aws:iam::{self.account_id}:role/{ROLE}"
            answer = sts.assume_role(RoleArn=arn, RoleSessionName="rehearsal")["Credentials"]
            self._credentials = {name: answer[name] for name in ("AccessKeyId", "SecretAccessKey", "SessionToken")}
        return self._credentials


def _client(service: str, region: str, api: str, key: str, secret: str, token: str | None) -> Any:
    import boto3
    from botocore.config import Config

    session: Any = boto3.session.Session()
    return session.client(
        service,
        region_name=region,
        endpoint_url=api,
        aws_access_key_id=key,
        aws_secret_access_key=secret,
        aws_session_token=token,
        config=Config(
            connect_timeout=3,
            read_timeout=30,
            retries={"max_attempts": 1},
            max_pool_connections=4,
            # the machine's own proxies are for the real AWS
            proxies={},
            s3={"addressing_style": "path"},
        ),
    )


def answering(api: str = API) -> bool:
    """Whether the account API is ready."""
    return changes(api) is not None


def changes(api: str = API) -> int | None:
    """How many calls that may have changed something the API has served, None when it does not answer.

    Asked every second: an opener of urllib would read every CA certificate first.
    """
    where = urlsplit(api)
    with closing(HTTPConnection(where.hostname or "", where.port, timeout=3)) as connection:
        try:
            connection.request("GET", "/_rehearsal/ready")
            answer = connection.getresponse()
            known = dict(json.loads(answer.read()))
        except (OSError, HTTPException, ValueError, TypeError):
            return None
    if answer.status != HTTPStatus.OK:
        return None
    # an account of older code, which goes on until its rehearsal ends, does not count
    return int(known.get("changes", time.monotonic_ns()))
