"""Reads what an account says about its load balancers: ELBv2, EC2 and ACM, one function per question."""

from __future__ import annotations

import time
import urllib.request
from collections.abc import Callable, Mapping
from typing import Any, Protocol
from urllib.parse import urljoin

from rehearsal.balancer import security
from rehearsal.balancer.model import (
    Action,
    Condition,
    FixedResponse,
    Forward,
    HealthCheck,
    Listener,
    LoadBalancer,
    MutualTls,
    Redirect,
    Rule,
    Target,
    TargetGroup,
    TrustStore,
)

Json = Mapping[str, Any]
Guard = tuple[list[Json], security.Surroundings]
GUARD_SECONDS = 5.0
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))
"""Asks the account's API, which is on this machine: the machine's proxies are for the real AWS."""


class Session(Protocol):
    """What is used of a boto3 session: clients that reach the account's API."""

    def client(self, service_name: str, /) -> Any:
        """A client of the service."""


class Account:
    """One account's API, with what cannot change remembered between calls."""

    def __init__(self, account_id: str, session: Session) -> None:
        self.account_id = account_id
        self._session = session
        self._clients: dict[str, Any] = {}
        self._revocations: dict[tuple[str, int], str] = {}
        self._addresses: dict[str, str] = {}
        self._guards: dict[str, tuple[float, Guard]] = {}
        self._bundles: dict[str, tuple[str, str]] = {}

    def client(self, service: str) -> Any:
        """A client, made once."""
        if service not in self._clients:
            self._clients[service] = self._session.client(service)
        return self._clients[service]

    @property
    def endpoint(self) -> str:
        """URL of the account's API."""
        return str(self.client("elbv2").meta.endpoint_url)

    def balancers(self) -> list[LoadBalancer]:
        """All application load balancers."""
        found = _pages(self.client("elbv2").describe_load_balancers, "LoadBalancers")
        return [self._balancer(item) for item in found if item.get("Type", "application") == "application"]

    def _balancer(self, item: Json) -> LoadBalancer:
        api = self.client("elbv2")
        arn = item["LoadBalancerArn"]
        guard = self._guard(item)
        listeners = _pages(api.describe_listeners, "Listeners", LoadBalancerArn=arn)
        groups = _pages(api.describe_target_groups, "TargetGroups", LoadBalancerArn=arn)
        attributes = api.describe_load_balancer_attributes(LoadBalancerArn=arn)["Attributes"]
        return LoadBalancer(
            arn=arn,
            name=item["LoadBalancerName"],
            account_id=self.account_id,
            region=arn.split(":")[3],
            vpc_id=item.get("VpcId", ""),
            dns_name=item.get("DNSName", ""),
            addresses=self._interfaces(arn),
            attributes={pair["Key"]: str(pair["Value"]) for pair in attributes},
            listeners=tuple(self._listener(listener, guard) for listener in listeners),
            groups=tuple(self._group(group, guard) for group in groups),
        )

    def _interfaces(self, arn: str) -> tuple[str, ...]:
        """Private addresses of a load balancer's network interfaces."""
        description = "ELB " + arn.split("loadbalancer/", 1)[-1]
        query = [{"Name": "description", "Values": [description]}]
        found = _pages(self.client("ec2").describe_network_interfaces, "NetworkInterfaces", Filters=query)
        return tuple(sorted(item["PrivateIpAddress"] for item in found))

    def _guard(self, item: Json) -> Guard:
        """A load balancer's security groups, and the VPC they are judged in; read anew every GUARD_SECONDS."""
        arn = item["LoadBalancerArn"]
        known = self._guards.get(arn)
        if known and time.monotonic() - known[0] < GUARD_SECONDS:
            return known[1]
        ids = item.get("SecurityGroups") or []
        ec2 = self.client("ec2")
        groups = _pages(ec2.describe_security_groups, "SecurityGroups", GroupIds=ids) if ids else []
        guard = (groups, security.surroundings(_pages, ec2, item["VpcId"]) if ids else security.Surroundings())
        self._guards[arn] = (time.monotonic(), guard)
        return guard

    def _listener(self, item: Json, guard: Guard) -> Listener:
        api = self.client("elbv2")
        arn = item["ListenerArn"]
        certificates = [cert["CertificateArn"] for cert in item.get("Certificates", [])]
        if item["Protocol"] == "HTTPS":
            extra = _pages(api.describe_listener_certificates, "Certificates", ListenerArn=arn)
            certificates += [c["CertificateArn"] for c in extra if c["CertificateArn"] not in certificates]
        mutual = item.get("MutualAuthentication") or {}
        return Listener(
            arn=arn,
            port=int(item["Port"]),
            protocol=item["Protocol"],
            rules=tuple(_rule(rule) for rule in _pages(api.describe_rules, "Rules", ListenerArn=arn)),
            certificates=tuple(certificates),
            policy=item.get("SslPolicy", ""),
            sources=security.sources(guard[0], int(item["Port"]), guard[1]) if guard[0] else None,
            mutual=MutualTls(
                mode=mutual.get("Mode", "off"),
                trust_store_arn=mutual.get("TrustStoreArn", ""),
                ignore_expiry=bool(mutual.get("IgnoreClientCertificateExpiry", False)),
                advertise=mutual.get("AdvertiseTrustStoreCaNames", "off") == "on",
            ),
        )

    def _group(self, item: Json, guard: Guard) -> TargetGroup:
        api = self.client("elbv2")
        arn = item["TargetGroupArn"]
        attributes = {
            pair["Key"]: pair["Value"]
            for pair in api.describe_target_group_attributes(TargetGroupArn=arn)["Attributes"]
        }
        sticky = None
        if attributes.get("stickiness.enabled") == "true" and attributes.get("stickiness.type") == "lb_cookie":
            sticky = int(attributes.get("stickiness.lb_cookie.duration_seconds", "86400"))
        described = api.describe_target_health(TargetGroupArn=arn)["TargetHealthDescriptions"]
        port = item.get("HealthCheckPort", "traffic-port")
        return TargetGroup(
            arn=arn,
            name=item["TargetGroupName"],
            protocol=item["Protocol"],
            targets=tuple(target for one in described if (target := self._target(one, item, guard))),
            sticky_seconds=sticky,
            algorithm=attributes.get("load_balancing.algorithm.type", "round_robin"),
            check=HealthCheck(
                protocol=item.get("HealthCheckProtocol", "HTTP"),
                port=None if port == "traffic-port" else int(port),
                path=item.get("HealthCheckPath") or "/",
                matcher=(item.get("Matcher") or {}).get("HttpCode") or "200",
                interval=int(item.get("HealthCheckIntervalSeconds", 30)),
                timeout=int(item.get("HealthCheckTimeoutSeconds", 5)),
                healthy=int(item.get("HealthyThresholdCount", 5)),
                unhealthy=int(item.get("UnhealthyThresholdCount", 2)),
                enabled=bool(item.get("HealthCheckEnabled", True)),
            ),
        )

    def _target(self, described: Json, group: Json, guard: Guard) -> Target | None:
        identity = described["Target"]["Id"]
        address = identity
        if group.get("TargetType", "instance") == "instance":
            address = self._address(identity)
        if not address:
            return None
        port = int(described["Target"].get("Port") or group["Port"])
        state = described.get("TargetHealth", {}).get("State", "")
        blocked = bool(guard[0]) and not security.reaches(guard[0], address, port, guard[1])
        return Target(identity, address, port, draining=state == "draining", reported=state, blocked=blocked)

    def _address(self, instance: str) -> str:
        """Private address of an instance, "" when it is gone. An instance keeps its address for life."""
        if instance not in self._addresses:
            query = [{"Name": "instance-id", "Values": [instance]}]
            found = _pages(self.client("ec2").describe_instances, "Reservations", Filters=query)
            addresses = [one.get("PrivateIpAddress", "") for group in found for one in group["Instances"]]
            if not addresses or not addresses[0]:
                return ""
            self._addresses[instance] = addresses[0]
        return self._addresses[instance]

    def trust_store(self, arn: str) -> TrustStore:
        """A trust store's content as the load balancer copied it when it was set."""
        api = self.client("elbv2")
        bundle = api.get_trust_store_ca_certificates_bundle(TrustStoreArn=arn)["Location"]
        revocations = _pages(api.describe_trust_store_revocations, "TrustStoreRevocations", TrustStoreArn=arn)
        lists = []
        for item in sorted(revocations, key=lambda one: int(one["RevocationId"])):
            key = (arn, int(item["RevocationId"]))
            if key not in self._revocations:  # what a revocation id stands for never changes
                located = api.get_trust_store_revocation_content(TrustStoreArn=arn, RevocationId=key[1])["Location"]
                self._revocations[key] = _pem_crl(self._download(located))
            lists.append(self._revocations[key])
        if self._bundles.get(arn, ("", ""))[0] != bundle:  # another content has another address
            self._bundles[arn] = (bundle, self._download(bundle).decode())
        return TrustStore(arn=arn, bundle=self._bundles[arn][1], lists=tuple(lists))

    def _download(self, location: str) -> bytes:
        url = urljoin(self.endpoint, location)
        if not url.startswith(("http://", "https://")):
            raise ValueError(f"trust store content at {url}: not a web address")
        with DIRECT.open(url, timeout=10) as answer:
            content: bytes = answer.read()
        return content

    def certificate_pem(self, arn: str) -> str:
        """Certificate and chain of an ACM certificate."""
        answer = self.client("acm").get_certificate(CertificateArn=arn)
        return str(answer["Certificate"]).strip() + "\n" + str(answer.get("CertificateChain") or "").strip() + "\n"


