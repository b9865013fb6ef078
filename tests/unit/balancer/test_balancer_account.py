"""The balancer follows an emulated account: what is set by the API is what a client meets."""

from __future__ import annotations

import os
import socket
import ssl
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import boto3
import pytest
from cryptography import x509

from rehearsal.balancer import Network, certificates
from rehearsal.balancer.readings import READ_SECONDS
from rehearsal.balancer.reconciler import Balancer
from tests.support.ports import free_port

pytest.importorskip("moto")
REGION = "eu-central-1"


class Local:
    """Clients that reach the account's process as the account `111122223333`."""

    def __init__(self, endpoint: str) -> None:
        self._endpoint = endpoint
        role = "arn:aws:iam::111122223333:role/OrganizationAccountAccessRole"
        sts = boto3.Session("rehearsal", "rehearsal", region_name=REGION).client("sts", endpoint_url=endpoint)
        assumed = sts.assume_role(RoleArn=role, RoleSessionName="test")["Credentials"]
        keys = [assumed[name] for name in ("AccessKeyId", "SecretAccessKey", "SessionToken")]
        self._session = boto3.Session(*keys, region_name=REGION)

    def client(self, name: str, /):
        return self._session.client(name, endpoint_url=self._endpoint)


@pytest.fixture(scope="module")
def session(tmp_path_factory):
    port = free_port()
    root = Path(__file__).parents[3]
    command = [sys.executable, "-m", "rehearsal.aws.server", "--port", str(port)]
    environment = {**os.environ, "PYTHONPATH": str(root), "AWS_EC2_METADATA_DISABLED": "true"}
    process = subprocess.Popen(command, cwd=root, env=environment)
    endpoint = f"http://127.0.0.1:{port}"
    deadline = time.monotonic() + 60
    while True:
        try:
            urllib.request.urlopen(f"{endpoint}/_rehearsal/ready", timeout=5).close()
            break
        except OSError:
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.1)
    yield Local(endpoint)
    process.terminate()
    process.wait(10)


def make_alb(session, folder: Path, bundle: str, target: tuple[str, int]):
    """VPC, bucket, trust store and a load balancer as Terraform makes them; (vpc, listener, target group, store)."""
    ec2, elbv2, s3 = session.client("ec2"), session.client("elbv2"), session.client("s3")
    vpc = ec2.create_vpc(CidrBlock="127.44.0.0/16")["Vpc"]["VpcId"]
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"127.44.{number}.0/24", AvailabilityZone=f"{REGION}{zone}")["Subnet"]
        for number, zone in enumerate("ab")
    ]
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    s3.create_bucket(Bucket="trust", CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_object(Bucket="trust", Key="ca.pem", Body=bundle.encode())
    alb = elbv2.create_load_balancer(
        Name="dev-alb", Subnets=[subnet["SubnetId"] for subnet in subnets], Type="application"
    )["LoadBalancers"][0]["LoadBalancerArn"]
    store = elbv2.create_trust_store(
        Name="users", CaCertificatesBundleS3Bucket="trust", CaCertificatesBundleS3Key="ca.pem"
    )["TrustStores"][0]["TrustStoreArn"]
    group = elbv2.create_target_group(
        Name="nifi",
        Protocol="HTTPS",
        Port=target[1],
        VpcId=vpc,
        TargetType="ip",
        HealthCheckProtocol="HTTPS",
        HealthCheckPath="/health",
        HealthCheckIntervalSeconds=5,
        HealthCheckTimeoutSeconds=2,
        HealthyThresholdCount=2,
        UnhealthyThresholdCount=2,
        Matcher={"HttpCode": "200"},
    )["TargetGroups"][0]["TargetGroupArn"]
    arn = certificates.listener_certificate(session, folder, "dev.rehearsal.localhost")
    listener = elbv2.create_listener(
        LoadBalancerArn=alb,
        Protocol="HTTPS",
        Port=8443,
        Certificates=[{"CertificateArn": arn}],
        SslPolicy="ELBSecurityPolicy-TLS13-1-2-2021-06",
        MutualAuthentication={"Mode": "verify", "TrustStoreArn": store, "AdvertiseTrustStoreCaNames": "on"},
        DefaultActions=[{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "421"}}],
    )["Listeners"][0]["ListenerArn"]
    elbv2.create_rule(
        ListenerArn=listener,
        Priority=10,
        Conditions=[{"Field": "host-header", "HostHeaderConfig": {"Values": ["nifi.*"]}}],
        Actions=[{"Type": "forward", "TargetGroupArn": group}],
    )
    elbv2.register_targets(TargetGroupArn=group, Targets=[{"Id": target[0], "Port": target[1]}])
    return vpc, group, store


