"""Keeps the databases as the accounts say: called about every second."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography import x509

from rehearsal import authority
from rehearsal.accounts import AccountSession
from rehearsal.databases import observer, settings
from rehearsal.databases.container import Containers, Running
from rehearsal.databases.model import Database
from rehearsal.errors import RehearsalError
from rehearsal.hosts import firewall, image
from rehearsal.hosts.model import Snapshot, Vpc
from rehearsal.hosts.podman import Podman
from rehearsal.processes import Identity

RETRY_SECONDS = 5.0
SECRET_SECONDS = 3.0
START_SECONDS = 60.0
"""How long PostgreSQL may take until it answers, before that is worth a word."""
CA_FOLDER = "rds-ca"


def ca_path(folder: Path) -> Path:
    """The certificate of the CA that signs the databases' certificates; `folder` is the rehearsal's."""
    return authority.ca_path(folder / CA_FOLDER, "Rehearsal RDS CA", "rds.amazonaws.com")


@dataclass(frozen=True)
class World:
    """What a round looks at. `complete`: every open account could be read."""

    snapshots: Mapping[str, Snapshot]
    sessions: Mapping[str, AccountSession]
    vpcs: Mapping[str, Vpc]
    complete: bool


@dataclass
class Known:
    """What is remembered of one database.

    `filter`, `secret`: what was set last, for which process; `stale`: PostgreSQL has not read its settings yet.
    """

    process: Identity | None = None
    filter: tuple[int, str] | None = None
    secret: tuple[int, str] | None = None
    asked: float = 0.0
    started: float = 0.0
    retry: float = 0.0
    rebooted: bool = False
    stale: bool = False
    certificate: tuple[bytes, bytes] | None = field(default=None, repr=False)


class Databases:
    """The databases of all accounts. What is known of containers is asked from podman once, and again after trouble."""

    def __init__(self, podman: Podman, folder: Path) -> None:
        self._podman = podman
        self._folder = folder
        self.containers = Containers(podman, folder / "databases")
        self._known: dict[str, Known] | None = None
        self._image_ready = False
        self._status: dict[str, dict[str, Any]] = {}
        self.problems: list[str] = []

    @property
    def status(self) -> dict[str, dict[str, Any]]:
        """Identifier → {"endpoint", "address", "state", "pid"}; "state" is available when it takes logins."""
        return self._status

    def reconcile(
        self,
        snapshots: Mapping[str, Snapshot],
        sessions: Mapping[str, AccountSession],
        vpcs: Mapping[str, Vpc],
        complete: bool,
    ) -> list[str]:
        """Follow the accounts; `complete`: every open account could be read, so that what none knows can go.

        Returns what was done; what could not be done is in `problems` and tried again.
        """
        self.problems = []
        if self._known is None:
            found = self.containers.all()
            self._known = {key: Known(process=running.process) for key, running in found.items()}
        world = World(snapshots, sessions, vpcs, complete)
        wanted = {one.key: one for snapshot in snapshots.values() for one in snapshot.databases}
        done = []
        for key in sorted(set(self._known) | set(wanted)):
            known = self._known.setdefault(key, Known())
            if time.monotonic() < known.retry:
                continue
            ran = known.process is not None and known.process.alive
            try:
                done += self._follow(key, known, wanted.get(key), world)
            except (RehearsalError, OSError) as problem:
                self._trouble(key, known)
                named = wanted[key].identifier if key in wanted else key
                if ran and known.process is None:
                    done.append(f"database {named}: ended meanwhile ({problem})")
                else:
                    self.problems.append(f"database {named}: {problem}")
        self._status = {
            one.identifier: self._describe(one, self._known.get(one.key, Known())) for one in wanted.values()
        }
        return done

    def _trouble(self, key: str, known: Known) -> None:
        """Ask podman again what there is, and wait a little."""
        known.process = self.containers.all().get(key, Running(key, None)).process
        known.filter = known.secret = None
        known.retry = time.monotonic() + RETRY_SECONDS

    def _follow(self, key: str, known: Known, database: Database | None, world: World) -> list[str]:
        """Bring one database in line with its DB instance."""
        assert self._known is not None
        if database is None:
            if not world.complete:
                return []
            self.containers.remove(key)
            del self._known[key]
            return [f"database {key} removed"]
        process = known.process if known.process and known.process.alive else None
        if not database.wanted or database.vpc_id not in world.vpcs:
            return self._stop(database, known) if process else []
        if database.state != "rebooting":
            known.rebooted = False
        elif not known.rebooted and process:
            known.rebooted = True
            return self._stop(database, known)
        vpc = world.vpcs[database.vpc_id]
        script = firewall.render(database, vpc, world.snapshots[database.account_id])
        if process is None:
            return self._start(database, known, vpc, script)
        return self._keep(database, known, process, script, world.sessions[database.account_id])

    def _start(self, database: Database, known: Known, vpc: Vpc, script: str) -> list[str]:
        self._image_ready = self._image_ready or image.ready(self._podman)
        if not self._image_ready:
            return []
        _check(database)
        self.containers.write(database, self._files(database, known))
        known.process = self.containers.start(database, vpc, script)
        known.filter, known.secret, known.stale = (known.process.pid, script), None, False
        known.started = time.monotonic()
        return [f"database {database.identifier}: started at {database.address}"]

    def _stop(self, database: Database, known: Known) -> list[str]:
        self.containers.stop(database.key)
        known.process = None
        return [f"database {database.identifier}: stopped"]

    def _keep(
        self, database: Database, known: Known, process: Identity, script: str, session: AccountSession
    ) -> list[str]:
        """Settings, packet filter and password of a database that runs."""
        done = []
        known.stale |= self.containers.write(database, self._files(database, known))
        if known.stale and known.secret:
            self.containers.reload(database)
            known.stale = False
            done.append(f"database {database.identifier}: settings changed")
        if known.filter != (process.pid, script):
            firewall.apply(process.pid, script)
            known.filter = (process.pid, script)
            done.append(f"database {database.identifier}: packet filter set")
        if known.secret is None or time.monotonic() - known.asked > SECRET_SECONDS:
            known.asked = time.monotonic()
            done += self._password(database, known, process, session)
        return done

    def _password(self, database: Database, known: Known, process: Identity, session: AccountSession) -> list[str]:
        found = observer.password(session, database)
        if found is None or known.secret == (process.pid, found[0]):
            return []
        version, password = found
        if not self.containers.prepare(database, settings.statements(database, password)):
            if known.started and time.monotonic() - known.started > START_SECONDS:
                raise RehearsalError(f"does not answer; it said last:\n{self.containers.last_words(database)}")
            return []
        again = known.secret is not None
        known.secret = (process.pid, version)
        return [f"database {database.identifier}: {'master password changed' if again else 'ready'}"]

    def _files(self, database: Database, known: Known) -> dict[str, bytes]:
        certificate, key = self._certificate(database, known)
        return settings.files(database, certificate, key)

    def _certificate(self, database: Database, known: Known) -> tuple[bytes, bytes]:
        """The server's certificate and key: those it has, while they are for its name and good for a while."""
        if known.certificate is None:
            known.certificate = self.containers.certificate(database)
        if known.certificate:
            current = x509.load_pem_x509_certificate(known.certificate[0])
            fresh = authority.days_left(current) > authority.RENEW_DAYS
            if fresh and authority.dns_names(current) == [database.endpoint]:
                return known.certificate
        ca_path(self._folder)
        key, certificate = authority.issue(self._folder / CA_FOLDER, [database.endpoint])
        known.certificate = (certificate, authority.key_pem(key))
        return known.certificate

    @staticmethod
    def _describe(database: Database, known: Known) -> dict[str, Any]:
        process = known.process if known.process and known.process.alive else None
        state = "stopped" if process is None else "available" if known.secret else "starting"
        return {
            "endpoint": f"{database.endpoint}:{database.port}",
            "address": database.address,
            "state": state,
            "pid": process.pid if process else None,
        }


def _check(database: Database) -> None:
    """Refuse what no PostgreSQL here can be."""
    major = database.version.partition(".")[0]
    if database.engine != "postgres" or major not in settings.VERSIONS:
        known = ", ".join(settings.VERSIONS)
        raise RehearsalError(f"{database.engine} {database.version}: a rehearsal has PostgreSQL {known} only")
    if not database.secret_arn:
        raise RehearsalError(
            "its master password is not in Secrets Manager, so nobody knows it: set manage_master_user_password"
        )
