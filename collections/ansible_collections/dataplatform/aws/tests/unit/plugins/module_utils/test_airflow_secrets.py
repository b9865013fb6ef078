"""Airflow's secrets: made once, kept, rotated when asked, and never in a result."""

from __future__ import annotations

import base64
import json
from typing import Any
from urllib.parse import urlsplit

import pytest
from ansible_collections.dataplatform.aws.plugins.module_utils import _airflow_secrets as airflow
from botocore.exceptions import ClientError

PREFIX = "dataplatform/dev/airflow"
DATABASE = airflow.Database("db.example.internal", 5432, "airflow", "airflow", "/etc/airflow/database-ca.pem")


class Manager:
    """Secrets Manager as far as it is used, over a dictionary of name → values, the newest last."""

    def __init__(self) -> None:
        self.values: dict[str, list[str]] = {}

    def get_secret_value(self, SecretId: str) -> dict[str, Any]:
        if not self.values.get(SecretId):
            raise ClientError({"Error": {"Code": "ResourceNotFoundException"}}, "GetSecretValue")
        return {"SecretString": self.values[SecretId][-1], "VersionId": str(len(self.values[SecretId]))}

    def create_secret(self, Name: str, SecretString: str, **_more: Any) -> dict[str, Any]:
        if Name in self.values:
            raise ClientError({"Error": {"Code": "ResourceExistsException"}}, "CreateSecret")
        self.values[Name] = [SecretString]
        return {"VersionId": "1"}

    def put_secret_value(self, SecretId: str, SecretString: str) -> dict[str, Any]:
        self.values[SecretId].append(SecretString)
        return {"VersionId": str(len(self.values[SecretId]))}

    def value(self, name: str) -> str:
        return self.values[f"{PREFIX}/config/{name}"][-1]


@pytest.fixture
def manager() -> Manager:
    return Manager()


def test_first_run_makes_all_and_the_second_keeps_them(manager):
    first = airflow.ensure(manager, PREFIX, DATABASE)
    kept = {name: list(values) for name, values in manager.values.items()}
    second = airflow.ensure(manager, PREFIX, DATABASE)
    assert {one["state"] for one in first.values()} == {"created"}
    assert {one["state"] for one in second.values()} == {"unchanged"}
    assert manager.values == kept
    assert set(kept) == {f"{PREFIX}/config/{name}" for name in airflow.NAMES}
    assert len({values[0] for values in kept.values()}) == 4


def test_keys_are_what_airflow_takes(manager):
    airflow.ensure(manager, PREFIX, DATABASE)
    assert len(base64.urlsafe_b64decode(manager.value("fernet_key"))) == 32
    assert len(manager.value("jwt_secret")) >= 64  # HS512: RFC 7518 section 3.2 wants 64 bytes
    url = urlsplit(manager.value("sql_alchemy_conn"))
    assert (url.scheme, url.hostname, url.port, url.path) == ("postgresql+psycopg2", DATABASE.host, 5432, "/airflow")
    assert url.query == "sslmode=verify-full&sslrootcert=/etc/airflow/database-ca.pem"
    assert url.username == "airflow"
    assert len(url.password) >= 40


def test_an_empty_secret_that_somebody_else_made_gets_its_value(manager):
    manager.values[f"{PREFIX}/config/jwt_secret"] = []
    assert airflow.ensure(manager, PREFIX, DATABASE)["jwt_secret"]["state"] == "created"
    assert manager.value("jwt_secret")


def test_rotation_replaces_only_what_was_asked_for(manager):
    airflow.ensure(manager, PREFIX, DATABASE)
    before = {name: manager.value(name) for name in airflow.NAMES}
    found = airflow.ensure(manager, PREFIX, DATABASE, rotate=["jwt_secret", "sql_alchemy_conn"])
    changed = {name for name in airflow.NAMES if manager.value(name) != before[name]}
    assert changed == {"jwt_secret", "sql_alchemy_conn"} == {n for n, one in found.items() if one["state"] == "rotated"}


def test_the_fernet_key_before_still_decrypts_and_older_ones_go(manager):
    airflow.ensure(manager, PREFIX, DATABASE)
    keys = [manager.value("fernet_key")]
    for _turn in range(2):
        airflow.ensure(manager, PREFIX, DATABASE, rotate=["fernet_key"])
        new, old = manager.value("fernet_key").split(",")
        assert old == keys[-1]
        assert new not in keys
        keys.append(new)


def test_a_moved_database_keeps_its_password(manager):
    airflow.ensure(manager, PREFIX, DATABASE)
    password = urlsplit(manager.value("sql_alchemy_conn")).password
    moved = airflow.Database("other.example.internal", 5433, "airflow", "airflow", DATABASE.certificates)
    assert airflow.ensure(manager, PREFIX, moved)["sql_alchemy_conn"]["state"] == "moved"
    url = urlsplit(manager.value("sql_alchemy_conn"))
    assert (url.hostname, url.port, url.password) == ("other.example.internal", 5433, password)


def test_check_mode_writes_nothing_and_no_value_is_returned(manager):
    assert {one["state"] for one in airflow.ensure(manager, PREFIX, DATABASE, check=True).values()} == {"created"}
    assert manager.values == {}
    found = json.dumps(airflow.ensure(manager, PREFIX, DATABASE))
    assert not any(part in found for name in airflow.NAMES for part in (manager.value(name), "://"))
