"""Looks after Airflow's database: `python -m dataplatform_airflow.database check|migrate|serving|clean|restore`.

Its settings come from Airflow's environment file and the secret that Airflow itself uses. Prints one JSON line; exit
status 1, with the reason, when something is wrong. The lock under which hosts take turns is PostgreSQL's own, and what
the database was migrated for stands in the database's comment, so hosts that come and go agree about it.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import boto3
import psycopg2
from botocore.exceptions import BotoCoreError, ClientError

LOCK = 0x41697266  # any number that nobody else locks in this database
MARK = "migrated for "
KEEP_BACKUPS = 3
JOBS = {"scheduler": "SchedulerJob", "dag-processor": "DagProcessorJob", "triggerer": "TriggererJob"}
"""Components that write into the database that they are at work, and as what."""
OTHERS = """
select string_agg(distinct host(client_addr), ', ') from pg_stat_activity
where usename = current_user and datname = current_database() and pid <> pg_backend_pid()
"""
SEEN = "select 1 from job where job_type = %s and hostname = %s and latest_heartbeat >= to_timestamp(%s)"
# What PostgreSQL says (in English: its `lc_messages` is C) when the role, its password or the database is to be made.
UNPROVISIONED = ("password authentication failed", "does not exist", "is not permitted to log in")


class DatabaseError(Exception):
    """Something outside is wrong; the text says what and what to do."""


def secret() -> str | None:
    """The connection's address, or None when the secret does not exist yet."""
    name = f"{os.environ['DATAPLATFORM_AIRFLOW_SECRETS']}/config/sql_alchemy_conn"
    try:
        return str(boto3.client("secretsmanager").get_secret_value(SecretId=name)["SecretString"])
    except ClientError as error:
        if error.response["Error"]["Code"] == "ResourceNotFoundException":
            return None
        raise DatabaseError(f"secret {name}: {error}; look at the instance profile's policy") from error


def parts(address: str) -> dict[str, str]:
    """libpq's connection parameters of an SQLAlchemy address."""
    url = urlsplit(address)
    query = {name: values[-1] for name, values in parse_qs(url.query).items()}
    return {
        "host": url.hostname or "",
        "port": str(url.port or 5432),
        "dbname": url.path.lstrip("/"),
        "user": unquote(url.username or ""),
        "password": unquote(url.password or ""),
        **query,
    }


def connect(address: str) -> Any:
    """A connection that commits each statement."""
    connection = psycopg2.connect(**parts(address), connect_timeout=10, application_name="dataplatform-airflow")
    connection.autocommit = True
    return connection


def ask(connection: Any, statement: str, *values: Any) -> Any:
    """The first column of the first row, or None."""
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        row = cursor.fetchone() if cursor.description else None
        return row[0] if row else None


def migrated_for(connection: Any) -> str:
    """Name of the lock file that the database was last migrated for; empty for none."""
    comment = ask(
        connection,
        "select shobj_description(oid, 'pg_database') from pg_database where datname = current_database()",
    )
    return str(comment or "").removeprefix(MARK) if str(comment or "").startswith(MARK) else ""


@contextmanager
def turn(connection: Any) -> Iterator[None]:
    """This host's turn. The lock ends with the connection, so one that dies leaves none."""
    ask(connection, "select pg_advisory_lock(%s)", LOCK)
    try:
        yield
    finally:
        ask(connection, "select pg_advisory_unlock(%s)", LOCK)


def check() -> dict[str, Any]:
    """Whether Airflow can log in, and what the database was migrated for."""
    address = secret()
    if address is None:
        return {"login": False, "migrated_for": "", "reason": "there is no secret yet"}
    try:
        with closing(connect(address)) as connection:
            return {"login": True, "migrated_for": migrated_for(connection)}
    except psycopg2.OperationalError as error:
        reason = str(error).strip()
        if any(text in reason for text in UNPROVISIONED):
            return {"login": False, "migrated_for": "", "reason": reason}
        raise DatabaseError(f"{reason}. Look at the endpoint, the security group and airflow_database_ca.") from error


def postgresql(address: str, *command: str) -> str:
    """Run a program of PostgreSQL's on the database. Returns what went wrong. The password is in no argument list."""
    names = {"dbname": "PGDATABASE", "sslmode": "PGSSLMODE", "sslrootcert": "PGSSLROOTCERT"}
    settings = {names.get(key, f"PG{key.upper()}"): value for key, value in parts(address).items()}
    done = subprocess.run(command, env={**os.environ, **settings}, capture_output=True, text=True, check=False)
    return (done.stderr.strip() or f"exit status {done.returncode}") if done.returncode else ""


