"""The process behind a rehearsal: keeps hosts, databases, networks, names, gateways, balancer, jobs as accounts say.

    python -m rehearsal supervise

It owns nothing that dies with it: the account process, dnsmasq, the gateways' process, HAProxy and the containers
live on when it is killed, and the next supervisor adopts them.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import logging
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from botocore.exceptions import BotoCoreError, ClientError

from rehearsal import balancer
from rehearsal.accounts import AccountSession, Opened, Registry, changes
from rehearsal.archive_upload import Uploads
from rehearsal.background import Build
from rehearsal.databases.reconciler import Databases
from rehearsal.errors import RehearsalError
from rehearsal.hosts import image, names, observer, probe
from rehearsal.hosts.model import Snapshot
from rehearsal.hosts.podman import Podman
from rehearsal.hosts.reconciler import Hosts
from rehearsal.jobs.reconciler import Jobs
from rehearsal.paths import CACHE, CHECKOUT, STATE
from rehearsal.processes import Child, write_json

PERIOD = 1.0
QUIET_PERIOD = 2.0
QUIET_SECONDS = 60.0
"""Without anything done or changed for so long, the accounts are looked at less often: that costs a tenth of a core."""
OBSERVED_SECONDS, QUIET_OBSERVED_SECONDS = 3.0, 15.0
"""How long an account in which nothing was changed is not looked at again: what passes by itself is seen then."""
SILENCE_SECONDS = 20.0
"""How long the account's API may take to start, or to answer a long request, before that is worth a word."""
HEARTBEAT = "heartbeat.json"
log = logging.getLogger("rehearsal")


def code_version() -> str:
    """Changes with the rehearsal's code: a supervisor of older code is replaced at the next start."""
    digest = hashlib.sha256()
    for path in sorted((CHECKOUT / "rehearsal").rglob("*.py")):
        # the account process keeps its state in memory and is never replaced for newer code
        if "aws" not in path.parts:
            digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def account_child(folder: Path = STATE) -> Child:
    """The process of the account's API."""
    return Child("account", folder)


def gateway_child(folder: Path = STATE) -> Child:
    """The process of the gateways' services."""
    return Child("gateway", folder)


@dataclass(frozen=True)
class Observed:
    """An account as it was when its API had served so many calls that change something."""

    snapshot: Snapshot
    calls: int | None
    moment: float


