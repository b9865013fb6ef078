"""What a load balancer's security groups let through: from clients to it, and from it to its targets.

HAProxy runs outside the hosts, whose own packet filters the rehearsal makes from their groups. So the load
balancer's groups are enforced here: a port or a NAT address that was forgotten shows as it would on AWS.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from typing import Any

Json = Mapping[str, Any]


@dataclass(frozen=True)
class Surroundings:
    """What of a VPC the groups' rules are judged with.

    `groups_of`: private address → ids of its security groups; `behind_nat`: public address of a NAT gateway →
    networks of the subnets whose way out it is.
    """

    groups_of: Mapping[str, frozenset[str]] = field(default_factory=dict)
    behind_nat: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def surroundings(pages: Callable[..., list[Json]], ec2: Any, vpc_id: str) -> Surroundings:
    """Read a VPC's interfaces and ways out; `pages(call, key, **arguments)` collects a paged answer."""
    here = [{"Name": "vpc-id", "Values": [vpc_id]}]
    interfaces = pages(ec2.describe_network_interfaces, "NetworkInterfaces", Filters=here)
    subnets = {one["SubnetId"]: one["CidrBlock"] for one in pages(ec2.describe_subnets, "Subnets", Filters=here)}
    gateways = pages(ec2.describe_nat_gateways, "NatGateways", Filter=here)
    tables = pages(ec2.describe_route_tables, "RouteTables", Filters=here)
    behind: dict[str, tuple[str, ...]] = {}
    for gateway in gateways:
        networks = _routed_to(gateway["NatGatewayId"], tables, subnets)
        for address in gateway.get("NatGatewayAddresses", []):
            if address.get("PublicIp"):
                behind[address["PublicIp"]] = networks
    groups = {
        one["PrivateIpAddress"]: frozenset(group["GroupId"] for group in one.get("Groups", [])) for one in interfaces
    }
    return Surroundings(groups, behind)


def _routed_to(gateway_id: str, tables: Iterable[Json], subnets: Mapping[str, str]) -> tuple[str, ...]:
    found = set()
    for table in tables:
        if any(route.get("NatGatewayId") == gateway_id for route in table.get("Routes", [])):
            linked = [one["SubnetId"] for one in table.get("Associations", []) if one.get("SubnetId")]
            found |= {subnets[subnet] for subnet in linked if subnet in subnets}
    return tuple(sorted(found))


def sources(groups: Iterable[Json], port: int, around: Surroundings) -> tuple[str, ...]:
    """Networks from which the groups admit connections to `port`.

    A host behind a NAT gateway arrives with the gateway's public address on AWS, here with its own: where the
    gateway's address is admitted, so are the subnets behind it.
    """
    admitted: set[str] = set()
    for rule in _rules(groups, "IpPermissions", port):
        networks = {item["CidrIp"] for item in rule.get("IpRanges", [])}
        admitted |= networks
        for public, private in around.behind_nat.items():
            if any(ip_address(public) in ip_network(network, strict=False) for network in networks):
                admitted |= set(private)
        peers = {pair["GroupId"] for pair in rule.get("UserIdGroupPairs", [])}
        admitted |= {f"{address}/32" for address, member in around.groups_of.items() if member & peers}
    return tuple(sorted(admitted))


def reaches(groups: Iterable[Json], address: str, port: int, around: Surroundings) -> bool:
    """Whether the groups' outbound rules let the load balancer connect to `address`:`port`."""
    for rule in _rules(groups, "IpPermissionsEgress", port):
        networks = (item["CidrIp"] for item in rule.get("IpRanges", []))
        if any(ip_address(address) in ip_network(network, strict=False) for network in networks):
            return True
        peers = {pair["GroupId"] for pair in rule.get("UserIdGroupPairs", [])}
        if around.groups_of.get(address, frozenset()) & peers:
            return True
    return False


def _rules(groups: Iterable[Json], direction: str, port: int) -> list[Json]:
    """The groups' rules that cover TCP `port`."""
    return [
        rule
        for group in groups
        for rule in group.get(direction, [])
        if rule["IpProtocol"] == "-1"
        or (rule["IpProtocol"] in ("tcp", "6") and int(rule["FromPort"]) <= port <= int(rule["ToPort"]))
    ]
