"""Hosts follow their instances: started, stopped, replaced, and left alone while an account cannot be read."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rehearsal.errors import RehearsalError
from rehearsal.hosts import firewall, image, network, observer, reconciler
from rehearsal.hosts.container import Running
from rehearsal.hosts.model import Group, Instance, Rule, Snapshot, Vpc
from rehearsal.processes import Identity
from tests.unit.rehearsal.test_firewall import instance

ACCOUNT = "111122223333"
VPC = Vpc("vpc-1", ACCOUNT, "10.20.0.0/16")
NODE = instance("sg-1")


class Process(Identity):
    """A host's systemd that lives until told otherwise."""

    dead: set[int] = set()

    @property
    def alive(self) -> bool:
        return self.pid not in self.dead


class Containers:
    """Writes down what would be done with podman."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.present: dict[str, Running] = {}
        self.fails = ""
        self._pids = itertools.count(100)

    def all(self) -> dict[str, Running]:
        return dict(self.present)

    def create(self, one: Instance, vpc: Vpc, user_data: str) -> None:
        self.calls.append(f"create {one.instance_id}")
        if self.fails:
            raise RehearsalError(self.fails)
        self.present[one.instance_id] = Running(one.instance_id, None)

    def start(self, one: Instance, vpc: Vpc, script: str) -> Identity:
        self.calls.append(f"start {one.instance_id}")
        found = Process(next(self._pids), "1")
        self.present[one.instance_id] = Running(one.instance_id, found)
        return found

    def stop(self, instance_id: str, container: str) -> None:
        self.calls.append(f"stop {instance_id}")
        self.present[instance_id] = Running(instance_id, None)

    def remove(self, instance_id: str, container: str) -> None:
        self.calls.append(f"remove {instance_id}")
        self.present.pop(instance_id, None)


class Site:
    """The reconciler over a world of plain values."""

    def __init__(self, folder: Path) -> None:
        self.hosts = reconciler.Hosts(None, folder, "key")  # type: ignore[arg-type]
        self.containers = Containers()
        self.hosts.containers = self.containers  # type: ignore[assignment]
        self.filters: list[tuple[int, str]] = []

    def round(self, *instances: Instance, complete: bool = True, known: bool = True, **more: Any) -> list[str]:
        """One round; what was done with containers in it."""
        self.containers.calls.clear()
        found = {ACCOUNT: Snapshot(ACCOUNT, "eu-central-1", (VPC,), instances, **more)} if known else {}
        self.hosts.reconcile(found, {ACCOUNT: None}, complete)  # type: ignore[dict-item]
        return self.containers.calls


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    made = Site(tmp_path)
    Process.dead.clear()
    monkeypatch.setattr(network, "ensure_bridge", lambda vpc: False)
    monkeypatch.setattr(network, "links", lambda: [])
    monkeypatch.setattr(observer, "user_data", lambda session, instance_id: "")
    monkeypatch.setattr(image, "ready", lambda podman: True)
    apply: Callable[[int, str], None] = lambda pid, script: made.filters.append((pid, script))  # noqa: E731
    monkeypatch.setattr(firewall, "apply", apply)
    return made


def test_a_running_instance_gets_a_host_once(site: Site) -> None:
    assert site.round(NODE) == ["create i-1", "start i-1"]
    assert site.round(NODE) == []
    assert list(site.hosts.running) == ["i-1"]


def test_no_host_before_its_image(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image, "ready", lambda podman: False)
    assert site.round(NODE) == []


def test_stop_start_terminate(site: Site) -> None:
    site.round(NODE)
    assert site.round(replace(NODE, state="stopped")) == ["stop i-1"]
    assert site.round(NODE) == ["start i-1"]
    assert site.round(replace(NODE, state="terminated")) == ["remove i-1"]
    assert site.round() == []


def test_a_host_that_ended_by_itself_is_started_again(site: Site) -> None:
    site.round(NODE)
    Process.dead.add(site.hosts.running["i-1"])
    assert site.round(NODE) == ["start i-1"]


def test_hosts_of_an_earlier_supervisor_are_adopted(site: Site) -> None:
    site.containers.present["i-1"] = Running("i-1", Process(7, "1"))
    assert site.round(NODE) == []
    assert site.hosts.running == {"i-1": 7}
    assert [pid for pid, _ in site.filters] == [7], "its packet filter is set anew"


def test_an_account_that_cannot_be_read_loses_nothing(site: Site) -> None:
    site.round(NODE)
    assert site.round(complete=False, known=False) == []
    assert site.hosts.vpcs == {"vpc-1": VPC}


def test_what_no_account_knows_is_removed(site: Site) -> None:
    site.round(NODE)
    assert site.round() == ["remove i-1"]


def test_a_packet_filter_is_set_again_when_its_groups_change(site: Site) -> None:
    site.round(NODE, groups={"sg-1": Group("sg-1")})
    opened = Group("sg-1", ingress=(Rule("tcp", (9443, 9443), networks=("10.20.0.0/16",)),))
    site.round(NODE, groups={"sg-1": opened})
    site.round(NODE, groups={"sg-1": opened})
    assert len(site.filters) == 1
    assert "9443" in site.filters[0][1]


def test_one_hosts_trouble_is_not_anothers(site: Site) -> None:
    site.containers.fails = "no space"
    other = replace(NODE, instance_id="i-2", address="10.20.1.5")
    assert site.round(NODE, other) == ["create i-1", "create i-2"]
    assert site.hosts.problems == ["i-1: no space", "i-2: no space"]
    site.containers.fails = ""
    assert site.round(NODE, other) == [], "not tried again at once"


def test_a_network_in_use_is_a_problem_and_its_hosts_wait(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(vpc: Vpc) -> bool:
        raise network.NetworkError("taken by vpn0")

    monkeypatch.setattr(network, "ensure_bridge", refuse)
    assert site.round(NODE) == []
    assert site.hosts.problems == ["taken by vpn0"]
