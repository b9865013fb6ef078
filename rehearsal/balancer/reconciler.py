"""Brings the HAProxy process in line with what the accounts say, again and again."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from rehearsal.balancer import health
from rehearsal.balancer.account import Session
from rehearsal.balancer.addresses import BalancerError, check_free, place_addresses
from rehearsal.balancer.delivery import Collector
from rehearsal.balancer.model import LOOPBACK, Network, World
from rehearsal.balancer.process import LOG, Process
from rehearsal.balancer.readings import Readings
from rehearsal.balancer.render import CONFIG, Rendered, render

RUNTIME_LIMIT = 15_000
"""Bytes of a trust file that fit through HAProxy's stats socket (tune.bufsize is 16384); larger ones reload."""


@dataclass
class Changes:
    """What one call of `reconcile` did, in words; empty when everything was as it should be."""

    done: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.done or self.problems)


class Balancer:
    """One HAProxy and its folder `state`/balancer; the web CA is in `state`/web-ca."""

    def __init__(self, state: Path) -> None:
        self.folder = state / "balancer"
        self.folder.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o700)
        self.process = Process(self.folder)
        self._readings = Readings(state / "web-ca")
        self._collector = Collector(self.folder, self.folder / LOG)
        self._health: dict[str, dict[str, health.State]] = {}
        self._failed: tuple[str, float] = ("", 0.0)

    def reconcile(
        self,
        sessions: Mapping[str, Session],
        networks: Iterable[Network],
        account_port: int = 4566,
        calls: int | None = None,
    ) -> Changes:
        """Read the accounts, apply what changed, report health, deliver logs."""
        changes = Changes()
        present = tuple(sorted(networks, key=lambda network: network.gateway))
        world = self._readings.world(sessions, present, account_port, calls)
        changes.problems += self._readings.problems
        changes.done += place_addresses(world, self.folder / "addresses")
        self.apply(world, changes)
        if self.process.pid is not None:
            self._report_health(world, changes)
            self._logs(world, changes)
        return changes

    def apply(self, world: World, changes: Changes) -> None:
        """Make HAProxy serve `world`: swap trust files at run time, reload for everything else, start, or stop.

        Raises BalancerError when HAProxy cannot serve it; what it served before goes on.
        """
        rendered = render(world)
        if rendered is None:
            if self.process.pid is not None:
                self.process.stop()
                changes.done.append("balancer stopped: no load balancer and no network is left")
            return
        self._apply(rendered, world.loopback, changes)

    def _apply(self, rendered: Rendered, loopback: str, changes: Changes) -> None:
        running = self.process.pid is not None
        current = self.process.described() if running else None
        swapped = {
            name: text
            for name, text in rendered.files.items()
            if name.startswith("trust-") and self._content(name) != text
        }
        if running and current == rendered.digest and not swapped:
            return
        if self._failed[0] == rendered.digest and time.monotonic() < self._failed[1]:
            return  # refused a moment ago and unchanged since
        try:
            self._take(rendered, loopback, swapped, current if running else None, changes)
        except BalancerError:
            self._failed = (rendered.digest, time.monotonic() + 15)
            raise

    def _take(
        self, rendered: Rendered, loopback: str, swapped: dict[str, str], current: str | None, changes: Changes
    ) -> None:
        running = self.process.pid is not None
        for name, text in rendered.files.items():
            self._write(name, text)
        if running and current == rendered.digest:
            self._swap(swapped, rendered.digest, changes)
            return
        self._write("haproxy.new.cfg", rendered.text)
        self.process.check("haproxy.new.cfg")
        bind = f"  bind {loopback}\n"
        if bind in rendered.text and not (running and bind in (self._content(CONFIG) or "")):
            check_free(loopback)
        (self.folder / "haproxy.new.cfg").replace(self.folder / CONFIG)
        if running:
            self.process.reload(rendered.digest)
        else:
            self.process.start()
        changes.done.append(f"balancer {'reloaded' if running else 'started'} ({rendered.digest})")
        self._tidy(rendered)

    def _swap(self, swapped: dict[str, str], digest: str, changes: Changes) -> None:
        """Exchange CA bundles and revocation lists of the running process; open connections stay.

        Revocation lists go first: a CA without its list is refused once lists are checked.
        """
        ordered = sorted(swapped, key=lambda name: not name.endswith(".crl.pem"))
        if any(len(text) > RUNTIME_LIMIT for text in swapped.values()):
            self.process.reload(digest)
            changes.done.append("trust stores reloaded")
            return
        for name in ordered:
            kind = "crl-file" if name.endswith(".crl.pem") else "ca-file"
            payload = "\n".join(line for line in swapped[name].splitlines() if line.strip())
            self.process.command(f"set ssl {kind} {name} <<\n{payload}\n")
            answer = self.process.command(f"commit ssl {kind} {name}")
            if "Success" not in answer:
                (self.folder / name).unlink()  # so that the next call tries again
                raise BalancerError(f"HAProxy did not take {self.folder / name}: {answer.strip()}")
            changes.done.append(f"{kind} {name} exchanged")

    def _report_health(self, world: World, changes: Changes) -> None:
        """Tell the accounts what changed, and what they do not show although it was told."""
        states = health.read(self.process.command("show stat"))
        current: dict[str, dict[str, health.State]] = {}
        for balancer in world.balancers:
            for group in balancer.groups:
                before = self._health.get(group.arn, {})
                found = current[group.arn] = health.targets(balancer, group, states, before)
                shown = {f"{one.identity}:{one.port}": one.reported for one in group.targets}
                if not found or (found == before and all(found[name][0] == shown[name] for name in found)):
                    continue
                health.report(self._readings.account(balancer).endpoint, balancer, group, found)
                self._readings.outdated(balancer)
                if found != before:
                    said = ", ".join(f"{name} {state}" for name, (state, _) in found.items())
                    changes.done.append(f"{group.name}: {said}")
        self._health = current

    def _logs(self, world: World, changes: Changes) -> None:
        serials = {certificate.serial: arn for arn, certificate in world.certificates.items()}
        self._collector.collect(world.balancers, serials)
        put = self._collector.deliver(world.balancers, self._readings.bucket_client)
        if put:
            changes.done.append(f"{put} log objects delivered")
        for bucket, reason in self._collector.refused.items():
            changes.problems.append(f"logs cannot be delivered to {bucket}: {reason}")

    def _content(self, name: str) -> str | None:
        try:
            return (self.folder / name).read_text()
        except OSError:
            return None

    def _write(self, name: str, text: str) -> None:
        if self._content(name) == text:
            return
        temporary = self.folder / f"{name}.part"
        temporary.unlink(missing_ok=True)
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as stream:
            stream.write(text)
        temporary.replace(self.folder / name)

    def _tidy(self, rendered: Rendered) -> None:
        """Remove files of load balancers that are gone (keys above all)."""
        for pattern in ("cert-*.pem", "trust-*.pem", "body-*.txt"):
            for path in self.folder.glob(pattern):
                if path.name not in rendered.files:
                    path.unlink()


