"""Security groups of a load balancer, judged as AWS does."""

from __future__ import annotations

import pytest

from rehearsal.balancer.security import Surroundings, reaches, sources

AROUND = Surroundings(
    groups_of={"10.20.1.5": frozenset({"sg-nifi"}), "10.20.1.9": frozenset({"sg-probe"})},
    behind_nat={"198.51.100.7": ("10.20.1.0/24", "10.20.2.0/24")},
)


def rule(protocol="tcp", ports=(443, 443), networks=(), groups=()):
    return {
        "IpProtocol": protocol,
        "FromPort": ports[0],
        "ToPort": ports[1],
        "IpRanges": [{"CidrIp": network} for network in networks],
        "UserIdGroupPairs": [{"GroupId": group} for group in groups],
    }


def inbound(*rules):
    return [{"IpPermissions": list(rules)}]


def outbound(*rules):
    return [{"IpPermissionsEgress": list(rules)}]


def test_only_rules_of_the_port_admit():
    groups = inbound(rule(networks=["203.0.113.0/24"]), rule(ports=(80, 80), networks=["0.0.0.0/0"]))
    assert sources(groups, 443, AROUND) == ("203.0.113.0/24",)
    assert sources(groups, 8443, AROUND) == ()


def test_hosts_come_in_by_their_nat_gateways_address():
    assert sources(inbound(rule(networks=["198.51.100.7/32"])), 443, AROUND) == (
        "10.20.1.0/24",
        "10.20.2.0/24",
        "198.51.100.7/32",
    )


def test_a_group_stands_for_its_members():
    assert sources(inbound(rule(groups=["sg-probe"])), 443, AROUND) == ("10.20.1.9/32",)


@pytest.mark.parametrize(
    ("rules", "reached"),
    [
        ([], False),
        ([rule(ports=(9443, 9443), groups=["sg-nifi"])], True),
        ([rule(ports=(9443, 9443), groups=["sg-probe"])], False),
        ([rule(ports=(8443, 8443), groups=["sg-nifi"])], False),
        ([rule(ports=(9443, 9443), networks=["10.20.0.0/16"])], True),
        ([{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}], True),
        ([rule(protocol="udp", ports=(9443, 9443), networks=["0.0.0.0/0"])], False),
    ],
)
def test_targets_are_reached_by_outbound_rules_only(rules, reached):
    assert reaches(outbound(*rules), "10.20.1.5", 9443, AROUND) is reached
