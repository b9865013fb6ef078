"""What the emulated EC2 says about an account's network and instances, as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Network
from typing import Protocol

from rehearsal.databases.model import Database

PREFIX = "rehearsal-"
"""Of the containers' names."""


@dataclass(frozen=True)
class Rule:
    """One line of a security group. `protocol`: tcp, udp, icmp, a number, or "all"; `ports` None means every one.

    `services`: the rule names a prefix list of AWS's services, whose addresses are outside the VPC.
    """

    protocol: str
    ports: tuple[int, int] | None = None
    networks: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    services: bool = False


@dataclass(frozen=True)
class Group:
    """A security group."""

    group_id: str
    ingress: tuple[Rule, ...] = ()
    egress: tuple[Rule, ...] = ()


class Member(Protocol):
    """What has an address in a VPC and is in security groups: an instance, a database."""

    @property
    def groups(self) -> tuple[str, ...]:
        """Ids of its security groups."""


@dataclass(frozen=True)
class Instance:
    """An instance as EC2 describes it. `state` is EC2's word; `groups` are security group ids."""

    instance_id: str
    account_id: str
    vpc_id: str
    subnet_id: str
    zone: str
    address: str
    name: str
    state: str
    image_id: str
    kind: str
    groups: tuple[str, ...]
    group_names: tuple[str, ...]
    profile: str | None
    mac: str
    tags: Mapping[str, str] = field(default_factory=dict)
    token_required: bool = False
    metadata_enabled: bool = True
    metadata_tags: bool = False

    @property
    def wanted(self) -> bool:
        """Whether it should run."""
        return self.state in ("pending", "running")

    @property
    def kept(self) -> bool:
        """Whether its disk is kept: it runs, or is stopped and may be started again."""
        return self.state in ("pending", "running", "stopping", "stopped")

    @property
    def container(self) -> str:
        """Name of its container."""
        return PREFIX + self.instance_id


@dataclass(frozen=True)
class Vpc:
    """A VPC."""

    vpc_id: str
    account_id: str
    cidr: str

    @property
    def network(self) -> IPv4Network:
        """Its addresses."""
        return IPv4Network(self.cidr)

    @property
    def gateway(self) -> str:
        """The address the machine holds in it: AWS keeps the first one of a subnet for its router."""
        return str(self.network[1])


@dataclass(frozen=True)
class Snapshot:
    """An account at one moment.

    `members`: security group id → private addresses of all interfaces in it;
    `endpoints`: private addresses of interface endpoints; `balancers`: DNS name → private addresses.
    """

    account_id: str
    region: str
    vpcs: tuple[Vpc, ...] = ()
    instances: tuple[Instance, ...] = ()
    groups: Mapping[str, Group] = field(default_factory=dict)
    members: Mapping[str, frozenset[str]] = field(default_factory=dict)
    endpoints: frozenset[str] = frozenset()
    balancers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    databases: tuple[Database, ...] = ()