_balancers: dict[Path, Balancer] = {}


def _balancer(state_dir: Path) -> Balancer:
    path = Path(state_dir).resolve()
    if path not in _balancers:
        _balancers[path] = Balancer(path)
    return _balancers[path]


def reconcile(
    sessions: Mapping[str, Session],
    state_dir: Path,
    networks: Iterable[Network],
    account_port: int = 4566,
    calls: int | None = None,
) -> Changes:
    """Bring the balancer in line with the accounts.

    `sessions`: account id → boto3 session (or anything with `client(service)`) that reaches the account;
    `state_dir`: .cache/rehearsal; `networks`: the VPCs that have a bridge on this machine; `calls`: how many changing
    calls the accounts' API has served, where that is known. Meant to be called about every second. Raises
    BalancerError, OSError, or what boto3 raises; the next call tries again.
    """
    return _balancer(state_dir).reconcile(sessions, networks, account_port, calls)


def check_ports(state_dir: Path) -> None:
    """Raise BalancerError when the loopback port is another program's; to be called before anything is built."""
    if _balancer(state_dir).process.pid is None:
        check_free(LOOPBACK)


def start(state_dir: Path) -> None:
    """Start the balancer with the configuration it last had; nothing to do when it runs or never had one."""
    process = _balancer(state_dir).process
    if process.pid is None and (process.folder / CONFIG).exists():
        process.start()


def stop(state_dir: Path) -> None:
    """End the balancer's process. Addresses on bridges go with the bridges."""
    _balancer(state_dir).process.stop()


def status(state_dir: Path) -> dict[str, object]:
    """{"running", "pid", "folder", "frontends"} of the balancer."""
    process = _balancer(state_dir).process
    pid = process.pid
    config = process.folder / CONFIG
    binds = [line.split()[1] for line in config.read_text().splitlines() if line.startswith("  bind ")] if pid else []
    return {"running": pid is not None, "pid": pid, "folder": str(process.folder), "frontends": binds}
