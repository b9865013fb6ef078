"""Bootstrap, apply, empty plan and destroy of DEV against the emulated account."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest

from tests.integration.terraform.terraform_runner import Terraform
from tests.support.pki import Authority, name

pytestmark = pytest.mark.terraform
ACCOUNT = "111122223333"
STATE_BUCKET = f"dataplatform-tfstate-{ACCOUNT}-eu-central-1"
SECRETS = re.compile(r"PRIVATE KEY|\"(password|secret_string|private_key)\": ?\"[^\"]+\"")


PIPELINES = {"dags/daily.py": "# a DAG\n", "dags/sql/clean.sql": "select 1;\n", "jobs/silver.py": "# a job\n"}


@dataclass
class Built:
    """DEV as applied: how to run terraform on it, its values file, and clients of its account."""

    terraform: Terraform
    client: Callable[[str], Any]
    platform: dict[str, Any]
    state: str


@pytest.fixture(scope="module")
def client(credentials: Callable[[str], dict[str, str]]) -> Callable[[str], Any]:
    given = credentials(ACCOUNT)
    session = boto3.Session(
        given["AWS_ACCESS_KEY_ID"], given["AWS_SECRET_ACCESS_KEY"], given["AWS_SESSION_TOKEN"], given["AWS_REGION"]
    )

    def make(service: str) -> Any:
        return session.client(service, endpoint_url=given["AWS_ENDPOINT_URL"])

    return make


def test_by_hand_as_the_readme_says(
    sources: Callable[[str], Path], providers: dict[str, str], credentials: Callable[[str], dict[str, str]]
) -> None:
    folder = sources("by-hand") / "bootstrap"
    block = re.search(r"```sh\n(.+?)```", (folder / "README.md").read_text(), re.DOTALL)
    assert block
    assert ACCOUNT in block[1]
    variables = {**providers, **credentials(ACCOUNT), "TF_VAR_s3_use_path_style": "true", "TF_INPUT": "0"}
    done = subprocess.run(
        ["bash", "-ec", block[1]],
        cwd=folder,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert f"dataplatform-tfstate-{ACCOUNT}-eu-central-1" in done.stdout


@pytest.fixture(scope="module")
def bootstrapped(
    sources: Callable[[str], Path], providers: dict[str, str], credentials: Callable[[str], dict[str, str]]
) -> str:
    """The ARN of the state's key, after terraform/bootstrap made bucket and key."""
    folder = sources("bootstrap") / "bootstrap"
    (folder / "backend_override.tf").write_text('terraform {\n  backend "local" {}\n}\n')
    terraform = Terraform(folder, {**providers, **credentials(ACCOUNT)})
    terraform.init()
    values = {"account_id": ACCOUNT, "region": "eu-central-1", "s3_use_path_style": True}
    terraform.plan(values)
    terraform.run("apply", "-no-color", "-parallelism=30", "plan.tfplan")
    terraform.run("plan", "-no-color", "-detailed-exitcode", "-var-file=plan.tfvars.json")
    return str(json.loads(terraform.run("output", "-json"))["state_key_arn"]["value"])


@pytest.fixture(scope="module")
def built(
    bootstrapped: str,
    sources: Callable[[str], Path],
    providers: dict[str, str],
    credentials: Callable[[str], dict[str, str]],
    client: Callable[[str], Any],
    example: Callable[[str], dict[str, Any]],
    authority: Authority,
) -> Iterator[Built]:
    issued = authority.issue(name(CN="nifi.dev.data.example.com"), "nifi.dev.data.example.com")
    imported = client("acm").import_certificate(Certificate=issued.certificate_pem, PrivateKey=issued.key_pem)
    copy = sources("built")
    for path, text in PIPELINES.items():
        (copy.parent / "pipelines" / path).parent.mkdir(parents=True, exist_ok=True)
        (copy.parent / "pipelines" / path).write_text(text)
    terraform = Terraform(copy / "environments" / "dev", {**providers, **credentials(ACCOUNT)})
    backend = {
        "bucket": STATE_BUCKET,
        "key": "dev/terraform.tfstate",
        "region": "eu-central-1",
        "kms_key_id": bootstrapped,
        "use_path_style": "true",
    }
    terraform.init(*(f"-backend-config={key}={value}" for key, value in backend.items()))
    terraform.plan({**example("dev"), "certificate_arn": imported["CertificateArn"]})
    terraform.run("apply", "-no-color", "-parallelism=30", "plan.tfplan")
    outputs = json.loads(terraform.run("output", "-json"))
    state = client("s3").get_object(Bucket=STATE_BUCKET, Key="dev/terraform.tfstate")["Body"].read().decode()
    yield Built(terraform, client, outputs["platform"]["value"], state)
    terraform.run("destroy", "-no-color", "-parallelism=30", "-auto-approve", "-var-file=plan.tfvars.json")
    assert json.loads(terraform.run("show", "-json")).get("values") is None
    left = [b["Name"] for b in client("s3").list_buckets()["Buckets"] if b["Name"] != STATE_BUCKET]
    assert left == []
    assert (
        client("ec2").describe_instances(Filters=[{"Name": "instance-state-name", "Values": ["running"]}])[
            "Reservations"
        ]
        == []
    )


