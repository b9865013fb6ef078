"""What other rehearsals of this machine left behind, or still use: real bridges, with names of another checkout."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from rehearsal.hosts import network
from rehearsal.hosts.model import Vpc

VPC = Vpc("vpc-0123456789abcdef0", "111122223333", "10.79.0.0/16")
OTHER = Path("/srv/another checkout")


@pytest.fixture
def bridge(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A bridge as the other checkout makes it; this one is the checkout of this folder again."""
    name = network.bridge_name(VPC, OTHER)
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr(network, "CHECKOUT", OTHER)
        elsewhere.setattr(network, "bridge_name", lambda vpc: name)
        assert network.ensure_bridge(VPC)
    yield name
    network.remove_link(name)


def test_the_bridge_of_a_killed_rehearsal_is_deleted(bridge: str) -> None:
    """Else both bridges would have the same addresses, and no host of the newer one could be reached."""
    assert network.make_way(VPC.network) == [f"deleted {bridge}, left behind by a rehearsal in {OTHER}"]
    assert bridge not in network.links(own_only=False)
    assert network.make_way(VPC.network) == []


def test_the_bridge_of_one_that_has_hosts_is_not(bridge: str) -> None:
    cable = bridge.replace("b", "h", 1)
    subprocess.run(["ip", "link", "add", cable, "master", bridge, "type", "veth"], check=True)
    try:
        with pytest.raises(network.NetworkError, match=f"the rehearsal in {OTHER} .*`make destroy`"):
            network.make_way(VPC.network)
        assert bridge in network.links(own_only=False)
    finally:
        network.remove_link(cable)


def test_another_network_of_the_machine_is_not_touched() -> None:
    name = "vpn-test0"
    subprocess.run(["ip", "link", "add", name, "type", "bridge"], check=True)
    try:
        subprocess.run(["ip", "addr", "add", "10.79.5.1/24", "dev", name], check=True)
        subprocess.run(["ip", "link", "set", name, "up"], check=True)
        with pytest.raises(network.NetworkError, match=rf"{name} \(10\.79\.5\.0/24\).*vpc_cidr"):
            network.make_way(VPC.network)
        assert name in network.links(own_only=False)
    finally:
        network.remove_link(name)