def test_the_balancer_follows_the_account(session, tmp_path, authorities, echo):
    users, _, web = authorities
    users.issue(tmp_path, "alice")
    bob = users.issue(tmp_path, "bob")
    web.issue(tmp_path, "server", names=("upstream",))
    port, _ = echo(tmp_path / "server.pem")
    vpc, group, store = make_alb(session, tmp_path / "web-ca", users.pem, ("127.0.0.1", port))
    elbv2 = session.client("elbv2")
    interfaces = session.client("ec2").describe_network_interfaces(
        Filters=[{"Name": "description", "Values": ["ELB app/dev-alb/*"]}]
    )["NetworkInterfaces"]
    address = sorted(one["PrivateIpAddress"] for one in interfaces)[0]
    networks = [Network("111122223333", vpc, "127.44.0.0/16", "lo", "127.44.0.1")]
    balancer = Balancer(tmp_path)

    def status(client: str) -> int | None:
        context = ssl.create_default_context(cafile=str(tmp_path / "web-ca" / "ca.pem"))
        context.load_cert_chain(tmp_path / f"{client}.pem")
        try:
            with (
                socket.create_connection((address, 8443), timeout=10) as plain,
                context.wrap_socket(plain, server_hostname="nifi.dev.rehearsal.localhost") as connection,
            ):
                connection.sendall(b"GET / HTTP/1.1\r\nHost: nifi.dev.rehearsal.localhost\r\nConnection: close\r\n\r\n")
                return int(connection.recv(12).split()[1])
        except (ssl.SSLError, ConnectionError, IndexError):
            return None

    def until(condition) -> None:
        deadline = time.monotonic() + 60 + READ_SECONDS
        while True:
            balancer.reconcile({"111122223333": session}, networks, account_port=free)
            if condition():
                return
            assert time.monotonic() < deadline
            time.sleep(0.1)

    def health() -> str:
        described = elbv2.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]
        return described[0]["TargetHealth"]["State"]

    free = free_port("127.44.0.1")
    try:
        until(lambda: status("alice") == 200)
        until(lambda: health() == "healthy")
        assert status("bob") == 200
        session.client("s3").put_object(Bucket="trust", Key="crl.pem", Body=users.revocation_list(bob).encode())
        elbv2.add_trust_store_revocations(
            TrustStoreArn=store, RevocationContents=[{"S3Bucket": "trust", "S3Key": "crl.pem"}]
        )
        until(lambda: status("bob") is None)
        assert status("alice") == 200
    finally:
        balancer.process.stop()


def test_the_listener_certificate_keeps_its_arn(session, tmp_path):
    first = certificates.listener_certificate(session, tmp_path, "ppd.rehearsal.localhost")
    assert certificates.listener_certificate(session, tmp_path, "ppd.rehearsal.localhost") == first
    acm = session.client("acm")
    pem = acm.get_certificate(CertificateArn=first)["Certificate"]
    serial = x509.load_pem_x509_certificate(pem.encode()).serial_number
    for key in (tmp_path / "keys").iterdir():
        key.unlink()  # as after the cache was emptied while the account lived on
    assert certificates.listener_certificate(session, tmp_path, "ppd.rehearsal.localhost") == first
    renewed = acm.get_certificate(CertificateArn=first)["Certificate"]
    assert x509.load_pem_x509_certificate(renewed.encode()).serial_number != serial
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "keys").iterdir()} == {0o600}
    assert (tmp_path / "ca.key").stat().st_mode & 0o777 == 0o600
