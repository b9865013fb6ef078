"""Elastic Load Balancing v2: mutual TLS on listeners, network interfaces of balancers, reported target health."""

from __future__ import annotations

import secrets
from typing import Any

from moto.core.responses import ActionResult
from moto.elbv2 import models
from moto.elbv2.exceptions import ELBClientError
from moto.elbv2.models import elbv2_backends
from moto.elbv2.responses import ELBV2Response

from rehearsal.aws import network_interfaces, trust_stores
from rehearsal.aws.patching import replaces, wraps_original

# What a new Application Load Balancer answers to DescribeLoadBalancerAttributes, from
# https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_LoadBalancerAttribute.html
ALB_ATTRIBUTES = {
    "access_logs.s3.enabled": "false",
    "access_logs.s3.bucket": "",
    "access_logs.s3.prefix": "",
    "client_keep_alive.seconds": "3600",
    "connection_logs.s3.enabled": "false",
    "connection_logs.s3.bucket": "",
    "connection_logs.s3.prefix": "",
    "deletion_protection.enabled": "false",
    "idle_timeout.timeout_seconds": "60",
    "ipv6.deny_all_igw_traffic": "false",
    "load_balancing.cross_zone.enabled": "true",
    "routing.http.desync_mitigation_mode": "defensive",
    "routing.http.drop_invalid_header_fields.enabled": "false",
    "routing.http.preserve_host_header.enabled": "false",
    "routing.http.x_amzn_tls_version_and_cipher_suite.enabled": "false",
    "routing.http.xff_client_port.enabled": "false",
    "routing.http.xff_header_processing.mode": "append",
    "routing.http2.enabled": "true",
    "waf.fail_open.enabled": "false",
    "zonal_shift.config.enabled": "false",
}
MODES = {"off", "passthrough", "verify"}


@wraps_original(models.FakeLoadBalancer, "__init__")
def _balancer_init(original: Any, self: Any, *args: Any, **kwargs: Any) -> None:
    original(self, *args, **kwargs)
    self.scheme = self.scheme or "internet-facing"
    # AWS takes a minute or two; waiting for it would rehearse nothing.
    self.state = "active"
    if self.type == "application":
        self.attrs = dict(ALB_ATTRIBUTES)
    self.interfaces = []


@wraps_original(models.ELBv2Backend, "create_load_balancer")
def _create_load_balancer(original: Any, self: Any, name: str, *args: Any, **kwargs: Any) -> Any:
    """Names are unique within account and region, also when moto's random ARNs differ."""
    if any(balancer.name == name for balancer in self.load_balancers.values()):
        raise ELBClientError("DuplicateLoadBalancerName", f"A load balancer named '{name}' exists already")
    balancer = original(self, name, *args, **kwargs)
    internal = "internal-" if balancer.scheme == "internal" else ""
    number = int.from_bytes(secrets.token_bytes(4), "big")
    balancer.dns_name = f"{internal}{name}-{number}.{self.region_name}.elb.amazonaws.com"
    _place_interfaces(self, balancer)
    return balancer


def _place_interfaces(backend: Any, balancer: Any) -> None:
    """Give the balancer one network interface in each of its subnets, keeping those it has.

    Source: https://docs.aws.amazon.com/elasticloadbalancing/latest/application/application-load-balancers.html
    """
    wanted = {subnet.id: subnet for subnet in balancer.subnets}
    kept = []
    for interface in balancer.interfaces:
        if interface.subnet.id in wanted:
            wanted.pop(interface.subnet.id)
            kept.append(interface)
        else:
            network_interfaces.remove(backend.ec2_backend, interface)
    description = "ELB " + balancer.arn.partition(":loadbalancer/")[2]
    for subnet in wanted.values():
        kept.append(
            network_interfaces.add(
                backend.ec2_backend, subnet, balancer.security_groups or [], description, requester="amazon-elb"
            )
        )
    balancer.interfaces = kept


@wraps_original(models.ELBv2Backend, "set_subnets")
def _set_subnets(original: Any, self: Any, arn: str, *args: Any, **kwargs: Any) -> Any:
    answer = original(self, arn, *args, **kwargs)
    _place_interfaces(self, self.load_balancers[arn])
    return answer


@wraps_original(models.ELBv2Backend, "set_security_groups")
def _set_security_groups(original: Any, self: Any, arn: str, groups: list[str]) -> None:
    original(self, arn, groups)
    for interface in self.load_balancers[arn].interfaces:
        network_interfaces.set_groups(self.ec2_backend, interface, groups)


@wraps_original(models.ELBv2Backend, "delete_load_balancer")
def _delete_load_balancer(original: Any, self: Any, arn: str) -> None:
    """A protected balancer is not deleted; a deleted one leaves its target groups and gives its interfaces back."""
    balancer = self.load_balancers.get(arn)
    if balancer is None:
        return
    if balancer.attrs.get("deletion_protection.enabled") == "true":
        raise ELBClientError("OperationNotPermitted", f"Load balancer '{arn}' has deletion protection enabled")
    original(self, arn)
    for interface in balancer.interfaces:
        network_interfaces.remove(self.ec2_backend, interface)
    for group in self.target_groups.values():
        group.load_balancer_arns = [a for a in group.load_balancer_arns if a != arn]


