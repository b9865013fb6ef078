"""A host's packet filter says what its security groups say, and nothing more."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from rehearsal.hosts import firewall
from rehearsal.hosts.model import Group, Instance, Rule, Snapshot, Vpc

VPC = Vpc("vpc-1", "111122223333", "10.20.0.0/16")


def instance(*groups: str, **changed: object) -> Instance:
    values = {
        "instance_id": "i-1",
        "account_id": "111122223333",
        "vpc_id": "vpc-1",
        "subnet_id": "subnet-1",
        "zone": "eu-central-1a",
        "address": "10.20.1.4",
        "name": "ip-10-20-1-4.eu-central-1.compute.internal",
        "state": "running",
        "image_id": "ami-1",
        "kind": "t3.medium",
        "groups": groups,
        "group_names": groups,
        "profile": None,
        "mac": "02:00:00:00:00:01",
    }
    return Instance(**{**values, **changed})  # type: ignore[arg-type]


def script(*groups: Group, members: dict[str, frozenset[str]] | None = None, **more: object) -> str:
    snapshot = Snapshot(
        "111122223333",
        "eu-central-1",
        (VPC,),
        groups={one.group_id: one for one in groups},
        members=members or {},
        endpoints=frozenset(more.get("endpoints", ())),  # type: ignore[arg-type]
    )
    return firewall.render(instance(*(one.group_id for one in groups)), VPC, snapshot, bool(more.get("free")))


def chain(text: str, name: str) -> list[str]:
    """The rules of a chain, without its head."""
    body = text.split(f"chain {name} {{", 1)[1].split("  }", 1)[0]
    return [line.strip() for line in body.splitlines() if line.strip()][1:]


def test_without_rules_only_systems_manager_gets_in() -> None:
    rules = chain(script(Group("sg-1")), "input")
    assert [rule for rule in rules if "dport" in rule] == [
        'ip saddr 10.20.0.1 tcp dport 22 accept comment "Systems Manager"'
    ]
    assert "policy drop" in script(Group("sg-1"))


def test_a_group_as_source_means_the_addresses_of_its_members() -> None:
    edge = Group("sg-1", ingress=(Rule("tcp", (9443, 9443), groups=("sg-alb",)),))
    members = {"sg-alb": frozenset({"10.20.0.9", "10.20.0.10"}), "sg-other": frozenset({"10.20.0.20"})}
    assert "ip saddr { 10.20.0.9/32, 10.20.0.10/32 } tcp dport 9443 accept" in chain(
        script(edge, members=members), "input"
    )


def test_a_group_without_members_admits_nobody() -> None:
    edge = Group("sg-1", ingress=(Rule("tcp", (9443, 9443), groups=("sg-alb",)),))
    assert not [rule for rule in chain(script(edge), "input") if "9443" in rule]


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (Rule("all", networks=("0.0.0.0/0",)), "accept"),
        (Rule("tcp", (80, 90), networks=("0.0.0.0/0",)), "tcp dport 80-90 accept"),
        (Rule("17", (53, 53), networks=("10.20.0.0/16",)), "ip saddr { 10.20.0.0/16 } udp dport 53 accept"),
        (Rule("tcp", networks=("10.0.0.0/8",)), "ip saddr { 10.0.0.0/8 } meta l4proto tcp accept"),
        (Rule("icmp", (8, -1), networks=("0.0.0.0/0",)), "icmp type 8 accept"),
        (Rule("icmp", networks=("0.0.0.0/0",)), "meta l4proto icmp accept"),
        (Rule("50", networks=("0.0.0.0/0",)), "meta l4proto 50 accept"),
        (
            Rule("tcp", (1, 2), networks=("10.20.1.0/24", "10.20.1.7/32", "10.20.0.0/24")),
            "ip saddr { 10.20.0.0/23 } tcp dport 1-2 accept",
        ),
    ],
)
def test_rules(rule: Rule, expected: str) -> None:
    assert expected in chain(script(Group("sg-1", ingress=(rule,))), "input")


def reaches(text: str, port: int) -> bool:
    return f"ip daddr 10.20.0.1 tcp dport {port} accept" in chain(text, "output")


@pytest.mark.parametrize(
    ("rule", "services", "mirrors"),
    [
        (Rule("tcp", (443, 443), networks=("0.0.0.0/0",)), True, True),
        (Rule("tcp", (80, 80), networks=("0.0.0.0/0",)), False, True),
        (Rule("tcp", (443, 443), networks=("10.20.2.0/24",)), True, False),
        (Rule("tcp", (443, 443), networks=("10.20.3.0/24",)), False, False),
        (Rule("tcp", (443, 443), groups=("sg-endpoints",)), True, False),
        (Rule("tcp", (443, 443), services=True), True, False),
        (Rule("udp", (443, 443), networks=("0.0.0.0/0",)), False, False),
        (Rule("all", networks=("0.0.0.0/0",)), True, True),
    ],
)
def test_services_and_mirrors_are_reached_as_the_groups_allow(rule: Rule, services: bool, mirrors: bool) -> None:
    """Endpoints' interfaces stand at 10.20.2.5."""
    members = {"sg-endpoints": frozenset({"10.20.2.5"})}
    text = script(Group("sg-1", egress=(rule,)), members=members, endpoints=["10.20.2.5"])
    assert (reaches(text, 4566), reaches(text, firewall.PROXY_PORT)) == (services, mirrors)


def test_names_and_metadata_are_never_filtered() -> None:
    text = script(Group("sg-1"))
    assert reaches(text, firewall.METADATA_PORT)
    assert any("th dport 53 accept" in rule for rule in chain(text, "output"))
    assert chain(text, "metadata") == [
        f"ip daddr 169.254.169.254 tcp dport 80 dnat to 10.20.0.1:{firewall.METADATA_PORT}"
    ]


def test_the_machines_other_ports_are_not_the_vpcs() -> None:
    """Everything outbound is allowed, and still the machine behind the gateway's address is out of reach."""
    rules = chain(script(Group("sg-1", egress=(Rule("all", networks=("0.0.0.0/0",)),))), "output")
    assert rules.index("ip daddr 10.20.0.1 drop") < rules.index("accept")


def test_a_probe_may_try_everything_but_admits_nobody() -> None:
    text = script(Group("sg-default"), free=True)
    assert chain(text, "output")[-1] == "accept"
    assert not [rule for rule in chain(text, "input") if rule == "accept"]


@pytest.mark.skipif(shutil.which("nft") is None, reason="nft is not installed")
def test_nft_takes_every_rule(tmp_path) -> None:
    """Only read, not applied: `nft --check` needs the rights of root."""
    rules = (
        Rule("all", networks=("0.0.0.0/0",)),
        Rule("tcp", (80, 90), networks=("10.20.0.0/16", "198.51.100.0/24")),
        Rule("udp", (53, 53), groups=("sg-1",)),
        Rule("icmp", (8, -1), networks=("0.0.0.0/0",)),
        Rule("icmp", networks=("0.0.0.0/0",)),
        Rule("50", networks=("0.0.0.0/0",)),
    )
    path = tmp_path / "filter.nft"
    path.write_text(script(Group("sg-1", rules, rules), members={"sg-1": frozenset({"10.20.1.4"})}))
    done = subprocess.run(["nft", "--check", "--file", str(path)], capture_output=True, text=True, check=False)
    if "Operation not permitted" in done.stderr:
        pytest.skip("needs root")
    assert done.returncode == 0, done.stderr
