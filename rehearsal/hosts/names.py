"""Names in the VPCs: one dnsmasq that listens on every gateway and knows what Route 53 would know there."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterable, Mapping
from pathlib import Path

from rehearsal.accounts import Opened
from rehearsal.errors import RehearsalError
from rehearsal.hosts.model import Snapshot, Vpc
from rehearsal.processes import Child, write_text

SERVICES = ("nifi", "airflow", "ingest")
"""Whose names below the domain lead to the load balancer. On AWS the hosted zone says so, or the domain's owner."""


def records(snapshots: Iterable[Snapshot], opened: Mapping[str, Opened]) -> list[str]:
    """Lines of a hosts file: instances' private names, databases, load balancers, and the services of each domain.

    `opened`: account id → account.
    """
    lines = set()
    for snapshot in snapshots:
        for instance in snapshot.instances:
            if instance.kept and instance.address and instance.name:
                lines.add(f"{instance.address} {instance.name}")
        for dns_name, addresses in snapshot.balancers.items():
            lines |= {f"{address} {dns_name.lower()}" for address in addresses}
        lines |= {f"{one.address} {one.endpoint.lower()}" for one in snapshot.databases if one.endpoint}
        account = opened.get(snapshot.account_id)
        if account and snapshot.balancers:
            # the platform has one load balancer for all its services
            first = snapshot.balancers[min(snapshot.balancers)]
            lines |= {f"{address} {service}.{account.domain}" for address in first for service in SERVICES}
    return sorted(lines)


def settings(gateways: Iterable[str], hosts: Path) -> str:
    """dnsmasq's configuration. It knows only what it is told: nothing is asked outside."""
    lines = ["port=53", "no-resolv", "no-hosts", "no-poll", "bind-dynamic", "user=root", "log-facility=-"]
    lines += ["no-ping", "local=/#/", "local-ttl=5", f"addn-hosts={hosts}", "pid-file="]
    lines += [f"listen-address={gateway}" for gateway in sorted(gateways)]
    # loopback is dnsmasq's own idea; the machine may have a resolver there
    return "\n".join([*lines, "except-interface=lo", ""])


class Names:
    """The dnsmasq process and its files in `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.child = Child("dnsmasq", folder)

    def reconcile(self, vpcs: Iterable[Vpc], lines: Iterable[str]) -> list[str]:
        """Serve `lines` on the VPCs' gateways; returns what was done."""
        gateways = [vpc.gateway for vpc in vpcs]
        if not gateways:
            return ["names: stopped"] if self.child.stop() else []
        hosts, config = self._folder / "names.hosts", self._folder / "dnsmasq.conf"
        changed = _update(hosts, "".join(f"{line}\n" for line in lines))
        restart = _update(config, settings(gateways, hosts))
        if restart:
            self.child.stop()
        pid = self.child.pid
        if pid is None:
            self.child.start([_binary(), "--keep-in-foreground", f"--conf-file={config}"], self._folder)
            return [f"names: started on {', '.join(sorted(gateways))}"]
        if changed:
            os.kill(pid, signal.SIGHUP)
            return ["names: updated"]
        return []


def _update(path: Path, text: str) -> bool:
    try:
        if path.read_text() == text:
            return False
    except OSError:
        pass
    write_text(path, text, 0o644)
    return True


def _binary() -> str:
    found = shutil.which("dnsmasq") or shutil.which("dnsmasq", path="/usr/sbin:/usr/local/sbin")
    if found is None:
        raise RehearsalError("dnsmasq is not installed: names in the VPCs need it (make setup: dnsmasq-base)")
    return found
