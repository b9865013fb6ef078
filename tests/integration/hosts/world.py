"""An emulated account with its machines, but without the rehearsal's one supervisor: ports and names of its own."""

from __future__ import annotations

import subprocess
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rehearsal.accounts import AccountSession
from rehearsal.databases.reconciler import Databases
from rehearsal.hosts import image, names, observer
from rehearsal.hosts.model import PREFIX
from rehearsal.hosts.podman import Podman, PodmanError
from rehearsal.hosts.reconciler import Hosts
from rehearsal.jobs.reconciler import Jobs
from rehearsal.paths import CACHE, CHECKOUT
from tests.integration.hosts.conftest import wait_for

ACCOUNT = "333344445555"
REGION = "eu-central-1"
CIDR = "10.78.0.0/16"


@dataclass
class World:
    """One account, what stands behind it, and a thread that keeps the one like the other."""

    folder: Path
    podman: Podman = field(default_factory=Podman)
    complaints: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        command = [sys.executable, "-m", "rehearsal.aws.server", "--port", "0"]
        self._server = subprocess.Popen(command, cwd=CHECKOUT, stdout=subprocess.PIPE, text=True)
        assert self._server.stdout
        self.api = self._server.stdout.readline().rpartition(" ")[2].strip()
        assert self.api.startswith("http://"), "the server said no address"
        self.account = AccountSession(ACCOUNT, REGION, self.api)
        image.build(self.podman)
        self._ended = threading.Event()
        self.appoint()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def appoint(self) -> None:
        """Reconcilers that remember nothing, as after the supervisor was killed."""
        self.hosts = Hosts(self.podman, self.folder, "")
        self.databases = Databases(self.podman, self.folder)
        self.jobs = Jobs(self.podman, self.folder, CACHE)
        self.names = names.Names(self.folder)

    def _run(self) -> None:
        while not self._ended.wait(0.5):
            try:
                self._round({ACCOUNT: observer.observe(self.account)})
            except Exception as problem:
                self.complaints.append(repr(problem))

    def _round(self, snapshots: dict[str, Any]) -> None:
        sessions = {ACCOUNT: self.account}
        self.hosts.reconcile(snapshots, sessions, True)
        self.databases.reconcile(snapshots, sessions, self.hosts.vpcs, True)
        self.jobs.reconcile(sessions)
        self.complaints += self.hosts.problems + self.databases.problems + self.jobs.problems
        self.names.reconcile(self.hosts.vpcs.values(), names.records(snapshots.values(), {}))

    def close(self) -> None:
        """Leave nothing behind."""
        self._ended.set()
        self._thread.join(60)
        try:
            self._round({})
            for job_run_id in self.jobs.containers.all():
                self.jobs.containers.remove(job_run_id)
        finally:
            self.names.child.stop()
            self._server.terminate()
            self._server.wait(20)

    def network(self) -> None:
        """A VPC with two subnets and the groups `db` and `client`; `db` admits PostgreSQL from `client`."""
        ec2 = self.account.client("ec2")
        self.vpc_id = ec2.create_vpc(CidrBlock=CIDR)["Vpc"]["VpcId"]
        self.subnets = [
            ec2.create_subnet(VpcId=self.vpc_id, CidrBlock=f"10.78.{n}.0/24", AvailabilityZone=f"{REGION}{zone}")[
                "Subnet"
            ]["SubnetId"]
            for n, zone in ((1, "a"), (2, "b"))
        ]
        self.groups = {
            name: ec2.create_security_group(GroupName=name, Description=name, VpcId=self.vpc_id)["GroupId"]
            for name in ("db", "client", "other")
        }
        pair = [{"GroupId": self.groups["client"]}]
        rule = {"IpProtocol": "tcp", "FromPort": 5432, "ToPort": 5432, "UserIdGroupPairs": pair}
        ec2.authorize_security_group_ingress(GroupId=self.groups["db"], IpPermissions=[rule])

    def launch(self, group: str) -> str:
        """Id of a new instance in a group, once its container runs."""
        found = self.account.client("ssm").get_parameter(Name="/aws/service/debian/release/13/latest/amd64")
        made = self.account.client("ec2").run_instances(
            ImageId=found["Parameter"]["Value"],
            InstanceType="t3.small",
            MinCount=1,
            MaxCount=1,
            SubnetId=self.subnets[0],
            SecurityGroupIds=[self.groups[group]],
        )
        instance_id = str(made["Instances"][0]["InstanceId"])
        wait_for(lambda: instance_id in self.hosts.running, 60, f"host in {group}: {self.complaints[-2:]}")
        return instance_id

    def run(self, instance_id: str, *command: str, text: str = "") -> tuple[bool, str]:
        """Whether a command on a host succeeded, and what it said."""
        try:
            said = self.podman(
                "exec", "--interactive", PREFIX + instance_id, *command, input_bytes=text.encode(), timeout=60
            )
        except PodmanError as problem:
            return False, str(problem)
        return True, said.strip()
