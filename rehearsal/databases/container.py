"""One database: a podman container that runs PostgreSQL over a volume, plugged into its VPC like a host."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from rehearsal.authority import write
from rehearsal.databases import settings
from rehearsal.databases.model import PREFIX, Database
from rehearsal.hosts import firewall, image, network
from rehearsal.hosts.model import Vpc
from rehearsal.hosts.podman import Podman, PodmanError
from rehearsal.processes import Identity

LABEL = "rehearsal.database"
FRESH = ("the database system is starting up", "No such file or directory", "Connection refused")
"""What psql says of a server that is not there yet."""


@dataclass(frozen=True)
class Running:
    """A container as podman knows it; `process` is its PostgreSQL, None when it is stopped."""

    key: str
    process: Identity | None


class Containers:
    """The databases' containers and volumes. `folder` keeps a folder with settings for each."""

    def __init__(self, podman: Podman, folder: Path) -> None:
        self._podman = podman
        self._folder = folder

    def all(self) -> dict[str, Running]:
        """Key → container; a volume that has lost its container counts as one that is stopped."""
        volumes = self._podman("volume", "ls", "--quiet", "--filter", f"label={LABEL}").split()
        found = {name.removeprefix(PREFIX): Running(name.removeprefix(PREFIX), None) for name in volumes}
        for item in self._podman.json("ps", "--all", "--filter", f"label={LABEL}", "--format", "json") or []:
            key = item["Labels"][LABEL]
            process = Identity.of(int(item["Pid"])) if item.get("State") == "running" and item.get("Pid") else None
            found[key] = Running(key, process)
        return found

    def write(self, database: Database, files: Mapping[str, bytes]) -> bool:
        """Put the settings where the container sees them; whether anything changed."""
        folder = self._folder / database.key
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        changed = [name for name, content in files.items() if _read(folder / name) != content]
        for name in changed:
            write(folder / name, files[name])
        return bool(changed)

    def certificate(self, database: Database) -> tuple[bytes, bytes] | None:
        """The certificate and key that were written last."""
        folder = self._folder / database.key
        certificate, key = _read(folder / "server.crt"), _read(folder / "server.key")
        return (certificate, key) if certificate and key else None

    def start(self, database: Database, vpc: Vpc, script: str) -> Identity:
        """Make the container anew over the volume and start it; its packet filter is there before PostgreSQL runs."""
        name = database.container
        # the container holds nothing: a newer image and other settings of it come with every start
        self._podman("rm", "--force", "--time", "0", "--ignore", name)
        if not self._podman("volume", "ls", "--quiet", "--filter", f"name=^{name}$").strip():
            self._podman("volume", "create", "--label", f"{LABEL}={database.key}", name)
        self._podman(
            "create",
            *("--name", name, "--hostname", database.identifier),
            *("--label", f"{LABEL}={database.key}", "--label", f"rehearsal.account={database.account_id}"),
            *("--network", "none", "--no-hosts", "--systemd", "false"),
            # fast shutdown: https://www.postgresql.org/docs/17/server-shutdown.html
            *("--stop-signal", "SIGINT", "--log-driver", "k8s-file", "--log-opt", "max-size=5mb"),
            *("--volume", f"{name}:{settings.DATA}"),
            *("--volume", f"{self._folder / database.key}:{settings.PLACE}:ro"),
            image.name(),
            *("/bin/sh", f"{settings.PLACE}/start"),
        )
        self._podman("init", name)
        pid = int(self._podman.json("inspect", "--format", "{{json .State}}", name)["Pid"])
        network.attach(name, pid, vpc, database.address, database.mac)
        firewall.apply(pid, script)
        self._podman("start", name)
        found = Identity.of(pid)
        if found is None:
            raise PodmanError(f"{name} ended as soon as it was started: {self.last_words(database)}")
        return found

    def reload(self, database: Database) -> None:
        """Have PostgreSQL read its settings again; those it takes at a start only wait for that."""
        self._podman("exec", database.container, "sh", f"{settings.PLACE}/reload")

    def prepare(self, database: Database, statements: str) -> bool:
        """Run `statements` as the superuser; False while the server is starting."""
        command = ["psql", "--no-psqlrc", "--quiet", "--host=/var/run/postgresql", f"--port={database.port}"]
        try:
            self._podman(
                *("exec", "--interactive", database.container, *command),
                *(f"--username={settings.SUPERUSER}", "--dbname=postgres", "--file=-"),
                input_bytes=statements.encode(),
            )
        except PodmanError as problem:
            if any(words in str(problem) for words in FRESH):
                return False
            raise
        return True

    def stop(self, key: str) -> None:
        """Shut a database down; its data stays."""
        self._podman("stop", "--time", "20", PREFIX + key, check=False, timeout=40)
        network.remove_link(network.cable_name(PREFIX + key))

    def remove(self, key: str) -> None:
        """End a database at once, with its data; no matter if it is gone."""
        self._podman("rm", "--force", "--time", "1", "--ignore", PREFIX + key)
        self._podman("volume", "rm", "--force", PREFIX + key, check=False)
        network.remove_link(network.cable_name(PREFIX + key))
        folder = self._folder / key
        for path in folder.glob("*"):
            path.unlink()
        if folder.exists():
            folder.rmdir()

    def last_words(self, database: Database) -> str:
        """The end of what PostgreSQL said."""
        command = self._podman.command(["podman", "logs", "--tail", "5", database.container])
        done = subprocess.run(
            command, capture_output=True, text=True, env=self._podman.environment(), timeout=30, check=False
        )
        return (done.stdout + done.stderr).strip()


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None
