"""What a DB instance's PostgreSQL is told follows from its parameter group, and never shows a password."""

from __future__ import annotations

import base64
import hashlib
import hmac

from rehearsal.databases import settings
from rehearsal.databases.model import Database


def database(**changed: object) -> Database:
    values = {
        "identifier": "dev-airflow",
        "account_id": "111122223333",
        "resource_id": "db-ABC",
        "engine": "postgres",
        "version": "17.6",
        "state": "available",
        "vpc_id": "vpc-1",
        "address": "10.20.1.9",
        "mac": "02:00:00:00:00:09",
        "endpoint": "dev-airflow.c1.eu-central-1.rds.amazonaws.com",
        "port": 5432,
        "name": "airflow",
        "master": "dbadmin",
        "secret_arn": "arn:aws:secretsmanager:eu-central-1:111122223333:secret:rds!db-1",
        "groups": ("sg-1",),
    }
    return Database(**{**values, **changed})  # type: ignore[arg-type]


def configured(**parameters: str) -> dict[str, str]:
    text = settings.configuration(database(parameters=parameters))
    return {name: value.strip("'") for name, _, value in (line.partition(" = ") for line in text.splitlines())}


def test_parameters_of_the_group_are_postgresqls_settings() -> None:
    found = configured(log_statement="ddl", max_connections="60", **{"rds.force_ssl": "1"})
    assert (found["log_statement"], found["max_connections"], found["port"]) == ("ddl", "60", "5432")
    assert not [name for name in found if name.startswith("rds.")]


def test_memory_is_small_whatever_the_instance_would_have() -> None:
    found = configured(
        shared_buffers="{DBInstanceClassMemory/32768}", max_connections="LEAST({DBInstanceClassMemory/9531392},5000)"
    )
    assert (found["shared_buffers"], found["max_connections"]) == ("64MB", "100")


def test_no_group_moves_the_files() -> None:
    assert configured(data_directory="/elsewhere")["data_directory"] == "/var/lib/postgresql/data/main"


def test_a_value_stays_one_value() -> None:
    text = settings.configuration(database(parameters={"log_line_prefix": "x", "timezone": "a'\nport = 1"}))
    assert "timezone = 'a''\nport = 1'\n" in text


def test_forced_tls_admits_nobody_without() -> None:
    forced = settings.access(database(parameters={"rds.force_ssl": "1"})).splitlines()
    assert forced[-1] == "hostssl all all all scram-sha-256"
    assert "host all rdsadmin all reject" in forced
    assert settings.access(database()).splitlines()[-1] == "host all all all scram-sha-256"


def test_the_password_is_in_no_statement_and_its_verifier_is_right() -> None:
    """RFC 5802: a client that knows the password arrives at StoredKey."""
    password = "it's:a%secret"
    text = settings.statements(database(), password)
    assert password not in text
    assert "SCRAM-SHA-256$4096:" in text
    rounds, salt, stored, _ = (
        settings.verifier(password, b"0123456789abcdef").removeprefix("SCRAM-SHA-256$").replace("$", ":").split(":")
    )
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), base64.b64decode(salt), int(rounds))
    client = hmac.digest(salted, b"Client Key", "sha256")
    assert base64.b64decode(stored) == hashlib.sha256(client).digest()


def test_names_are_quoted() -> None:
    text = settings.statements(database(master='a"; DROP ROLE x; --', name="d'b"), "p")
    assert 'CREATE ROLE "a""; DROP ROLE x; --" LOGIN' in text
    assert "'d''b'" in text


def test_only_a_started_instance_is_wanted() -> None:
    wanted = {state for state in ("available", "modifying", "rebooting", "starting") if database(state=state).wanted}
    assert len(wanted) == 4
    assert not any(database(state=state).wanted for state in ("creating", "stopping", "stopped", "deleting"))
