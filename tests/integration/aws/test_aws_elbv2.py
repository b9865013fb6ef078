"""Elastic Load Balancing v2: trust stores, mutual TLS, interfaces and target health of the mended emulation."""

from __future__ import annotations

import json
import urllib.request
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from botocore.exceptions import ClientError
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

BUCKET = "trust"
NAME = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "users")])
KEY = ec.generate_private_key(ec.SECP256R1())
NOW = datetime.now(UTC)


def ca_pem() -> bytes:
    builder = x509.CertificateBuilder().subject_name(NAME).issuer_name(NAME).public_key(KEY.public_key())
    builder = builder.serial_number(x509.random_serial_number()).not_valid_before(NOW)
    certificate = builder.not_valid_after(NOW + timedelta(days=1)).sign(KEY, hashes.SHA256())
    return certificate.public_bytes(serialization.Encoding.PEM)


def crl(*serials: int) -> bytes:
    builder = x509.CertificateRevocationListBuilder().issuer_name(NAME).last_update(NOW)
    builder = builder.next_update(NOW + timedelta(days=1))
    for serial in serials:
        entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(NOW).build()
        builder = builder.add_revoked_certificate(entry)
    return builder.sign(KEY, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


def put(account, key: str, body: bytes) -> None:
    account.s3.put_object(Bucket=BUCKET, Key=key, Body=body)


def code(refused) -> str:
    return refused.value.response["Error"]["Code"]


@pytest.fixture(scope="module")
def account(client):
    """A VPC with two subnets, a security group, a certificate and the bucket of the CA bundle."""
    ec2, s3 = client("ec2"), client("s3")
    vpc = ec2.create_vpc(CidrBlock="10.20.0.0/16")["Vpc"]["VpcId"]
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.20.{i}.0/24", AvailabilityZone=f"eu-central-1{zone}")["Subnet"][
            "SubnetId"
        ]
        for i, zone in enumerate("ab")
    ]
    group = ec2.create_security_group(GroupName="alb", Description="alb", VpcId=vpc)["GroupId"]
    s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    s3.put_object(Bucket=BUCKET, Key="ca.pem", Body=ca_pem())
    s3.put_object(Bucket=BUCKET, Key="empty.crl", Body=crl())
    key = KEY.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    certificate = client("acm").import_certificate(Certificate=ca_pem(), PrivateKey=key)["CertificateArn"]
    return SimpleNamespace(
        ec2=ec2, s3=s3, elb=client("elbv2"), vpc=vpc, subnets=subnets, group=group, certificate=certificate
    )


def store(account, name: str) -> str:
    return account.elb.create_trust_store(
        Name=name, CaCertificatesBundleS3Bucket=BUCKET, CaCertificatesBundleS3Key="ca.pem"
    )["TrustStores"][0]["TrustStoreArn"]


def balancer(account, name: str, **more) -> dict:
    asked = {"Name": name, "Subnets": account.subnets, "SecurityGroups": [account.group], **more}
    return account.elb.create_load_balancer(**asked)["LoadBalancers"][0]


def listener(account, alb: str, **more) -> dict:
    action = {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "421"}}
    return account.elb.create_listener(
        LoadBalancerArn=alb,
        Protocol="HTTPS",
        Port=443,
        Certificates=[{"CertificateArn": account.certificate}],
        DefaultActions=[action],
        **more,
    )["Listeners"][0]


def fetch(url: str) -> bytes:
    with urllib.request.urlopen(url) as answer:
        return answer.read()


def test_a_trust_store_says_what_it_holds(account):
    """https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_TrustStore.html"""
    arn = store(account, "described")
    assert arn.startswith("arn:aws:elasticloadbalancing:eu-central-1:111122223333:truststore/described/")
    expected = {
        "Name": "described",
        "TrustStoreArn": arn,
        "Status": "ACTIVE",
        "NumberOfCaCertificates": 1,
        "TotalRevokedEntries": 0,
    }
    assert account.elb.describe_trust_stores(TrustStoreArns=[arn])["TrustStores"] == [expected]
    assert account.elb.describe_trust_stores(Names=["described"])["TrustStores"] == [expected]
    account.elb.add_tags(ResourceArns=[arn], Tags=[{"Key": "Environment", "Value": "dev"}])
    tags = account.elb.describe_tags(ResourceArns=[arn])["TagDescriptions"][0]["Tags"]
    assert tags == [{"Key": "Environment", "Value": "dev"}]
    account.elb.delete_trust_store(TrustStoreArn=arn)
    with pytest.raises(ClientError) as refused:
        account.elb.describe_trust_stores(TrustStoreArns=[arn])
    assert code(refused) == "TrustStoreNotFound"


