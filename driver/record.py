"""The record of a run: one JSON document for machines, one self-contained page for people."""

from __future__ import annotations

import fcntl
import hashlib
import importlib.metadata
import json
import os
import platform
import shutil
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, select_autoescape

from driver.heartbeat import now
from driver.project import write_private

TEMPLATES = Path(__file__).parent / "templates"
KEPT = 50  # runs
LIMIT = 2000  # names of changed things in a record; the counts are always complete


@dataclass
class Timer:
    """A stage in the record."""

    entry: dict[str, Any]
    began: float

    def end(self, status: str, detail: str) -> None:
        self.entry.update(status=status, detail=detail, seconds=round(time.monotonic() - self.began, 3))


@dataclass
class Record:
    """Collects what happened. No secrets go in: names, counts, serials, hashes and times only."""

    env: str
    verb: str
    kind: str
    run: str
    started: str = field(default_factory=now)
    began: float = field(default_factory=time.monotonic)
    facts: dict[str, Any] = field(default_factory=dict)
    stages: list[dict[str, Any]] = field(default_factory=list)
    terraform: dict[str, int] = field(
        default_factory=lambda: dict.fromkeys(("create", "update", "delete", "replace"), 0)
    )
    ansible: int = 0
    changed: list[dict[str, str]] = field(default_factory=list)
    certificates: dict[str, list[str]] = field(default_factory=lambda: {"issued": [], "renewed": [], "revoked": []})
    checks: list[dict[str, Any]] = field(default_factory=list)
    users: list[dict[str, Any]] = field(default_factory=list)
    nodes: list[dict[str, Any]] = field(default_factory=list)
    lake: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    failure: str | None = None

    def stage(self, name: str) -> Timer:
        offset = round(time.monotonic() - self.began, 3)
        entry: dict[str, Any] = {"name": name, "offset": offset, "seconds": 0.0, "status": "running", "detail": ""}
        self.stages.append(entry)
        return Timer(entry, time.monotonic())

    def change(self, stage: str, what: str, action: str) -> None:
        self.changed.append({"stage": stage, "what": what, "action": action})

    def as_dict(self, code: int) -> dict[str, Any]:
        return {
            "env": self.env,
            "verb": self.verb,
            "kind": self.kind,
            "run": self.run,
            "started": self.started,
            "ended": now(),
            "seconds": round(time.monotonic() - self.began, 3),
            "exit_code": code,
            **self.facts,
            "failure": self.failure,
            "changes": {"terraform": self.terraform, "ansible": self.ansible, "certificates": self.certificates},
            "changed": self.changed[:LIMIT],
            "stages": self.stages,
            "checks": self.checks,
            "users": self.users,
            "nodes": self.nodes,
            "lake": self.lake or None,
            "versions": self.versions,
        }

    def write(self, folder: Path, code: int) -> Path:
        """Write record.json and record.html, and point ``latest`` to them. Returns the page."""
        document = self.as_dict(code)
        write_private(folder / "record.json", json.dumps(document, indent=2) + "\n")
        page = write_private(folder / "record.html", render(document))
        latest, temporary = folder.parent / "latest", folder.parent / f".latest.{os.getpid()}"
        temporary.unlink(missing_ok=True)
        temporary.symlink_to(folder.name)
        temporary.replace(latest)
        return page


@contextmanager
def alive(folder: Path) -> Iterator[None]:
    """The time in which a run uses its folder; ends with the process, however that ends."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        yield
    finally:
        os.close(descriptor)


def at_work(folder: Path) -> bool:
    """Whether a run goes on that uses this folder."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(descriptor)
    return False


def clean(folder: Path) -> None:
    """Remove what a run needs only while it goes on, and what may hold secrets: variables, credentials, plans."""
    for path in [folder / "inventory", *folder.glob("ansible-*"), *folder.glob("*.tfplan")]:
        shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)


def clean_after_kills(runs: Path) -> None:
    """The same for runs that could not do it themselves."""
    for folder in _folders(runs):
        if not at_work(folder):
            clean(folder)


def prune(runs: Path, keep: int = KEPT) -> None:
    """Remove the oldest runs: of those with a record, and of those without one (`status` that failed, and the like)."""
    folders = _folders(runs)
    recorded = [folder for folder in folders if (folder / "record.json").exists()]
    others = [folder for folder in folders if folder not in recorded]
    for folder in [*recorded[:-keep], *others[:-keep]]:
        if not at_work(folder):
            shutil.rmtree(folder, ignore_errors=True)


def _folders(runs: Path) -> list[Path]:
    """Of each run, the oldest first."""
    return sorted(path for path in runs.iterdir() if path.is_dir() and not path.is_symlink())


def versions() -> dict[str, str]:
    """Of this program's own parts."""
    found = {"python": platform.python_version()}
    for name in ("ansible", "ansible-core", "ansible-runner", "boto3", "cryptography"):
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "missing"
    return found


def commit(capture: Callable[..., Any], root: Path, without: Collection[Path] = ()) -> dict[str, Any]:
    """Which source this run used: commit, and whether files differed from it, new ones included (but for ``without``).

    ``differences`` is a hash of how they differ; None where nothing does, and without git.
    """
    if shutil.which("git") is None or not (root / ".git").exists():
        return {"commit": None, "modified": None, "differences": None}
    git = ["git", "-C", str(root)]
    head = capture([*git, "rev-parse", "HEAD"])
    changed = capture([*git, "diff", "--binary", "--no-ext-diff", "HEAD"]).stdout
    names = capture([*git, "ls-files", "--others", "--exclude-standard", "-z"]).stdout.split("\0")
    new = [name for name in sorted(names) if (root / name).is_file() and (root / name) not in without]
    if not changed and not new:
        return {"commit": head.stdout.strip() or None, "modified": False, "differences": None}
    digest = hashlib.sha256(changed.encode())
    for name in new:
        digest.update(f"\0{name}\0".encode() + (root / name).read_bytes())
    return {"commit": head.stdout.strip() or None, "modified": True, "differences": digest.hexdigest()}


def render(document: dict[str, Any]) -> str:
    """The page, without anything from elsewhere: it can be kept, mailed, attached to a change."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=select_autoescape(default=True), trim_blocks=True
    )
    return environment.get_template("record.html.j2").render(record=document, bars=_bars(document))


def _bars(document: dict[str, Any]) -> list[dict[str, Any]]:
    """The stages as bars of a chart 600 units wide."""
    total = max(document["seconds"], 0.001)
    return [
        {**stage, "x": 600 * stage["offset"] / total, "width": max(1.5, 600 * stage["seconds"] / total)}
        for stage in document["stages"]
    ]