def test_a_second_plan_is_empty(built: Built) -> None:
    built.terraform.run("plan", "-no-color", "-detailed-exitcode", "-var-file=plan.tfvars.json")


def test_who_else_uploads_the_same_files_makes_no_drift(built: Built) -> None:
    """A deployment of the pipelines alone writes what Terraform would."""
    s3, buckets = built.client("s3"), built.platform["buckets"]
    for path, text in PIPELINES.items():
        bucket = buckets["dags"] if path.startswith("dags/") else buckets["artifacts"]
        assert s3.get_object(Bucket=bucket, Key=path)["Body"].read().decode() == text
        noted = {"sha256": hashlib.sha256(text.encode()).hexdigest()}
        s3.put_object(Bucket=bucket, Key=path, Body=text.encode(), Metadata=noted)
    built.terraform.run("plan", "-no-color", "-detailed-exitcode", "-var-file=plan.tfvars.json")


def test_a_changed_dag_is_one_change(built: Built) -> None:
    root = built.terraform.folder.parents[2] / "pipelines" / "dags"
    (root / "daily.py").write_text("# a better DAG\n")
    (root / "sql" / "clean.sql").unlink()
    values = json.loads((built.terraform.folder / "plan.tfvars.json").read_text())
    plan = built.terraform.plan(values, "dags", "-refresh=false")
    changes = {c["address"]: c["change"]["actions"] for c in plan["resource_changes"]}
    assert {address: actions for address, actions in changes.items() if actions != ["no-op"]} == {
        'module.platform.module.airflow.aws_s3_object.dag["daily.py"]': ["update"],
        'module.platform.module.airflow.aws_s3_object.dag["sql/clean.sql"]': ["delete"],
    }


def test_the_state_is_encrypted_and_holds_no_secret(built: Built, bootstrapped: str) -> None:
    head = built.client("s3").head_object(Bucket=STATE_BUCKET, Key="dev/terraform.tfstate")
    assert (head["ServerSideEncryption"], head["SSEKMSKeyId"]) == ("aws:kms", bootstrapped)
    assert not SECRETS.search(built.state)


def test_the_parameter_is_the_output(built: Built) -> None:
    parameter = built.client("ssm").get_parameter(Name="/dataplatform/dev/platform")["Parameter"]
    assert json.loads(parameter["Value"]) == built.platform
    assert len(parameter["Value"].encode()) < 8192


def incoming(built: Built, group: str) -> set[tuple[int, int, str | None]]:
    """Ports and source group of each rule that lets something into a security group."""
    rules = built.client("ec2").describe_security_group_rules(Filters=[{"Name": "group-id", "Values": [group]}])
    return {
        (rule["FromPort"], rule["ToPort"], rule.get("ReferencedGroupInfo", {}).get("GroupId"))
        for rule in rules["SecurityGroupRules"]
        if not rule["IsEgress"]
    }


def the_host(built: Built, role: str) -> dict[str, Any]:
    """The one instance of a role."""
    found = built.client("ec2").describe_instances(Filters=[{"Name": "tag:Role", "Values": [role]}])["Reservations"]
    (instance,) = [instance for reservation in found for instance in reservation["Instances"]]
    return dict(instance)


def test_one_host_comes_up_closed_to_everybody_but_the_balancer(built: Built) -> None:
    instance, platform = the_host(built, "nifi"), built.platform
    assert instance["MetadataOptions"]["HttpTokens"] == "required"
    assert instance["SubnetId"] in platform["private_subnet_ids"]
    assert "PublicIpAddress" not in instance
    assert [group["GroupId"] for group in instance["SecurityGroups"]] == [platform["nifi"]["security_group_id"]]
    assert incoming(built, platform["nifi"]["security_group_id"]) == {
        (9443, 9443, platform["alb"]["security_group_id"]),
        (9444, 9444, platform["alb"]["security_group_id"]),
        (8443, 8443, platform["nifi"]["security_group_id"]),
    }


