"""Bridges and cables: names that fit and belong to one checkout, and addresses nobody else uses."""

from __future__ import annotations

import re
from ipaddress import IPv4Network
from pathlib import Path

import pytest

from rehearsal.hosts import network
from rehearsal.hosts.model import Vpc

VPC = Vpc("vpc-0123456789abcdef0", "111122223333", "10.20.0.0/16")


def test_names_fit_into_the_kernels_fifteen_characters() -> None:
    assert len(network.bridge_name(VPC)) <= 15
    assert len(network.cable_name("i-0123456789abcdef0")) <= 15


def test_another_checkouts_links_have_other_names() -> None:
    mine, other = network.bridge_name(VPC, Path("/a")), network.bridge_name(VPC, Path("/b"))
    assert mine != other
    assert not other.startswith(network.mark(Path("/a")))


def test_two_accounts_with_one_vpc_id_have_two_bridges() -> None:
    assert network.bridge_name(VPC) != network.bridge_name(Vpc(VPC.vpc_id, "444455556666", VPC.cidr))


def test_the_gateway_is_the_first_address() -> None:
    assert VPC.gateway == "10.20.0.1"


@pytest.mark.parametrize(
    ("route", "taken"),
    [
        ({"dst": "default", "dev": "eth0"}, None),
        ({"dst": "192.0.2.0/24", "dev": "eth0"}, None),
        ({"dst": "10.20.7.0/24", "dev": "vpn0"}, ("vpn0", "10.20.7.0/24")),
        ({"dst": "10.0.0.0/8", "dev": "vpn0"}, ("vpn0", "10.0.0.0/8")),
        ({"dst": "10.20.0.5", "dev": "eth1"}, ("eth1", "10.20.0.5")),
        ({"dst": "10.20.0.0/16", "dev": "dpabcdbridge"}, None),
    ],
)
def test_a_network_the_machine_reaches_already_is_found(route: dict[str, str], taken: tuple[str, str] | None) -> None:
    assert network.overlapping(IPv4Network("10.20.0.0/16"), [route], "dpabcd") == taken


def test_a_bridge_keeps_its_address_whoever_is_plugged_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bridge without an address of its own takes a port's: its neighbours would look for the gateway in vain."""
    said: list[str] = []
    monkeypatch.setattr(network, "links", lambda: [])
    monkeypatch.setattr(network, "_routes", lambda: [])
    monkeypatch.setattr(network, "_batch", lambda *lines: said.extend(lines))
    network.ensure_bridge(VPC)
    network.ensure_bridge(VPC)
    address = re.search(r" address (02(?::[0-9a-f]{2}){5}) type bridge$", said[0])
    assert address
    assert said[:4] == said[4:]
