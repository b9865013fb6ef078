"""Whatever is killed, the next start goes on with what lives, and `destroy` leaves the machine as it was."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from rehearsal import session
from rehearsal.hosts.podman import Podman
from rehearsal.paths import PODMAN, STATE
from rehearsal.processes import wait_until
from tests.integration.hosts.conftest import VALUES, Site, make_site, wait_for
from tests.support.machine import Machine

OWN = (str(STATE), str(PODMAN))
PLACES = ("/run", "/run/netns", "/run/runc", "/run/containers", "/var/tmp", "/var/lib/containers", "/dev/shm")


def belongings() -> set[str]:
    """What lies where podman and its helpers might leave something."""
    found = {str(path) for place in PLACES for path in Path(place).glob("*")}
    cgroups = {str(path) for root in ("", "/unified") for path in Path(f"/sys/fs/cgroup{root}").glob("libpod*")}
    return {one for one in found if "pytest" not in one} | cgroups


@pytest.fixture(scope="module")
def machine_before() -> Machine:
    session.destroy(print)
    return Machine.now()


@pytest.fixture(scope="module")
def belongings_before(machine_before: Machine) -> set[str]:
    return belongings()


@pytest.fixture
def site(machine_before: Machine, belongings_before: set[str]) -> Iterator[Site]:
    made = make_site()
    try:
        made.launch("web", "web")
        made.up("web", 400)
        yield made
    finally:
        session.destroy(print)


def left_since(before: Machine) -> dict[str, list[str]]:
    """What is left; of processes those of this rehearsal only, since other tests may run beside this one."""
    left = Machine.now().left_since(before)
    own = [line for line in left.pop("processes", []) if any(word in line for word in OWN)]
    return left | ({"processes": own} if own else {})


def reopen() -> None:
    session.open_account("hosts-test", VALUES, print)


def kill(pid: int | None) -> None:
    assert pid
    os.kill(pid, signal.SIGKILL)
    assert wait_until(lambda: not Path(f"/proc/{pid}").exists() or "Z" in _state(pid), 5)


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return "Z"


def test_a_killed_supervisor_is_replaced_and_hosts_stay(site: Site) -> None:
    before = session.status()
    kill(before["supervisor"]["pid"])
    assert site.ssh("web", "true").returncode == 0
    reopen()
    after = wait_for(lambda: session.status()["hosts"] and session.status(), 60, "hosts adopted")
    assert after["hosts"] == before["hosts"]
    assert after["processes"] == before["processes"]
    assert after["supervisor"]["pid"] != before["supervisor"]["pid"]


def test_killed_helpers_are_started_again(site: Site) -> None:
    """Names, metadata and the account's port come back by themselves."""
    before = session.status()
    for name in ("gateway", "dnsmasq"):
        kill(before["processes"][name])
    kill(before["balancer"]["pid"])
    wait_for(lambda: all(session.status()["processes"].values()) and session.status()["balancer"]["pid"], 60, "back")
    ask = "getent hosts $(hostname) && curl -s -m 3 http://10.77.0.1:4566/_rehearsal/ready"
    wait_for(lambda: site.ssh("web", ask).returncode == 0, 60, "names and account on the host")
    code = "curl -s -m 3 -o /dev/null -w '%{http_code}' http://169.254.169.254/latest/meta-data/"
    wait_for(lambda: site.ssh("web", code).stdout == "401", 60, "metadata on the host")


def test_an_account_that_was_killed_comes_back_empty_and_its_leftovers_go(site: Site) -> None:
    container = site.instances["web"]
    kill(session.status()["processes"]["account"])
    reopen()
    wait_for(lambda: container not in Podman()("ps", "--all", "--format", "{{.Names}}"), 60, "container gone")
    wait_for(lambda: not session.status()["networks"], 60, "network gone")
    assert session.status()["account"]


def test_destroy_leaves_the_machine_as_it_was(site: Site, machine_before: Machine, belongings_before: set[str]) -> None:
    now = session.status()
    session.destroy(print)
    assert wait_until(lambda: left_since(machine_before) == {}, 10), left_since(machine_before)
    assert wait_until(lambda: belongings() <= belongings_before, 10), belongings() - belongings_before
    assert session.status()["supervisor"]["pid"] is None
    ended = [now["supervisor"]["pid"], now["balancer"]["pid"], *now["processes"].values(), *now["hosts"].values()]
    assert [pid for pid in ended if _state(pid) != "Z"] == []


def test_destroy_after_everything_was_killed(site: Site, machine_before: Machine, belongings_before: set[str]) -> None:
    """SIGKILL to the supervisor and every helper at once; hosts go on without anybody who knows them."""
    now = session.status()
    for pid in (now["supervisor"]["pid"], now["balancer"]["pid"], *now["processes"].values()):
        kill(pid)
    session.destroy(print)
    assert wait_until(lambda: left_since(machine_before) == {}, 10), left_since(machine_before)
    assert wait_until(lambda: belongings() <= belongings_before, 10), belongings() - belongings_before


def test_destroy_when_there_is_nothing(machine_before: Machine) -> None:
    session.destroy(print)
    session.destroy(print)
    assert left_since(machine_before) == {}