def backup(address: str, folder: Path, bucket: str, came_from: str) -> str:
    """Dump the database to `folder` and to the bucket; returns the file."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    now = dt.datetime.now(dt.UTC).strftime("%Y%m%dT%H%M%SZ")
    path = folder / f"airflow-{now}-{came_from or 'unknown'}.dump"
    unfinished = path.with_suffix(".part")
    failure = postgresql(address, "pg_dump", "--format=custom", "--no-owner", f"--file={unfinished}")
    if failure:
        raise DatabaseError(f"no backup, so nothing was migrated: {failure}")
    unfinished.replace(path)
    if bucket:
        boto3.client("s3").upload_file(str(path), bucket, f"airflow/backups/{path.name}")
    for old in sorted(folder.glob("airflow-*.dump"))[:-KEEP_BACKUPS]:
        old.unlink()
    return str(path)


def airflow(*arguments: str) -> None:
    """Run Airflow's command line of this very environment."""
    program = Path(sys.prefix) / "bin" / "airflow"
    done = subprocess.run(
        [str(program), *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    if done.returncode:
        raise DatabaseError(f"airflow {' '.join(arguments)} failed ({done.returncode}):\n{done.stdout[-3000:]}")


def required() -> str:
    """The connection's address, which must be there by now."""
    address = secret()
    if address is None:
        raise DatabaseError("there is no secret with the connection yet; the airflow role makes it")
    return address


def migrate(lock: str, folder: Path, bucket: str) -> dict[str, Any]:
    """Bring the database to what this environment needs, once for all hosts, after a backup of what is there."""
    address = required()
    with closing(connect(address)) as connection, turn(connection):
        came_from = migrated_for(connection)
        if came_from == lock:
            return {"changed": False}
        used = ask(connection, "select to_regclass('public.alembic_version')") is not None
        saved = backup(address, folder, bucket, came_from) if used else None
        airflow("db", "migrate")
        name = ask(connection, "select quote_ident(current_database())")
        ask(connection, f"comment on database {name} is %s", MARK + lock)
        return {"changed": True, "from": came_from, "to": lock, "backup": saved}


def restore(dump: Path) -> dict[str, Any]:
    """Put a backup in place of all tables, also of those that a newer version added; or leave everything as it is."""
    address = required()
    with closing(connect(address)) as connection, turn(connection):
        if busy := ask(connection, OTHERS):
            raise DatabaseError(
                f"Airflow still uses the database: systemctl stop 'airflow-*' on every host, as on {busy}"
            )
        failure = postgresql(address, "pg_restore", "--list", "--file=/dev/null", str(dump))
        if failure:
            raise DatabaseError(f"{dump} is no backup: {failure}")
        ask(connection, "alter schema public rename to replaced")
        ask(connection, "create schema public authorization pg_database_owner")
        options = ("--no-owner", "--single-transaction", "--exit-on-error", f"--dbname={parts(address)['dbname']}")
        failure = postgresql(address, "pg_restore", *options, str(dump))
        if failure:
            ask(connection, "drop schema public cascade")
            ask(connection, "alter schema replaced rename to public")
            raise DatabaseError(f"nothing was restored: {failure}")
        ask(connection, "drop schema replaced cascade")
        # Whichever version is installed next has to look at the tables again.
        ask(connection, f"comment on database {ask(connection, 'select quote_ident(current_database())')} is null")
        return {"changed": True, "from": str(dump)}


def started(unit: str) -> float | None:
    """When a component was started last; None while one that died waits for its next start."""
    try:
        return Path(f"/run/airflow-{unit}/started").stat().st_mtime
    except FileNotFoundError:
        return None


def serving(units: list[str], seconds: int) -> dict[str, Any]:
    """Wait until components of this host have told the database that they are at work, since they were started last."""
    from airflow.utils.net import get_hostname

    deadline, host = time.monotonic() + seconds, get_hostname()
    with closing(connect(required())) as connection:
        waiting = list(units)
        while waiting:
            for unit in list(waiting):
                since = started(unit)
                if since and ask(connection, SEEN, JOBS[unit], host, since):
                    waiting.remove(unit)
            if waiting and time.monotonic() > deadline:
                raise DatabaseError(f"not at work after {seconds} seconds: {', '.join(waiting)}")
            time.sleep(0.5 if waiting else 0)
    return {"changed": False, "serving": units}


def clean(days: int) -> dict[str, Any]:
    """Delete what is older than `days`, unless another host is at it."""
    with closing(connect(required())) as connection:
        if not ask(connection, "select pg_try_advisory_lock(%s)", LOCK):
            return {"changed": False, "reason": "another host is at it"}
        before = (dt.datetime.now(dt.UTC) - dt.timedelta(days=days)).isoformat(timespec="seconds")
        airflow("db", "clean", "--clean-before-timestamp", before, "--skip-archive", "--yes")
        return {"changed": True, "before": before}


def parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(description="Look after Airflow's database.")
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("check", help="can Airflow log in, and what was the database migrated for?")
    one = verbs.add_parser("migrate", help="migrate it unless that was done for this lock file")
    one.add_argument("--lock", required=True, help="name of the lock file that the environment was installed from")
    one.add_argument("--backups", type=Path, required=True, help="folder for the dump")
    one.add_argument("--bucket", default="", help="bucket for a copy of it")
    two = verbs.add_parser("clean", help="delete old runs, logs and sessions")
    two.add_argument("--days", type=int, required=True)
    three = verbs.add_parser("restore", help="put a backup in place of all tables; Airflow must be stopped")
    three.add_argument("dump", type=Path, help="file of a backup")
    four = verbs.add_parser("serving", help="wait until components of this host are at work")
    four.add_argument("units", nargs="*", choices=list(JOBS))
    four.add_argument("--seconds", type=int, default=120, help="for how long (default: 120)")
    return parser


def main() -> int:
    """Do what the command line asks."""
    chosen = parser().parse_args()
    verbs: dict[str, Callable[[], dict[str, Any]]] = {
        "check": check,
        "migrate": lambda: migrate(chosen.lock, chosen.backups, chosen.bucket),
        "serving": lambda: serving(chosen.units, chosen.seconds),
        "clean": lambda: clean(chosen.days),
        "restore": lambda: restore(chosen.dump),
    }
    try:
        result = verbs[chosen.verb]()
    except (DatabaseError, psycopg2.Error, BotoCoreError, ClientError, OSError) as error:
        print(f"dataplatform_airflow.database: {error}", file=sys.stderr)
        return 1
    print(json.dumps(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
