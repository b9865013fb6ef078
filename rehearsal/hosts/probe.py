"""Another host inside each VPC, from which a verification tries what must be refused.

It is an ordinary instance of the emulated account: tagged Role=probe like the platform's own hosts are tagged with
theirs, so that the dynamic inventory finds it. It is in the VPC's default security group, and its own packet filter
lets everything out: what is refused, is refused by the other side. It goes when the VPC has no other instance left.
"""

from __future__ import annotations

from collections.abc import Iterable

from rehearsal.accounts import AccountSession
from rehearsal.hosts.model import Instance, Snapshot, Vpc

ROLE = "probe"
PLATFORM = ("Project", "Environment")


def is_probe(instance: Instance) -> bool:
    """Whether an instance is a probe."""
    return instance.tags.get("Role") == ROLE


def reconcile(session: AccountSession, snapshot: Snapshot) -> list[str]:
    """Start a probe where the platform has hosts, end it where they are gone; returns what was done."""
    done = []
    for vpc in snapshot.vpcs:
        here = [one for one in snapshot.instances if one.vpc_id == vpc.vpc_id and one.kept]
        probes = [one for one in here if is_probe(one)]
        platform = [one for one in here if one.wanted and not is_probe(one) and set(PLATFORM) <= set(one.tags)]
        if platform and not probes:
            done.append(f"{_launch(session, vpc, platform[0])} launched as probe of {vpc.vpc_id}")
        elif probes and not platform:
            _terminate(session, probes)
            done.append(f"{', '.join(one.instance_id for one in probes)} terminated: {vpc.vpc_id} has no other host")
    return done


def _launch(session: AccountSession, vpc: Vpc, beside: Instance) -> str:
    """A probe in the subnet of the instance `beside`; returns its id."""
    ec2 = session.client("ec2")
    filters = [{"Name": "vpc-id", "Values": [vpc.vpc_id]}, {"Name": "group-name", "Values": ["default"]}]
    default = ec2.describe_security_groups(Filters=filters)["SecurityGroups"]
    tags = {name: beside.tags[name] for name in PLATFORM}
    tags |= {"Role": ROLE, "Name": f"{tags['Environment']}-{ROLE}", "ManagedBy": "rehearsal"}
    made = ec2.run_instances(
        ImageId=beside.image_id,
        InstanceType="t3.nano",
        MinCount=1,
        MaxCount=1,
        SubnetId=beside.subnet_id,
        SecurityGroupIds=[group["GroupId"] for group in default],
        MetadataOptions={"HttpTokens": "required"},
        TagSpecifications=[
            {"ResourceType": "instance", "Tags": [{"Key": key, "Value": value} for key, value in tags.items()]}
        ],
    )
    return str(made["Instances"][0]["InstanceId"])


def _terminate(session: AccountSession, probes: Iterable[Instance]) -> None:
    session.client("ec2").terminate_instances(InstanceIds=[one.instance_id for one in probes])
