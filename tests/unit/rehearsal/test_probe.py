"""The probe comes with the platform's first host in a VPC and goes with its last."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from rehearsal.hosts import probe
from rehearsal.hosts.model import Instance, Snapshot, Vpc
from tests.unit.rehearsal.test_firewall import instance

TAGS = {"Project": "data-platform", "Environment": "dev", "Role": "nifi"}
NODE = instance("sg-1", tags=TAGS)
PROBE = replace(NODE, instance_id="i-probe", tags={**TAGS, "Role": "probe"})


class Session:
    """Writes down what is asked of EC2."""

    def __init__(self) -> None:
        self.launched: list[dict[str, Any]] = []
        self.terminated: list[str] = []

    def client(self, service: str) -> Any:
        return self

    def describe_security_groups(self, **arguments: Any) -> dict[str, Any]:
        return {"SecurityGroups": [{"GroupId": "sg-default"}]}

    def run_instances(self, **arguments: Any) -> dict[str, Any]:
        self.launched.append(arguments)
        return {"Instances": [{"InstanceId": "i-new"}]}

    def terminate_instances(self, InstanceIds: list[str]) -> None:
        self.terminated += InstanceIds


def after(*instances: Instance) -> Session:
    session = Session()
    vpcs = (Vpc("vpc-1", "111122223333", "10.20.0.0/16"),)
    probe.reconcile(session, Snapshot("111122223333", "eu-central-1", vpcs, instances))  # type: ignore[arg-type]
    return session


def test_a_platform_with_hosts_gets_one() -> None:
    (launched,) = after(NODE).launched
    tags = {tag["Key"]: tag["Value"] for tag in launched["TagSpecifications"][0]["Tags"]}
    assert (tags["Role"], tags["Project"], tags["Environment"]) == ("probe", "data-platform", "dev")
    assert launched["SecurityGroupIds"] == ["sg-default"], "no group of the platform"
    assert launched["SubnetId"] == NODE.subnet_id


def test_one_is_enough() -> None:
    assert after(NODE, PROBE).launched == []


def test_it_goes_with_the_last_host() -> None:
    assert after(replace(NODE, state="shutting-down"), PROBE).terminated == ["i-probe"]
    assert after(NODE, PROBE).terminated == []


def test_somebody_elses_instances_get_none() -> None:
    assert after(replace(NODE, tags={})).launched == []