def test_a_trust_store_keeps_the_bundle_it_was_given(account):
    """A later change of the S3 object needs ModifyTrustStore:
    https://docs.aws.amazon.com/elasticloadbalancing/latest/application/configuring-mtls-with-elb.html"""
    put(account, "bundle.pem", ca_pem())
    where = {"CaCertificatesBundleS3Bucket": BUCKET, "CaCertificatesBundleS3Key": "bundle.pem"}
    arn = account.elb.create_trust_store(Name="copies", **where)["TrustStores"][0]["TrustStoreArn"]
    first = fetch(account.elb.get_trust_store_ca_certificates_bundle(TrustStoreArn=arn)["Location"])
    put(account, "bundle.pem", ca_pem() + ca_pem())
    assert fetch(account.elb.get_trust_store_ca_certificates_bundle(TrustStoreArn=arn)["Location"]) == first
    changed = account.elb.modify_trust_store(TrustStoreArn=arn, **where)["TrustStores"][0]
    assert changed["NumberOfCaCertificates"] == 2
    assert fetch(account.elb.get_trust_store_ca_certificates_bundle(TrustStoreArn=arn)["Location"]).count(b"BEGIN") == 2


@pytest.mark.parametrize(
    ("key", "error"), [("missing.pem", "CaCertificatesBundleNotFound"), ("empty.crl", "InvalidCaCertificatesBundle")]
)
def test_a_trust_store_needs_a_readable_bundle(account, key, error):
    """https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_CreateTrustStore.html"""
    with pytest.raises(ClientError) as refused:
        account.elb.create_trust_store(
            Name="broken", CaCertificatesBundleS3Bucket=BUCKET, CaCertificatesBundleS3Key=key
        )
    assert code(refused) == error


def test_revocation_lists_are_added_counted_downloaded_and_removed(account):
    """https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_AddTrustStoreRevocations.html"""
    arn = store(account, "revoking")
    put(account, "users.crl", crl(17, 18))
    content = [{"S3Bucket": BUCKET, "S3Key": "users.crl", "RevocationType": "CRL"}]
    added = account.elb.add_trust_store_revocations(TrustStoreArn=arn, RevocationContents=content)
    number = added["TrustStoreRevocations"][0]["RevocationId"]
    put(account, "users.crl", crl(17, 18, 19))
    described = account.elb.describe_trust_store_revocations(TrustStoreArn=arn)["TrustStoreRevocations"]
    assert [(r["RevocationId"], r["RevocationType"], r["NumberOfRevokedEntries"]) for r in described] == [
        (number, "CRL", 2)
    ]
    location = account.elb.get_trust_store_revocation_content(TrustStoreArn=arn, RevocationId=number)["Location"]
    assert {entry.serial_number for entry in x509.load_der_x509_crl(fetch(location))} == {17, 18}
    assert account.elb.describe_trust_stores(TrustStoreArns=[arn])["TrustStores"][0]["TotalRevokedEntries"] == 2
    account.elb.remove_trust_store_revocations(TrustStoreArn=arn, RevocationIds=[number])
    assert account.elb.describe_trust_store_revocations(TrustStoreArn=arn)["TrustStoreRevocations"] == []
    with pytest.raises(ClientError) as refused:
        account.elb.remove_trust_store_revocations(TrustStoreArn=arn, RevocationIds=[number])
    assert code(refused) == "RevocationIdNotFound"


def test_a_listener_verifies_clients_with_a_trust_store(account):
    """https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_MutualAuthenticationAttributes.html"""
    arn = store(account, "verifying")
    alb = balancer(account, "verifying")["LoadBalancerArn"]
    asked = {"Mode": "verify", "TrustStoreArn": arn, "AdvertiseTrustStoreCaNames": "on"}
    made = listener(account, alb, MutualAuthentication=asked)
    expected = {**asked, "IgnoreClientCertificateExpiry": False, "TrustStoreAssociationStatus": "active"}
    described = account.elb.describe_listeners(ListenerArns=[made["ListenerArn"]])["Listeners"][0]
    assert described["MutualAuthentication"] == expected
    associated = account.elb.describe_trust_store_associations(TrustStoreArn=arn)["TrustStoreAssociations"]
    assert associated == [{"ResourceArn": made["ListenerArn"]}]
    with pytest.raises(ClientError) as refused:
        account.elb.delete_trust_store(TrustStoreArn=arn)
    assert code(refused) == "TrustStoreInUse"
    account.elb.modify_listener(ListenerArn=made["ListenerArn"], MutualAuthentication={"Mode": "off"})
    account.elb.delete_trust_store(TrustStoreArn=arn)


