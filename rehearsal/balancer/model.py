"""What the emulated accounts say about their load balancers, as plain values.

Field meanings are those of the ELBv2 API (API reference of Elastic Load Balancing, version 2015-12-01).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

LOOPBACK = "127.0.0.1:443"
"""Where this machine's browser reaches the load balancers: the port is AWS's, so the URLs are, too."""


def short(*parts: str) -> str:
    """A stable 10-character name for `parts` (ARNs), fit for file names and HAProxy's identifiers."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:10]


@dataclass(frozen=True)
class Network:
    """One VPC on this machine: the bridge that carries it and the address the machine holds there."""

    account_id: str
    vpc_id: str
    cidr: str
    bridge: str
    gateway: str


@dataclass(frozen=True)
class Target:
    """A registered target: where requests go.

    `identity` is what it was registered as (instance id or address), `reported` the state the account shows;
    `blocked`: the load balancer's security groups do not let it connect there.
    """

    identity: str
    address: str
    port: int
    draining: bool = False
    reported: str = ""
    blocked: bool = False


@dataclass(frozen=True)
class HealthCheck:
    """How a target group checks its targets; times in seconds. `port` None means the target's own."""

    protocol: str = "HTTP"
    port: int | None = None
    path: str = "/"
    matcher: str = "200"
    interval: int = 30
    timeout: int = 5
    healthy: int = 5
    unhealthy: int = 2
    enabled: bool = True


@dataclass(frozen=True)
class TargetGroup:
    """A target group; `sticky_seconds` None means no stickiness."""

    arn: str
    name: str
    protocol: str
    check: HealthCheck
    targets: tuple[Target, ...] = ()
    sticky_seconds: int | None = None
    algorithm: str = "round_robin"


@dataclass(frozen=True)
class Condition:
    """A rule's condition: `field` as in the API (host-header, path-pattern …), any of `values`; `header` names the
    header of an http-header condition."""

    field: str
    values: tuple[str, ...]
    header: str = ""


@dataclass(frozen=True)
class Redirect:
    """A redirect action; the templates may hold #{protocol} #{host} #{port} #{path} #{query}."""

    status: int
    protocol: str = "#{protocol}"
    host: str = "#{host}"
    port: str = "#{port}"
    path: str = "/#{path}"
    query: str = "#{query}"


@dataclass(frozen=True)
class FixedResponse:
    """A fixed-response action."""

    status: int
    content_type: str = "text/plain"
    body: str = ""


@dataclass(frozen=True)
class Forward:
    """A forward action: target group ARN and weight of each."""

    groups: tuple[tuple[str, int], ...]


Action = Redirect | FixedResponse | Forward


@dataclass(frozen=True)
class Rule:
    """A listener rule; priority 0 is the default rule, which has no conditions."""

    priority: int
    conditions: tuple[Condition, ...]
    action: Action


@dataclass(frozen=True)
class MutualTls:
    """A listener's mutual authentication: mode off, verify or passthrough."""

    mode: str = "off"
    trust_store_arn: str = ""
    ignore_expiry: bool = False
    advertise: bool = False


@dataclass(frozen=True)
class Listener:
    """A listener. `certificates` are ACM ARNs, the default one first; `sources` the networks whose connections the
    security groups admit (None: the load balancer has no groups, everything is admitted)."""

    arn: str
    port: int
    protocol: str
    rules: tuple[Rule, ...]
    certificates: tuple[str, ...] = ()
    mutual: MutualTls = field(default_factory=MutualTls)
    policy: str = ""
    sources: tuple[str, ...] | None = None


@dataclass(frozen=True)
class LoadBalancer:
    """An application load balancer of an account.

    `addresses` are the private addresses of its network interfaces.
    """

    arn: str
    name: str
    account_id: str
    region: str
    vpc_id: str
    dns_name: str
    addresses: tuple[str, ...]
    attributes: Mapping[str, str]
    listeners: tuple[Listener, ...]
    groups: tuple[TargetGroup, ...]

    @property
    def key(self) -> str:
        """Short name of the load balancer in HAProxy and in the log."""
        return short(self.arn)

    @property
    def resource_id(self) -> str:
        """`app/NAME/ID`, as it stands in access logs."""
        return self.arn.split("loadbalancer/", 1)[-1]

    def attribute(self, name: str, default: str = "") -> str:
        """A load balancer attribute."""
        return self.attributes.get(name, default)

    def flag(self, name: str, default: bool = False) -> bool:
        """A load balancer attribute that is true or false."""
        return self.attributes.get(name, str(default)).lower() == "true"


@dataclass(frozen=True)
class TrustStore:
    """A trust store's content as PEM text; no revocation lists means revocation is not checked."""

    arn: str
    bundle: str
    lists: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """Short name of the trust store in file names."""
        return short(self.arn)


@dataclass(frozen=True)
class Certificate:
    """A listener certificate with its key, ready to serve. `pem` holds key, certificate and chain."""

    arn: str
    serial: str
    names: tuple[str, ...]
    pem: str = field(repr=False)

    @property
    def key(self) -> str:
        """Short name of the certificate in file names; another renewal of the same ARN is another name."""
        return short(self.arn, self.serial)


@dataclass(frozen=True)
class World:
    """Everything the balancer is configured from."""

    balancers: tuple[LoadBalancer, ...] = ()
    trust_stores: Mapping[str, TrustStore] = field(default_factory=dict)
    certificates: Mapping[str, Certificate] = field(default_factory=dict)
    networks: tuple[Network, ...] = ()
    account_port: int = 4566
    loopback: str = LOOPBACK
