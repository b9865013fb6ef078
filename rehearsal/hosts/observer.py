"""Reads an account's network and instances through its API."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from rehearsal.accounts import AccountSession
from rehearsal.databases import observer as databases
from rehearsal.hosts.model import Group, Instance, Rule, Snapshot, Vpc

Json = Mapping[str, Any]


def observe(session: AccountSession) -> Snapshot:
    """The account as it is now. Default VPCs are left out: nothing of the platform lies there."""
    ec2 = session.client("ec2")
    own = [{"Name": "is-default", "Values": ["false"]}]
    vpcs = tuple(
        Vpc(item["VpcId"], session.account_id, item["CidrBlock"])
        for item in _pages(ec2, "describe_vpcs", "Vpcs", Filters=own)
    )
    if not vpcs:
        return Snapshot(session.account_id, session.region)
    here = [{"Name": "vpc-id", "Values": [vpc.vpc_id for vpc in vpcs]}]
    reservations = _pages(ec2, "describe_instances", "Reservations", Filters=here)
    instances = tuple(
        _instance(item, session.account_id) for reservation in reservations for item in reservation["Instances"]
    )
    groups = {
        item["GroupId"]: Group(item["GroupId"], _rules(item, "IpPermissions"), _rules(item, "IpPermissionsEgress"))
        for item in _pages(ec2, "describe_security_groups", "SecurityGroups", Filters=here)
    }
    interfaces = _pages(ec2, "describe_network_interfaces", "NetworkInterfaces", Filters=here)
    return Snapshot(
        session.account_id,
        session.region,
        vpcs,
        instances,
        groups,
        _members(interfaces, instances),
        frozenset(
            one["PrivateIpAddress"]
            for one in interfaces
            if str(one.get("Description", "")).startswith("VPC Endpoint Interface")
        ),
        _balancers(session, interfaces),
        databases.observe(session, interfaces),
    )


def user_data(session: AccountSession, instance_id: str) -> str:
    """The instance's user data, base64 as EC2 keeps it; empty when there is none."""
    answer = session.client("ec2").describe_instance_attribute(InstanceId=instance_id, Attribute="userData")
    return str(answer.get("UserData", {}).get("Value") or "")


def profile_role(session: AccountSession, profile_arn: str) -> str | None:
    """ARN of the role in an instance profile, None when it holds none."""
    name = profile_arn.rsplit("/", 1)[-1]
    roles = session.client("iam").get_instance_profile(InstanceProfileName=name)["InstanceProfile"]["Roles"]
    return str(roles[0]["Arn"]) if roles else None


def _pages(client: Any, operation: str, key: str, **arguments: Any) -> list[Json]:
    return [item for page in client.get_paginator(operation).paginate(**arguments) for item in page[key]]


def _instance(item: Json, account_id: str) -> Instance:
    options = item.get("MetadataOptions") or {}
    interfaces = item.get("NetworkInterfaces") or [{}]
    groups = item.get("SecurityGroups") or interfaces[0].get("Groups") or []
    return Instance(
        instance_id=item["InstanceId"],
        account_id=account_id,
        vpc_id=item.get("VpcId", ""),
        subnet_id=item.get("SubnetId", ""),
        zone=item["Placement"]["AvailabilityZone"],
        address=item.get("PrivateIpAddress", ""),
        name=item.get("PrivateDnsName", ""),
        state=item["State"]["Name"],
        image_id=item.get("ImageId", ""),
        kind=item.get("InstanceType", ""),
        groups=tuple(sorted(one["GroupId"] for one in groups)),
        group_names=tuple(sorted(one.get("GroupName", "") for one in groups)),
        profile=(item.get("IamInstanceProfile") or {}).get("Arn"),
        mac=interfaces[0].get("MacAddress", ""),
        tags={tag["Key"]: tag["Value"] for tag in item.get("Tags", [])},
        token_required=options.get("HttpTokens") == "required",
        metadata_enabled=options.get("HttpEndpoint") != "disabled",
        metadata_tags=options.get("InstanceMetadataTags") == "enabled",
    )


def _rules(group: Json, direction: str) -> tuple[Rule, ...]:
    found = []
    for item in group.get(direction, []):
        protocol = str(item["IpProtocol"])
        first, last = item.get("FromPort"), item.get("ToPort")
        every = first is None or last is None or int(first) < 0
        found.append(
            Rule(
                "all" if protocol == "-1" else protocol,
                None if every or protocol == "-1" else (int(first), int(last)),
                tuple(sorted(one["CidrIp"] for one in item.get("IpRanges", []))),
                tuple(sorted(one["GroupId"] for one in item.get("UserIdGroupPairs", []))),
                bool(item.get("PrefixListIds")),
            )
        )
    return tuple(sorted(found, key=repr))


def _members(interfaces: Iterable[Json], instances: Iterable[Instance]) -> dict[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    for interface in interfaces:
        for group in interface.get("Groups", []):
            found.setdefault(group["GroupId"], set()).add(interface["PrivateIpAddress"])
    for instance in instances:
        if instance.kept and instance.address:
            for group_id in instance.groups:
                found.setdefault(group_id, set()).add(instance.address)
    return {group_id: frozenset(addresses) for group_id, addresses in found.items()}


def _balancers(session: AccountSession, interfaces: Iterable[Json]) -> dict[str, tuple[str, ...]]:
    """DNS name of each load balancer → private addresses of its interfaces ("ELB app/NAME/ID")."""
    described = _pages(session.client("elbv2"), "describe_load_balancers", "LoadBalancers")
    found = {}
    for item in described:
        own = "ELB " + item["LoadBalancerArn"].split("loadbalancer/", 1)[-1]
        addresses = [one["PrivateIpAddress"] for one in interfaces if one.get("Description") == own]
        found[item["DNSName"]] = tuple(sorted(addresses))
    return found
