"""A small account with real hosts: a VPC, two groups, two instances, and what an instance profile needs."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from rehearsal import session
from rehearsal.accounts import AccountSession

CIDR = "10.77.0.0/16"
VALUES = {
    "account_id": "222233334444",
    "region": "eu-central-1",
    "bucket_suffix": "hosts-test",
    "vpc_cidr": CIDR,
}
USER_DATA = '#!/bin/bash\nset -eu\necho "$(hostname) $AWS_ENDPOINT_URL" > /var/lib/first-boot\n'


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "integration/hosts" in str(item.path):
            item.add_marker(pytest.mark.e2e)  # real hosts: root, and the machine's one rehearsal


def wait_for(condition: Callable[[], Any], seconds: float, what: str) -> Any:
    """The first true answer within `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        assert time.monotonic() < deadline, f"{what}: not within {seconds:.0f} s"
        time.sleep(0.1)


@dataclass
class Site:
    """The account's client, network, and how its hosts are reached."""

    account: AccountSession
    environment: dict[str, str]
    vpc_id: str
    subnet_id: str
    groups: dict[str, str]
    image_id: str
    instances: dict[str, str] = field(default_factory=dict)

    @property
    def ec2(self) -> Any:
        return self.account.client("ec2")

    def launch(self, name: str, group: str, **more: Any) -> str:
        """Id of a new instance."""
        made = self.ec2.run_instances(
            ImageId=self.image_id,
            InstanceType="t3.medium",
            MinCount=1,
            MaxCount=1,
            SubnetId=self.subnet_id,
            SecurityGroupIds=[self.groups[group]],
            UserData=USER_DATA,
            IamInstanceProfile={"Name": "hosts-test"},
            MetadataOptions={"HttpTokens": "required", "InstanceMetadataTags": "enabled"},
            TagSpecifications=[{"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": name}]}],
            **more,
        )
        self.instances[name] = str(made["Instances"][0]["InstanceId"])
        return self.instances[name]

    def describe(self, name: str) -> dict[str, Any]:
        found = self.ec2.describe_instances(InstanceIds=[self.instances[name]])
        return dict(found["Reservations"][0]["Instances"][0])

    def address(self, name: str) -> str:
        return str(self.describe(name)["PrivateIpAddress"])

    def ssh(self, name: str, command: str, seconds: float = 20) -> subprocess.CompletedProcess[str]:
        """Run a shell line on a host as its cloud user. Like a connection that fails, one that hangs ends with 255."""
        options = ["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR"]
        options += ["-o", "ConnectTimeout=3", "-i", self.environment["DATAPLATFORM_SSH_KEY"]]
        where = f"{self.environment['DATAPLATFORM_SSH_USER']}@{self.address(name)}"
        argv = ["ssh", *options, where, command]
        try:
            return subprocess.run(
                argv, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=seconds, check=False
            )
        except subprocess.TimeoutExpired as late:
            return subprocess.CompletedProcess(argv, 255, "", str(late))

    def up(self, name: str, seconds: float = 60) -> None:
        """Wait until one can log in to the host."""
        wait_for(lambda: self.ssh(name, "true").returncode == 0, seconds, f"{name} up")

    def connects(self, name: str, other: str, port: int) -> bool:
        """Whether a host reaches another one's TCP port within two seconds (or is told that nobody listens)."""
        script = (
            "import socket,sys\ns=socket.socket()\ns.settimeout(2)\n"
            f"try: s.connect(('{self.address(other)}', {port}))\n"
            "except ConnectionRefusedError: pass\nexcept OSError: sys.exit(1)\n"
        )
        return self.ssh(name, f'/usr/bin/python3 -c "{script}"').returncode == 0


def make_site() -> Site:
    """Open the account and make its network, groups and instance profile."""
    opened = session.open_account("hosts-test", VALUES, print)
    account = AccountSession(VALUES["account_id"], VALUES["region"])
    ec2, iam = account.client("ec2"), account.client("iam")
    vpc_id = ec2.create_vpc(CidrBlock=CIDR)["Vpc"]["VpcId"]
    subnet_id = ec2.create_subnet(VpcId=vpc_id, CidrBlock=CIDR.replace("/16", "/24"))["Subnet"]["SubnetId"]
    groups = {}
    for name in ("web", "client"):
        made = ec2.create_security_group(GroupName=name, Description=name, VpcId=vpc_id)
        groups[name] = made["GroupId"]
    trust = '{"Version":"2012-10-17","Statement":[]}'
    iam.create_role(RoleName="hosts-test", AssumeRolePolicyDocument=trust)
    iam.create_instance_profile(InstanceProfileName="hosts-test")
    iam.add_role_to_instance_profile(InstanceProfileName="hosts-test", RoleName="hosts-test")
    image_id = account.client("ssm").get_parameter(Name="/aws/service/debian/release/13/latest/amd64")
    return Site(account, opened["environment"], vpc_id, subnet_id, groups, image_id["Parameter"]["Value"])


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    session.destroy(print)
    try:
        made = make_site()
        made.ec2.authorize_security_group_ingress(
            GroupId=made.groups["web"],
            IpPermissions=[
                {
                    "IpProtocol": "tcp",
                    "FromPort": 8080,
                    "ToPort": 8080,
                    "UserIdGroupPairs": [{"GroupId": made.groups["client"]}],
                }
            ],
        )
        made.launch("web", "web")
        made.launch("client", "client")
        for name in ("web", "client"):
            made.up(name, 400)  # the first host waits for its image
        yield made
    finally:
        session.destroy(print)