def test_airflows_host_is_found_by_its_components_and_closed_as_well(built: Built) -> None:
    instance, airflow = the_host(built, "airflow"), built.platform["airflow"]
    tags = {tag["Key"]: tag["Value"] for tag in instance["Tags"]}
    assert tags["Components"] == "api-server scheduler dag-processor triggerer"
    assert tags["aws:autoscaling:groupName"] == airflow["asg_names"][0] == "dev-airflow-all"
    assert instance["SubnetId"] in built.platform["private_subnet_ids"]
    assert incoming(built, airflow["security_group_id"]) == {
        (9443, 9443, built.platform["alb"]["security_group_id"]),
        (8793, 8794, airflow["security_group_id"]),
    }
    health = built.client("elbv2").describe_target_health(TargetGroupArn=airflow["target_group_arn"])
    assert [(t["Target"]["Id"], t["Target"]["Port"]) for t in health["TargetHealthDescriptions"]] == [
        (instance["InstanceId"], 9443)
    ]


def test_the_database_is_airflows_alone(built: Built) -> None:
    database = built.platform["airflow"]["database"]
    (found,) = built.client("rds").describe_db_instances(DBInstanceIdentifier="dev-airflow")["DBInstances"]
    assert (found["Endpoint"]["Address"], found["Endpoint"]["Port"]) == (database["endpoint"], database["port"])
    assert found["MasterUserSecret"]["SecretArn"] == database["master_secret_arn"]
    assert found["StorageEncrypted"]
    assert not found["PubliclyAccessible"]
    (group,) = found["VpcSecurityGroups"]
    assert incoming(built, group["VpcSecurityGroupId"]) == {
        (5432, 5432, built.platform["airflow"]["security_group_id"])
    }


def test_spark_and_catalog_are_as_the_document_says(built: Built) -> None:
    processing = built.platform["processing"]
    application = built.client("emr-serverless").get_application(applicationId=processing["application_id"])
    assert application["application"]["releaseLabel"] == processing["release_label"] == "emr-spark-8.0.0"
    glue = built.client("glue")
    for layer, warehouse in processing["warehouses"].items():
        found = glue.get_database(Name=processing["databases"][layer])["Database"]
        assert found["LocationUri"] == warehouse
        assert warehouse == f"s3://{built.platform['buckets'][layer]}/warehouse"


def test_the_trust_store_holds_the_users_ca_only(built: Built) -> None:
    elb, pca = built.client("elbv2"), built.client("acm-pca")
    (store,) = elb.describe_trust_stores()["TrustStores"]
    assert store["TrustStoreArn"] == built.platform["alb"]["trust_store_arn"]
    assert store["NumberOfCaCertificates"] == 1
    body = (
        built.client("s3")
        .get_object(Bucket=built.platform["buckets"]["certificates"], Key="trust-store/users-ca.pem")["Body"]
        .read()
    )
    users = pca.get_certificate_authority_certificate(CertificateAuthorityArn=built.platform["pki"]["users_ca_arn"])[
        "Certificate"
    ]
    assert body.decode().strip() == users.strip()


def test_who_may_issue_what(built: Built) -> None:
    """Each role's policy names one CA and the templates it needs; a host revokes nothing."""
    iam = built.client("iam")

    def statements(role: str, policy: str) -> list[dict[str, Any]]:
        document = iam.get_role_policy(RoleName=role, PolicyName=policy)["PolicyDocument"]
        found: list[dict[str, Any]] = document["Statement"]
        return [s for s in found if "acm-pca:" in json.dumps(s["Action"])]

    issuer = statements("dev-certificate-issuer", "issue")
    host = statements("dev-nifi-instance", "services-certificates")
    assert {s["Resource"] for s in issuer} == {built.platform["pki"]["users_ca_arn"]}
    assert {s["Resource"] for s in host} == {built.platform["pki"]["services_ca_arn"]}
    assert "EndEntityClientAuthCertificate/V1" in json.dumps(issuer)
    assert "SubordinateCA" not in json.dumps([issuer, host])
    assert "Revoke" not in json.dumps(host)


def test_no_role_may_do_everything(built: Built) -> None:
    iam = built.client("iam")
    for role in iam.list_roles()["Roles"]:
        if not role["RoleName"].startswith("dev-"):
            continue
        for policy in iam.list_role_policies(RoleName=role["RoleName"])["PolicyNames"]:
            document = iam.get_role_policy(RoleName=role["RoleName"], PolicyName=policy)["PolicyDocument"]
            assert len(json.dumps(document, separators=(",", ":"))) < 10240
            for statement in document["Statement"]:
                actions = statement["Action"]
                for action in [actions] if isinstance(actions, str) else actions:
                    assert not action.endswith(":*"), f"{role['RoleName']}: {action}"
                    assert action != "*"
