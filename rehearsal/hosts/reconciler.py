"""Keeps hosts, networks and packet filters as the accounts say: called about every second."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rehearsal.accounts import AccountSession
from rehearsal.balancer import Network, certificates
from rehearsal.errors import RehearsalError
from rehearsal.hosts import firewall, gateway, image, network, observer, probe
from rehearsal.hosts.container import Containers, Running
from rehearsal.hosts.model import PREFIX, Instance, Snapshot, Vpc
from rehearsal.hosts.podman import Podman
from rehearsal.processes import write_json

RETRY_SECONDS = 5.0
ROLE_SECONDS = 20.0
log = logging.getLogger("rehearsal.hosts")


class Hosts:
    """The hosts of all accounts. What is known of containers is asked from podman once, and again after trouble."""

    def __init__(self, podman: Podman, folder: Path, public_key: str) -> None:
        self._podman = podman
        self._folder = folder
        web_ca = certificates.ca_path(folder / "web-ca").read_text()
        self.containers = Containers(podman, folder / "hosts", public_key, web_ca)
        self._known: dict[str, Running] | None = None
        self._filters: dict[str, tuple[int, str]] = {}
        self._retry: dict[str, float] = {}
        self._roles: dict[str, tuple[float, str | None]] = {}
        self._written: Any = None
        self._image_ready = False
        self.vpcs: dict[str, Vpc] = {}
        self.problems: list[str] = []

    @property
    def networks(self) -> list[Network]:
        """The VPCs that have a bridge, as the balancer wants them."""
        return [
            Network(vpc.account_id, vpc.vpc_id, vpc.cidr, network.bridge_name(vpc), vpc.gateway)
            for vpc in self.vpcs.values()
        ]

    @property
    def running(self) -> dict[str, int]:
        """Instance id → process id of its systemd, of hosts that run."""
        known = self._known or {}
        return {one: state.process.pid for one, state in known.items() if state.process and state.process.alive}

    def reconcile(
        self, snapshots: Mapping[str, Snapshot], sessions: Mapping[str, AccountSession], complete: bool
    ) -> list[str]:
        """Follow the accounts; `complete`: every open account could be read, so that what none knows can go.

        Returns what was done; what could not be done is in `problems` and tried again.
        """
        self.problems = []
        done = self._bridges(snapshots, complete)
        if self._known is None:
            self._known = self.containers.all()
        instances = {one.instance_id: one for snapshot in snapshots.values() for one in snapshot.instances}
        for instance_id in sorted(set(self._known) | set(instances)):
            if time.monotonic() < self._retry.get(instance_id, 0.0):
                continue
            try:
                done += self._follow(instance_id, instances.get(instance_id), snapshots, sessions, complete)
            except (RehearsalError, OSError) as problem:
                self._known = self.containers.all()
                self._filters.pop(instance_id, None)
                self._retry[instance_id] = time.monotonic() + RETRY_SECONDS
                self.problems.append(f"{instance_id}: {problem}")
        return done

    def _bridges(self, snapshots: Mapping[str, Snapshot], complete: bool) -> list[str]:
        done = []
        wanted = {vpc.vpc_id: vpc for snapshot in snapshots.values() for vpc in snapshot.vpcs}
        for vpc in wanted.values():
            try:
                if network.ensure_bridge(vpc):
                    done.append(f"{vpc.vpc_id}: {network.bridge_name(vpc)} with {vpc.gateway}")
                self.vpcs[vpc.vpc_id] = vpc
            except RehearsalError as problem:
                self.problems.append(str(problem))
        if complete:
            for vpc_id in set(self.vpcs) - set(wanted):
                del self.vpcs[vpc_id]
            names = {network.bridge_name(vpc) for vpc in self.vpcs.values()}
            for link in network.links():
                if link.startswith(network.mark() + "b") and link not in names:
                    network.remove_link(link)
                    done.append(f"{link} removed: its VPC is gone")
        return done

    def _follow(
        self,
        instance_id: str,
        instance: Instance | None,
        snapshots: Mapping[str, Snapshot],
        sessions: Mapping[str, AccountSession],
        complete: bool,
    ) -> list[str]:
        """Bring one host in line with its instance."""
        assert self._known is not None
        host = self._known.get(instance_id)
        if instance is None or not instance.kept or instance.vpc_id not in self.vpcs:
            if host is None or (instance is None and not complete):
                return []
            self.containers.remove(instance_id, PREFIX + instance_id)
            self._forget(instance_id)
            return [f"{instance_id}: host removed"]
        process = host.process if host and host.process and host.process.alive else None
        if not instance.wanted:
            if process is None:
                return []
            self.containers.stop(instance_id, instance.container)
            self._known[instance_id] = Running(instance_id, None)
            return [f"{instance_id}: host stopped"]
        snapshot = snapshots[instance.account_id]
        script = firewall.render(instance, self.vpcs[instance.vpc_id], snapshot, free=probe.is_probe(instance))
        if process is None:
            return self._start(instance, host, script, sessions[instance.account_id])
        if self._filters.get(instance_id) != (process.pid, script):
            firewall.apply(process.pid, script)
            self._filters[instance_id] = (process.pid, script)
            return [f"{instance_id}: packet filter set"]
        return []

    def _start(self, instance: Instance, host: Running | None, script: str, session: AccountSession) -> list[str]:
        assert self._known is not None
        self._image_ready = self._image_ready or image.ready(self._podman)
        if not self._image_ready:
            return []
        vpc = self.vpcs[instance.vpc_id]
        began = time.monotonic()
        if host is None:
            self.containers.create(instance, vpc, observer.user_data(session, instance.instance_id))
        process = self.containers.start(instance, vpc, script)
        self._known[instance.instance_id] = Running(instance.instance_id, process)
        self._filters[instance.instance_id] = (process.pid, script)
        self._retry.pop(instance.instance_id, None)
        return [f"{instance.instance_id}: host started at {instance.address} in {time.monotonic() - began:.1f} s"]

    def _forget(self, instance_id: str) -> None:
        for memory in (self._known or {}, self._filters, self._retry):
            memory.pop(instance_id, None)

    def describe(
        self,
        snapshots: Mapping[str, Snapshot],
        sessions: Mapping[str, AccountSession],
        account: str,
        mirrors: Sequence[str],
    ) -> None:
        """Write what the gateways' services answer from. `account` names the account process."""
        hosts = {
            one.address: self._entry(one, snapshot, sessions[one.account_id])
            for snapshot in snapshots.values()
            for one in snapshot.instances
            if one.wanted and one.vpc_id in self.vpcs
        }
        state = {
            "gateways": sorted(vpc.gateway for vpc in self.vpcs.values()),
            "mirrors": sorted(mirrors),
            "account": account,
            "hosts": hosts,
        }
        if state != self._written:
            write_json(self._folder / gateway.STATE, state)
            self._written = state

    def _entry(self, one: Instance, snapshot: Snapshot, session: AccountSession) -> dict[str, Any]:
        return {
            "account_id": one.account_id,
            "address": one.address,
            "group_names": list(one.group_names),
            "groups": list(one.groups),
            "image_id": one.image_id,
            "instance_id": one.instance_id,
            "kind": one.kind,
            "mac": one.mac,
            "metadata_enabled": one.metadata_enabled,
            "metadata_tags": one.metadata_tags,
            "name": one.name,
            "profile": one.profile,
            "region": snapshot.region,
            "role_arn": self._role(one, session),
            "subnet_id": one.subnet_id,
            "tags": dict(one.tags),
            "token_required": one.token_required,
            "vpc_cidr": self.vpcs[one.vpc_id].cidr,
            "vpc_id": one.vpc_id,
            "zone": one.zone,
        }

    def _role(self, instance: Instance, session: AccountSession) -> str | None:
        if instance.profile is None:
            return None
        asked, role = self._roles.get(instance.profile, (0.0, None))
        if role is None or time.monotonic() - asked > ROLE_SECONDS:
            role = observer.profile_role(session, instance.profile)
            self._roles[instance.profile] = (time.monotonic(), role)
        return role
