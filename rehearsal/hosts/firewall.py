"""A host's packet filter, made from its security groups.

It lives in the host's network namespace, where nobody inside may change it (hosts lack CAP_NET_ADMIN), as on AWS.
What AWS never filters passes: names and instance metadata, offered at the VPC's gateway. Two things have a stand-in:

- AWS's services answer at the gateway's API port. A host gets there if its groups let it reach HTTPS at an endpoint's
  interface, at a prefix list of AWS, or outside the VPC.
- package mirrors answer at the gateway's proxy port. A host gets there if HTTP or HTTPS outside the VPC is allowed.

SSH from the gateway stands for Systems Manager, which needs no open port.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Network, collapse_addresses, ip_network

from rehearsal.accounts import API_PORT
from rehearsal.hosts import network
from rehearsal.hosts.model import Group, Member, Rule, Snapshot, Vpc

METADATA_PORT = 8169
PROXY_PORT = 8180
EVERYWHERE = IPv4Network("0.0.0.0/0")
PROTOCOLS = {"6": "tcp", "17": "udp", "1": "icmp"}


def render(member: Member, vpc: Vpc, snapshot: Snapshot, free: bool = False) -> str:
    """The nftables script for an instance or database; `free`: outbound all is allowed, whatever its groups say."""
    groups = [snapshot.groups[one] for one in member.groups if one in snapshot.groups]
    gateway = vpc.gateway
    ingress = _lines((rule for group in groups for rule in group.ingress), "saddr", snapshot)
    egress = _lines((rule for group in groups for rule in group.egress), "daddr", snapshot)
    services = free or _reaches_services(groups, vpc, snapshot)
    mirrors = free or _reaches_outside(groups, vpc, (80, 443))
    into = ["iifname lo accept", "ct state established,related accept", "ct state invalid drop"]
    into += [f'ip saddr {gateway} tcp dport 22 accept comment "Systems Manager"', *ingress]
    out = ["oifname lo accept", "ct state established,related accept"]
    out += [f"ip daddr {gateway} meta l4proto {{ tcp, udp }} th dport 53 accept"]
    out += [f"ip daddr {gateway} tcp dport {METADATA_PORT} accept"]
    out += [f"ip daddr {gateway} tcp dport {API_PORT} accept"] if services else []
    out += [f"ip daddr {gateway} tcp dport {PROXY_PORT} accept"] if mirrors else []
    # the machine's own services behind the gateway's address are not the VPC's
    out += [f"ip daddr {gateway} drop", *(["accept"] if free else egress)]
    redirect = [f"ip daddr 169.254.169.254 tcp dport 80 dnat to {gateway}:{METADATA_PORT}"]
    return _table(
        "ip security_groups",
        {
            "input": ("filter hook input priority filter; policy drop;", into),
            "output": ("filter hook output priority filter; policy drop;", out),
            "metadata": ("nat hook output priority -100; policy accept;", redirect),
        },
    )


def apply(pid: int, script: str) -> None:
    """Exchange the packet filter in the network namespace of process `pid`, in one transaction."""
    network.inside(pid, "nft", "-f", "-", text=script)


def _table(name: str, chains: dict[str, tuple[str, list[str]]]) -> str:
    lines = [f"table {name}", f"delete table {name}", f"table {name} {{"]
    for chain, (head, rules) in chains.items():
        lines += [f"  chain {chain} {{", f"    type {head}", *(f"    {rule}" for rule in rules), "  }"]
    return "\n".join([*lines, "}", ""])


def _lines(rules: Iterable[Rule], side: str, snapshot: Snapshot) -> list[str]:
    """One nftables rule for each line of the groups that admits anybody, without repetition."""
    found = []
    for rule in rules:
        networks = _networks(rule, snapshot)
        if networks:
            where = "" if EVERYWHERE in networks else f"ip {side} {{ {', '.join(map(str, networks))} }} "
            found.append(f"{where}{_what(rule)}accept")
    return list(dict.fromkeys(found))


def _networks(rule: Rule, snapshot: Snapshot) -> list[IPv4Network]:
    named = [IPv4Network(ip_network(one, strict=False)) for one in rule.networks]
    for group_id in rule.groups:
        named += [IPv4Network(address) for address in snapshot.members.get(group_id, frozenset())]
    return list(collapse_addresses(named))


def _what(rule: Rule) -> str:
    protocol = PROTOCOLS.get(rule.protocol, rule.protocol)
    if protocol == "all":
        return ""
    if protocol in ("tcp", "udp"):
        return f"meta l4proto {protocol} " if rule.ports is None else f"{protocol} dport {_ports(rule.ports)} "
    if protocol == "icmp":
        # for ICMP the first "port" is the type; -1, every type, was read as None
        return "meta l4proto icmp " if rule.ports is None else f"icmp type {rule.ports[0]} "
    return f"meta l4proto {protocol} "


def _ports(ports: tuple[int, int]) -> str:
    first, last = ports
    return str(first) if first == last else f"{first}-{last}"


def _covers(rule: Rule, port: int) -> bool:
    if PROTOCOLS.get(rule.protocol, rule.protocol) not in ("tcp", "all"):
        return False
    return rule.ports is None or rule.ports[0] <= port <= rule.ports[1]


def _reaches_outside(groups: Iterable[Group], vpc: Vpc, ports: Iterable[int]) -> bool:
    rules = [rule for group in groups for rule in group.egress if any(_covers(rule, port) for port in ports)]
    return any(not IPv4Network(one, strict=False).subnet_of(vpc.network) for rule in rules for one in rule.networks)


def _reaches_services(groups: list[Group], vpc: Vpc, snapshot: Snapshot) -> bool:
    if _reaches_outside(groups, vpc, [443]):
        return True
    for rule in (rule for group in groups for rule in group.egress if _covers(rule, 443)):
        networks = _networks(rule, snapshot)
        reached = any(IPv4Network(address).subnet_of(one) for address in snapshot.endpoints for one in networks)
        if rule.services or reached:
            return True
    return False