def test_a_listener_that_says_nothing_does_not_ask_for_certificates(account):
    """https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_MutualAuthenticationAttributes.html"""
    alb = balancer(account, "plain")["LoadBalancerArn"]
    assert listener(account, alb)["MutualAuthentication"] == {"Mode": "off"}
    with pytest.raises(ClientError, match="verify needs one"):
        listener(account, alb, MutualAuthentication={"Mode": "verify"})


def test_a_balancer_faces_the_internet_unless_internal_and_has_interfaces_in_its_subnets(account):
    """https://docs.aws.amazon.com/elasticloadbalancing/latest/application/application-load-balancers.html"""
    public, internal = balancer(account, "public"), balancer(account, "inside", Scheme="internal")
    assert (public["Scheme"], public["State"]["Code"]) == ("internet-facing", "active")
    assert internal["Scheme"] == "internal"
    assert internal["DNSName"].startswith("internal-inside-")
    described = {"Name": "description", "Values": ["ELB app/public/" + public["LoadBalancerArn"].split("/")[-1]]}
    found = account.ec2.describe_network_interfaces(Filters=[described])["NetworkInterfaces"]
    assert {i["SubnetId"] for i in found} == set(account.subnets)
    assert all(i["Groups"][0]["GroupId"] == account.group for i in found)
    assert all((i["RequesterManaged"], i["Status"]) == (True, "in-use") for i in found)
    addresses = {i["PrivateIpAddress"] for i in found}
    account.elb.delete_load_balancer(LoadBalancerArn=public["LoadBalancerArn"])
    assert account.ec2.describe_network_interfaces(Filters=[described])["NetworkInterfaces"] == []
    assert len(addresses) == 2


def test_a_protected_balancer_is_not_deleted(account):
    """https://docs.aws.amazon.com/elasticloadbalancing/latest/application/edit-load-balancer-attributes.html"""
    arn = balancer(account, "protected")["LoadBalancerArn"]
    on = [{"Key": "deletion_protection.enabled", "Value": "true"}]
    account.elb.modify_load_balancer_attributes(LoadBalancerArn=arn, Attributes=on)
    with pytest.raises(ClientError) as refused:
        account.elb.delete_load_balancer(LoadBalancerArn=arn)
    assert code(refused) == "OperationNotPermitted"


def test_targets_are_as_healthy_as_the_balancer_reports(account, endpoint):
    """https://docs.aws.amazon.com/elasticloadbalancing/latest/application/target-group-health-checks.html"""
    image = account.ec2.run_instances(ImageId="ami-1", MinCount=1, MaxCount=1, SubnetId=account.subnets[0])
    instance = image["Instances"][0]["InstanceId"]
    group = account.elb.create_target_group(Name="nifi", Protocol="HTTPS", Port=9443, VpcId=account.vpc)
    arn = group["TargetGroups"][0]["TargetGroupArn"]
    account.elb.register_targets(TargetGroupArn=arn, Targets=[{"Id": instance}])

    def health() -> dict:
        return account.elb.describe_target_health(TargetGroupArn=arn)["TargetHealthDescriptions"][0]["TargetHealth"]

    assert (health()["State"], health()["Reason"]) == ("unused", "Target.NotInUse")
    alb = balancer(account, "healthy")["LoadBalancerArn"]
    forward = [{"Type": "forward", "TargetGroupArn": arn}]
    account.elb.create_listener(LoadBalancerArn=alb, Protocol="HTTP", Port=80, DefaultActions=forward)
    assert (health()["State"], health()["Reason"]) == ("initial", "Elb.RegistrationInProgress")
    for state in ("unhealthy", "healthy"):
        report = {
            "account_id": "111122223333",
            "region": "eu-central-1",
            "target_group_arn": arn,
            "targets": [{"id": instance, "port": 9443, "state": state, "reason": None}],
        }
        call = urllib.request.Request(f"{endpoint}/_rehearsal/target-health", json.dumps(report).encode())
        assert urllib.request.urlopen(call).status == 200
        assert health()["State"] == state
    account.elb.register_targets(TargetGroupArn=arn, Targets=[{"Id": instance}])
    assert health()["State"] == "healthy"


def test_a_report_about_nothing_is_refused(endpoint):
    call = urllib.request.Request(f"{endpoint}/_rehearsal/target-health", b"{}")
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(call)
    assert refused.value.code == 400