@wraps_original(models.FakeListener, "__init__")
def _listener_init(original: Any, self: Any, *args: Any, **kwargs: Any) -> None:
    original(self, *args, **kwargs)
    self.mutual_authentication = {"Mode": "off"} if self.protocol == "HTTPS" else None
    # ALB listeners have no idle timeout of their own: https://docs.aws.amazon.com/elasticloadbalancing/latest/
    # APIReference/API_ListenerAttribute.html
    self.attributes = {"routing.http.response.server.enabled": "true"} if self.protocol in {"HTTP", "HTTPS"} else {}


def _mutual_authentication(backend: Any, asked: dict[str, Any]) -> dict[str, Any]:
    """Check MutualAuthenticationAttributes and fill in what AWS answers when they are not given.

    Source: https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_MutualAuthenticationAttributes.html
    """
    mode = asked.get("Mode") or "off"
    arn = asked.get("TrustStoreArn")
    if mode not in MODES or (mode == "verify") != bool(arn):
        raise ELBClientError(
            "ValidationError",
            f"Mutual authentication mode '{mode}' with trust store '{arn}': verify needs one, no other",
        )
    if mode != "verify":
        return {"Mode": mode}
    ignore = asked.get("IgnoreClientCertificateExpiry")
    return {
        "Mode": mode,
        "TrustStoreArn": trust_stores.find(backend, str(arn)).arn,
        "IgnoreClientCertificateExpiry": str(ignore).lower() == "true",
        "TrustStoreAssociationStatus": "active",
        "AdvertiseTrustStoreCaNames": asked.get("AdvertiseTrustStoreCaNames") or "off",
    }


def _take_mutual_authentication(response: Any, answer: ActionResult, checked: dict[str, Any] | None) -> ActionResult:
    listener = answer.result["Listeners"][0]  # type: ignore[index]
    if listener.protocol != "HTTPS":
        listener.mutual_authentication = None
    elif checked is not None:
        listener.mutual_authentication = checked
    elif listener.mutual_authentication is None:
        listener.mutual_authentication = {"Mode": "off"}
    return answer


def _checked(response: Any) -> dict[str, Any] | None:
    asked = response._get_params().get("MutualAuthentication")
    if not asked:
        return None
    protocol = response._get_param("Protocol")
    if protocol not in (None, "HTTPS"):
        raise ELBClientError("ValidationError", f"Mutual authentication needs an HTTPS listener, not {protocol}")
    return _mutual_authentication(response.elbv2_backend, asked)


@wraps_original(ELBV2Response, "create_listener")
def _create_listener(original: Any, self: Any) -> ActionResult:
    checked = _checked(self)
    return _take_mutual_authentication(self, original(self), checked)


@wraps_original(ELBV2Response, "modify_listener")
def _modify_listener(original: Any, self: Any) -> ActionResult:
    checked = _checked(self)
    return _take_mutual_authentication(self, original(self), checked)


def report_target_health(report: dict[str, Any]) -> None:
    """Take over what a balancer found: {account_id, region, target_group_arn, targets: [{id, port, state, reason}]}.

    Raises KeyError for a report that lacks a field, or names a target group that is not there.
    """
    group: Any = elbv2_backends[report["account_id"]][report["region"]].target_groups[report["target_group_arn"]]
    group.reported_health = {t["id"]: (t["state"], t.get("reason"), t.get("description")) for t in report["targets"]}


@replaces(models.FakeTargetGroup, "register")
def _register(self: Any, targets: list[dict[str, Any]]) -> None:
    """Register targets; one registered before keeps its health, a new one starts without."""
    for target in targets:
        instance = self.ec2_backend.get_instance_by_id(target["Id"])
        if instance and instance.state != "running":
            raise models.TargetNotRunning(instance_id=target["Id"])
        if target["Id"] not in self.targets:
            _reported(self).pop(target["Id"], None)
        self.targets[target["Id"]] = {"Id": target["Id"], "Port": target.get("Port", self.port)}
        self.deregistered_targets.pop(target["Id"], None)


def _reported(group: Any) -> dict[str, tuple[str, str | None, str | None]]:
    if not hasattr(group, "reported_health"):
        group.reported_health = {}
    health: dict[str, tuple[str, str | None, str | None]] = group.reported_health
    return health


@wraps_original(models.FakeTargetGroup, "health_for")
def _health_for(original: Any, self: Any, target: dict[str, Any], ec2_backend: Any) -> Any:
    """moto calls every registered target healthy. Here it is what the balancer reported, `initial` before that.

    Source: https://docs.aws.amazon.com/elasticloadbalancing/latest/application/target-group-health-checks.html
    """
    found = original(self, target, ec2_backend)
    if found.status != "healthy":
        return found
    if not self.load_balancer_arns:
        found.status, found.reason = "unused", "Target.NotInUse"
        found.description = "Target group is not configured to receive traffic from the load balancer"
        return found
    initial = ("initial", "Elb.RegistrationInProgress", "Target registration is in progress")
    found.status, found.reason, found.description = _reported(self).get(target["Id"], initial)
    return found
