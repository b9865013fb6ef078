# Copyright: the data platform provisioner's authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who can reach a host's ports without being the balancer: tried from another host, else computed from rules."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.dataplatform.aws.plugins.module_utils._verification._checks import (
    COMPUTED,
    CheckFailed,
    Outcome,
)


@dataclass(frozen=True)
class Port:
    """A port that others must not reach: its name in the checks, whose hosts' it is (nifi, airflow), and who may."""

    name: str
    service: str
    number: int
    rules: t.Sequence[t.Mapping[str, t.Any]]  # of the hosts' security group, as DescribeSecurityGroupRules has them
    allowed: t.Collection[str] = ()  # security groups
    nobody_but: str = ""

    @property
    def expected(self) -> str:
        return f"port {self.number} reached by nobody" + (f" but {self.nobody_but}" if self.nobody_but else "")

    def tried(self, attempts: t.Sequence[t.Mapping[str, t.Any]]) -> list[t.Mapping[str, t.Any]]:
        """The attempts that were made on this port."""
        return [a for a in attempts if a["port"] == self.number and a.get("service", "nifi") == self.service]


def check_tried(attempts: t.Sequence[t.Mapping[str, t.Any]], port: Port) -> Outcome:
    """Judge connection attempts made on another host of the VPC.

    Args:
        attempts: one mapping per attempt: ``source``, ``target`` (addresses), ``service`` (whose host the target is;
            nifi when left out), ``port``, ``connected`` (bool).
        port: the port this check is about.
    """
    mine = port.tried(attempts)
    reached = [f"{a['source']} reached {a['target']}" for a in mine if a["connected"]]
    if reached:
        fix = f"close port {port.number} in the security group of the {port.service} hosts"
        raise CheckFailed("; ".join(reached), fix)
    return Outcome("; ".join(f"{a['source']} could not reach {a['target']}" for a in mine))


def sources_of(rules: t.Sequence[t.Mapping[str, t.Any]], port: int) -> set[str]:
    """Who may connect to ``port`` by these ingress rules (the shape of DescribeSecurityGroupRules)."""
    sources = set()
    for rule in rules:
        if rule.get("IsEgress") or rule.get("IpProtocol") not in ("tcp", "-1"):
            continue
        everything = rule["IpProtocol"] == "-1" or rule.get("FromPort") == -1
        if not everything and not rule["FromPort"] <= port <= rule["ToPort"]:
            continue
        group = rule.get("ReferencedGroupInfo", {}).get("GroupId")
        sources.add(group or rule.get("CidrIpv4") or rule.get("CidrIpv6") or rule.get("PrefixListId") or "unknown")
    return sources


def check_computed(rules: t.Sequence[t.Mapping[str, t.Any]], port: int, allowed: t.Collection[str]) -> Outcome:
    """Where there is no other host to try from: the rules name nobody but ``allowed`` security groups."""
    others = sources_of(rules, port) - set(allowed)
    if others:
        raise CheckFailed(f"open to {', '.join(sorted(others))}", f"close port {port} for them")
    return Outcome("the security group's rules name nobody else", COMPUTED)
