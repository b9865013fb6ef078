"""Addresses of load balancers on a bridge: added, remembered, and taken away again; nobody else's are touched."""

from __future__ import annotations

import os
import subprocess
from dataclasses import replace

import pytest

from rehearsal.balancer.addresses import place_addresses
from rehearsal.balancer.model import LoadBalancer, Network, World

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="bridges need root")
BRIDGE = "test-balancer"


@pytest.fixture
def bridge():
    # no address of the bridge is up or routed: it never is
    made = subprocess.run(["ip", "link", "add", BRIDGE, "type", "bridge"], capture_output=True, text=True)
    if made.returncode != 0:
        pytest.skip(f"no bridge can be made here: {made.stderr}")
    subprocess.run(["ip", "addr", "add", "198.18.7.2/32", "dev", BRIDGE], check=True)
    yield BRIDGE
    subprocess.run(["ip", "link", "del", BRIDGE], check=True)


def addresses() -> set[str]:
    shown = subprocess.run(["ip", "-o", "-4", "addr", "show", "dev", BRIDGE], capture_output=True, text=True).stdout
    return {line.split()[3] for line in shown.splitlines()}


def test_addresses_follow_the_load_balancers(bridge, tmp_path):
    network = Network("1", "vpc-1", "198.18.7.0/24", bridge, "198.18.7.1")
    alb = LoadBalancer("arn", "a", "1", "r", "vpc-1", "dns", ("198.18.7.5", "198.18.7.6"), {}, (), ())
    memory = tmp_path / "addresses"
    world = World((alb,), networks=(network,))
    assert len(place_addresses(world, memory)) == 2
    assert place_addresses(world, memory) == []
    assert addresses() == {"198.18.7.2/32", "198.18.7.5/32", "198.18.7.6/32"}
    moved = replace(alb, addresses=("198.18.7.5", "198.18.7.9"))
    place_addresses(World((moved,), networks=(network,)), memory)
    assert addresses() == {"198.18.7.2/32", "198.18.7.5/32", "198.18.7.9/32"}
    place_addresses(World(networks=(network,)), memory)
    assert addresses() == {"198.18.7.2/32"}