class Supervisor:
    """The loop and what it remembers between rounds."""

    def __init__(self, folder: Path, public_key: str) -> None:
        self._folder = folder
        self._registry = Registry(folder)
        self._podman = Podman()
        self._hosts = Hosts(self._podman, folder, public_key)
        self._databases = Databases(self._podman, folder)
        self._names = names.Names(folder)
        self._jobs = Jobs(self._podman, folder, CACHE)
        self._uploads = Uploads(folder)
        # hosts start when it is there
        self._image = Build("image", lambda: image.build(self._podman, log.info))
        self._account = account_child(folder)
        self._gateway = gateway_child(folder)
        self._sessions: dict[str, AccountSession] = {}
        self._observed: dict[str, Observed] = {}
        self._generation = ""
        self._calls: int | None = None
        self._mirrors: list[str] | None = None
        self._problems: dict[str, str] = {}
        self._version = code_version()
        self._busy = self._answered = time.monotonic()

    def run(self, ended: threading.Event) -> None:
        """Until `ended` is set."""
        while not ended.is_set():
            began = time.monotonic()
            self.round()
            period = QUIET_PERIOD if self._quiet() else PERIOD
            ended.wait(max(0.1, period - (time.monotonic() - began)))

    def _quiet(self) -> bool:
        """Whether nothing was done or changed for a while."""
        return time.monotonic() - self._busy > QUIET_SECONDS

    def round(self) -> None:
        """Bring everything in line once. A part that fails is written down and does not keep the others from it."""
        self._image.reconcile()
        opened = self._registry.all()
        snapshots, complete = self._observe(opened)
        with self._part("hosts"):
            self._say(self._hosts.reconcile(snapshots, self._sessions, complete))
            if self._hosts.problems:
                raise RehearsalError("\n".join(self._hosts.problems))
        with self._part("databases"):
            self._say(self._databases.reconcile(snapshots, self._sessions, self._hosts.vpcs, complete))
            if self._databases.problems:
                raise RehearsalError("\n".join(self._databases.problems))
        if complete:
            # with half of the accounts known, the others' hosts would lose their names and credentials
            self._follow_vpcs(opened, snapshots)
            self._follow_accounts(opened, snapshots)
        self._heartbeat(opened)

    def _observe(self, opened: dict[str, Opened]) -> tuple[dict[str, Snapshot], bool]:
        """Account id → what it says now, of those that answer; and whether all did."""
        identity = self._account.identity
        generation = identity.text if identity else ""
        if generation != self._generation:
            self._generation, self._sessions, self._observed = generation, {}, {}
        found: dict[str, Snapshot] = {}
        calls = changes() if identity else None
        if calls != self._calls:
            self._calls, self._busy = calls, time.monotonic()
        silent = self._calls is None
        with self._part("account"):
            if silent and time.monotonic() - self._answered > SILENCE_SECONDS:
                raise RehearsalError("the account's API does not answer; the next run starts it again, empty")
        if silent:
            return found, False
        self._answered = time.monotonic()
        fresh = QUIET_OBSERVED_SECONDS if self._quiet() else OBSERVED_SECONDS
        for one in opened.values():
            with self._part(f"account {one.env}"):
                session = self._sessions.setdefault(one.account_id, AccountSession(one.account_id, one.region))
                known = self._observed.get(one.account_id)
                if not known or known.calls != self._calls or time.monotonic() - known.moment > fresh:
                    known = Observed(observer.observe(session), self._calls, time.monotonic())
                    self._observed[one.account_id] = known
                found[one.account_id] = known.snapshot
        return found, len(found) == len(opened)

    def _follow_vpcs(self, opened: dict[str, Opened], snapshots: dict[str, Snapshot]) -> None:
        """What the VPCs' gateways offer."""
        with self._part("gateways"):
            self._follow_gateways(snapshots)
        with self._part("names"):
            lines = names.records(snapshots.values(), {one.account_id: one for one in opened.values()})
            self._say(self._names.reconcile(self._hosts.vpcs.values(), lines))

    def _follow_gateways(self, snapshots: dict[str, Snapshot]) -> None:
        if self._mirrors is None:
            self._mirrors = [urlsplit(url).hostname or "" for url in image.configured()]
        self._hosts.describe(snapshots, self._sessions, self._generation, self._mirrors)
        if self._hosts.vpcs and self._gateway.pid is None:
            command = [sys.executable, "-m", "rehearsal.hosts.gateway", str(self._folder)]
            self._gateway.start(command, CHECKOUT)
            self._say(["gateways: started"])

    def _follow_accounts(self, opened: dict[str, Opened], snapshots: dict[str, Snapshot]) -> None:
        """What needs every account: load balancers, archives, probes, job runs."""
        for one in opened.values():
            session = self._sessions[one.account_id]
            with self._part(f"archive {one.env}"):
                self._say(self._uploads.reconcile(one, session))
            with self._part(f"probe {one.env}"):
                self._say(probe.reconcile(session, snapshots[one.account_id]))
        with self._part("balancer"):
            changes = balancer.reconcile(self._sessions, self._folder, self._hosts.networks, calls=self._calls)
            self._say(f"balancer: {text}" for text in changes.done)
            if changes.problems:
                raise RehearsalError("\n".join(changes.problems))
        with self._part("jobs"):
            sessions = {one.account_id: self._sessions[one.account_id] for one in opened.values()}
            self._say(self._jobs.reconcile(sessions, self._calls))
            if self._jobs.problems:
                raise RehearsalError("\n".join(self._jobs.problems))

    @contextmanager
    def _part(self, name: str) -> Iterator[None]:
        """Note what fails in a part of a round; the same words are logged once."""
        try:
            yield
        except Exception as problem:
            expected = isinstance(problem, (RehearsalError, OSError, ClientError, BotoCoreError))
            text = str(problem) if expected else f"{type(problem).__name__}: {problem}"
            if self._problems.get(name) != text:
                log.error("%s: %s", name, text, exc_info=not expected)
            self._problems[name] = text
        else:
            if self._problems.pop(name, None):
                log.info("%s: well again", name)

    def _say(self, lines: Iterable[str]) -> None:
        for line in lines:
            self._busy = time.monotonic()
            log.info("%s", line)

    def _heartbeat(self, opened: dict[str, Opened]) -> None:
        write_json(
            self._folder / HEARTBEAT,
            {
                "time": time.time(),
                "code": self._version,
                "image": self._image.state,
                "environments": sorted(opened),
                "networks": [
                    {"vpc_id": one.vpc_id, "cidr": one.cidr, "bridge": one.bridge, "gateway": one.gateway}
                    for one in self._hosts.networks
                ],
                "hosts": self._hosts.running,
                "databases": self._databases.status,
                "jobs": self._jobs.status,
                "spark": self._jobs.build.state,
                "problems": self._problems,
            },
        )


def heartbeat(folder: Path = STATE) -> dict[str, Any]:
    """What the supervisor last wrote, {} when nothing."""
    try:
        return dict(json.loads((folder / HEARTBEAT).read_text()))
    except (OSError, ValueError):
        return {}


def main(folder: Path = STATE) -> int:
    """Supervise until SIGTERM. 1 when another one does."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("botocore").setLevel(logging.WARNING)
    logging.getLogger("boto3").setLevel(logging.WARNING)
    logging.getLogger("urllib3").setLevel(logging.ERROR)
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "supervisor.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            log.error("another supervisor runs")
            return 1
        ended = threading.Event()
        on_end: Callable[..., None] = lambda *_: ended.set()  # noqa: E731
        signal.signal(signal.SIGTERM, on_end)
        signal.signal(signal.SIGINT, on_end)
        log.info("supervisor begins")
        Supervisor(folder, (folder / "ssh" / "id_ed25519.pub").read_text()).run(ended)
        log.info("supervisor ends")
    return 0