def _pages(call: Callable[..., Json], key: str, **arguments: Any) -> list[Json]:
    """All items of a paged describe call (Marker of ELBv2, NextToken of EC2)."""
    items: list[Json] = []
    while True:
        answer = call(**arguments)
        items += answer.get(key, [])
        if answer.get("NextMarker"):
            arguments["Marker"] = answer["NextMarker"]
        elif answer.get("NextToken"):
            arguments["NextToken"] = answer["NextToken"]
        else:
            return items


def _pem_crl(content: bytes) -> str:
    """A revocation list as PEM; ELB takes PEM and DER."""
    if b"-----BEGIN" in content:
        return content.decode().strip() + "\n"
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding

    return x509.load_der_x509_crl(content).public_bytes(Encoding.PEM).decode()


def _rule(item: Json) -> Rule:
    priority = 0 if item.get("IsDefault") or item["Priority"] == "default" else int(item["Priority"])
    return Rule(priority, tuple(_condition(one) for one in item.get("Conditions", [])), _action(item["Actions"]))


def _condition(item: Json) -> Condition:
    field = item["Field"]
    config = {
        "host-header": "HostHeaderConfig",
        "path-pattern": "PathPatternConfig",
        "http-request-method": "HttpRequestMethodConfig",
        "http-header": "HttpHeaderConfig",
        "query-string": "QueryStringConfig",
        "source-ip": "SourceIpConfig",
    }.get(field)
    if config is None:
        raise ValueError(f"listener rule condition {field!r} is unknown to the rehearsal's balancer")
    details = item.get(config) or {}
    values = details.get("Values") or item.get("Values") or []
    if field == "query-string":
        values = [f"{one['Key']}={one['Value']}" if one.get("Key") else one["Value"] for one in values]
    return Condition(field, tuple(values), details.get("HttpHeaderName", ""))


def _action(items: list[Json]) -> Action:
    """The action that answers: the last one in order (before it only authentication may stand)."""
    item = max(items, key=lambda one: int(one.get("Order") or 1))
    kind = item["Type"]
    if kind == "fixed-response":
        config = item["FixedResponseConfig"]
        body = config.get("MessageBody") or ""
        return FixedResponse(int(config["StatusCode"]), config.get("ContentType") or "text/plain", body)
    if kind == "redirect":
        config = item["RedirectConfig"]
        names = {"Protocol": "protocol", "Host": "host", "Port": "port", "Path": "path", "Query": "query"}
        given = {field: str(config[key]) for key, field in names.items() if config.get(key)}
        return Redirect(status=int(config["StatusCode"].removeprefix("HTTP_")), **given)
    if kind == "forward":
        groups = (item.get("ForwardConfig") or {}).get("TargetGroups") or []
        pairs = [(one["TargetGroupArn"], int(one.get("Weight", 1))) for one in groups]
        return Forward(tuple(pairs or [(item["TargetGroupArn"], 1)]))
    raise ValueError(f"listener action {kind!r} is unknown to the rehearsal's balancer")
