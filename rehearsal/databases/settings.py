"""PostgreSQL's files and statements for a DB instance: what RDS would have set, made small."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os

from rehearsal.databases.model import Database

VERSIONS = ("17",)
"""Major versions that are in the hosts' image."""
PLACE = "/run/database"
"""Where the container sees the files, read-only."""
OWN = "/var/lib/postgresql/settings"
"""Where its PostgreSQL reads them: copies that belong to it."""
DATA = "/var/lib/postgresql/data"
BINARIES = "/usr/lib/postgresql/17/bin"
SUPERUSER = "rdsadmin"
SMALL = {
    "shared_buffers": "64MB",
    "effective_cache_size": "256MB",
    "maintenance_work_mem": "32MB",
    "max_wal_size": "256MB",
    "min_wal_size": "32MB",
    "max_worker_processes": "8",
    "huge_pages": "off",
}
"""In the place of what RDS makes of an instance's memory."""
FIXED = {
    "listen_addresses": "*",
    "data_directory": f"{DATA}/main",
    "hba_file": f"{OWN}/pg_hba.conf",
    "ident_file": f"{OWN}/pg_ident.conf",
    "unix_socket_directories": "/var/run/postgresql",
    "ssl_cert_file": f"{OWN}/server.crt",
    "ssl_key_file": f"{OWN}/server.key",
    "log_destination": "stderr",
    "logging_collector": "off",
    "log_line_prefix": "%t:%r:%u@%d:[%p]:",
}
"""What no parameter group may change."""
SHELL = "#!/bin/sh\nset -eu\n"
AS_POSTGRES = "setpriv --reuid=postgres --regid=postgres --init-groups"
INSTALL = (
    SHELL
    + f"""install -d -o postgres -g postgres -m 700 {OWN}
for name in postgresql.conf pg_hba.conf pg_ident.conf server.crt server.key; do
  install -o postgres -g postgres -m 600 {PLACE}/$name {OWN}/$name
done
"""
)
RELOAD = SHELL + f"sh {PLACE}/install\n{AS_POSTGRES} {BINARIES}/pg_ctl reload --silent --pgdata={DATA}/main\n"
# a folder that is renamed when it is whole: whoever is killed before makes it anew
START = (
    SHELL
    + f"""install -d -o postgres -g postgres -m 700 {DATA}
install -d -o postgres -g postgres -m 2775 /var/run/postgresql
if [ ! -s {DATA}/main/PG_VERSION ]; then
  rm -rf {DATA}/new
  {AS_POSTGRES} {BINARIES}/initdb --pgdata={DATA}/new --username={SUPERUSER} --encoding=UTF8 --locale=C.UTF-8 \\
    --auth-local=trust --auth-host=reject --no-sync --no-instructions >/dev/null
  mv {DATA}/new {DATA}/main
fi
sh {PLACE}/install
exec {AS_POSTGRES} {BINARIES}/postgres -D {DATA}/main -c config_file={OWN}/postgresql.conf
"""
)


def files(database: Database, certificate: bytes, key: bytes) -> dict[str, bytes]:
    """Name → content of what the container needs."""
    texts = {
        "start": START,
        "install": INSTALL,
        "reload": RELOAD,
        "postgresql.conf": configuration(database),
        "pg_hba.conf": access(database),
        "pg_ident.conf": "",
    }
    return {name: text.encode() for name, text in texts.items()} | {"server.crt": certificate, "server.key": key}


def configuration(database: Database) -> str:
    """postgresql.conf. A parameter whose value is a formula over the instance's memory is left out."""
    given = {
        name: value
        for name, value in database.parameters.items()
        if not name.startswith("rds.") and "{" not in value and name not in SMALL
    }
    if database.parameters.get("rds.logical_replication") == "1":
        given["wal_level"] = "logical"
    wanted = {"max_connections": "100", "ssl": "on"} | given | SMALL | FIXED | {"port": str(database.port)}
    return "".join(f"{name} = {literal(value)}\n" for name, value in sorted(wanted.items()))


def access(database: Database) -> str:
    """pg_hba.conf: the superuser from inside only, everybody else by password, over TLS if `rds.force_ssl` says so.

    Source: https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/PostgreSQL.Concepts.General.SSL.html
    """
    how = "hostssl" if database.parameters.get("rds.force_ssl") == "1" else "host"
    return f"local all {SUPERUSER} trust\nhost all {SUPERUSER} all reject\n{how} all all all scram-sha-256\n"


def statements(database: Database, password: str) -> str:
    """SQL for psql that makes what RDS makes once, and sets the master user's password.

    The master user is no superuser: it may make roles and databases, and is a member of `rds_superuser`.
    Source: https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/Appendix.PostgreSQL.CommonDBATasks.Roles.html
    """
    name, master = database.name or "postgres", identifier(database.master)
    # every value is quoted by `literal` or `identifier`
    return f"""\\set ON_ERROR_STOP 1
SELECT count(*) = 0 AS fresh FROM pg_roles WHERE rolname = {literal(database.master)} \\gset
\\if :fresh
SELECT 'CREATE ROLE rds_superuser' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'rds_superuser') \\gexec
GRANT pg_monitor, pg_signal_backend, pg_checkpoint, pg_create_subscription TO rds_superuser WITH ADMIN OPTION;
SELECT format('CREATE DATABASE %I', {literal(name)})
  WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = {literal(name)}) \\gexec
BEGIN;
CREATE ROLE {master} LOGIN CREATEDB CREATEROLE IN ROLE rds_superuser;
ALTER DATABASE {identifier(name)} OWNER TO {master};
COMMIT;
\\endif
ALTER ROLE {master} PASSWORD {literal(verifier(password))};
"""  # noqa: S608


def verifier(password: str, salt: bytes | None = None, rounds: int = 4096) -> str:
    """What PostgreSQL stores of a password, so that the password itself is in no statement or log.

    Source: RFC 5802, section 3, and RFC 7677; the form is that of pg_authid.rolpassword.
    """
    salt = salt or os.urandom(16)
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, rounds)
    client = hmac.digest(salted, b"Client Key", "sha256")
    stored, server = hashlib.sha256(client).digest(), hmac.digest(salted, b"Server Key", "sha256")
    texts = (base64.b64encode(one).decode() for one in (salt, stored, server))
    return "SCRAM-SHA-256${}:{}${}:{}".format(rounds, *texts)


def literal(text: str) -> str:
    """A string constant, of SQL and of postgresql.conf alike."""
    return "'" + text.replace("'", "''") + "'"


def identifier(text: str) -> str:
    """A quoted identifier."""
    return '"' + text.replace('"', '""') + '"'
