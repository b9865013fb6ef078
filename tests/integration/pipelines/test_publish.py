"""What deploy-pipelines.yml does without hosts, against the emulated account; and the credentials for the lake."""

from __future__ import annotations

import grp
import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import boto3
import pytest

from tests.integration.pipelines.nifi_server import ROOT
from tests.integration.pipelines.storage import REGION, Storage

PLAYBOOK = ROOT / "ansible" / "playbooks" / "deploy-pipelines.yml"
PROGRAM = ROOT / "collections/ansible_collections/dataplatform/aws/roles/nifi/files/dataplatform-lake-credentials"
ROLE = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole"}]}


class Account:
    """The emulated account, with what Terraform would have made."""

    def __init__(self, storage: Storage, folder: Path) -> None:
        # The door is the way for flows; this is not about them.
        endpoint = storage.s3.meta.endpoint_url
        self.folder = folder
        self.environment = {**os.environ, **storage.environment, "AWS_ENDPOINT_URL": endpoint}
        self.environment |= {
            "ANSIBLE_CONFIG": str(ROOT / "ansible" / "ansible.cfg"),
            "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "collections"),
            "ANSIBLE_HOME": str(folder / "ansible"),
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        }
        self.session = boto3.Session(aws_access_key_id="test", aws_secret_access_key="test", region_name=REGION)
        self.endpoint = endpoint
        for bucket in ("artifacts", "dags"):
            storage.make(bucket)
        storage.s3.put_object(Bucket="dags", Key="dags/", Body=b"")
        key = self.client("kms").create_key()["KeyMetadata"]["Arn"]
        document = {
            "env": "dev",
            "region": REGION,
            "hosts": {"nifi": "nifi.example.com"},
            "buckets": {"bronze": "dl-dev-bronze", "dags": "dags", "artifacts": "artifacts"},
            "kms": {"data_key_arn": key},
            "airflow": {
                "dags_prefix": "dags",
                "secrets_prefix": "dataplatform/dev/airflow",
                "trigger_role_arn": "arn:aws:iam::123456789012:role/dev-nifi-trigger",
                "trigger_secret_prefix": "dataplatform/dev/users/airflow",
                "deadline_topic_arn": "arn:aws:sns:eu-central-1:123456789012:late",
            },
            "processing": {
                "application_id": "00f1",
                "execution_role_arn": "arn:aws:iam::123456789012:role/dev-spark",
                "jobs_bucket": "artifacts",
                "jobs_prefix": "jobs",
                "logs_uri": "s3://logs/emr-serverless/",
                "warehouses": {"silver": "s3://dl-dev-silver/warehouse", "gold": "s3://dl-dev-gold/warehouse"},
            },
        }
        value = json.dumps(document)
        self.client("ssm").put_parameter(Name="/dataplatform/dev/platform", Value=value, Type="String")
        hosts = {"nifi": {"hosts": {"i-1": {}}}, "all": {"vars": {"platform_env": "dev", "platform_region": REGION}}}
        (folder / "hosts.yml").write_text(json.dumps(hosts))

    def client(self, service: str) -> Any:
        return self.session.client(service, endpoint_url=self.endpoint)

    def play(self, *arguments: str) -> dict[str, Any]:
        """Run the playbook's part for DAGs; its report, with the number of changed tasks."""
        report = self.folder / "report.json"
        command = ["ansible-playbook", str(PLAYBOOK), "-i", str(self.folder / "hosts.yml"), "--tags", "dags"]
        command += ["-e", f"deployment_report={report}", *arguments]
        environment = {**self.environment, "ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.default"}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=240, check=False)
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        recap = next(line for line in done.stdout.splitlines() if line.startswith("localhost"))
        return {**json.loads(report.read_text()), "changed": int(recap.split("changed=")[1].split()[0])}

    def settings(self) -> dict[str, Any]:
        name = "dataplatform/dev/airflow/variables/platform"
        return dict(json.loads(self.client("secretsmanager").get_secret_value(SecretId=name)["SecretString"]))


@pytest.fixture(scope="module")
def account(storage: Storage, tmp_path_factory: pytest.TempPathFactory) -> Account:
    return Account(storage, tmp_path_factory.mktemp("account"))


def test_dags_jobs_and_settings_are_published_once(account: Account, storage: Storage) -> None:
    planned = account.play("--check")
    assert "flights_daily.py" in planned["dags"]["uploaded"]
    assert storage.keys("dags") == ["dags/"]
    published = account.play()
    assert published["dags"]["uploaded"] == planned["dags"]["uploaded"]
    assert set(storage.keys("dags")) == {"dags/", *(f"dags/{name}" for name in published["dags"]["uploaded"])}
    assert {"lake.py", "bronze_to_silver.py"} <= set(published["jobs"]["uploaded"])
    assert storage.read("artifacts", "jobs/lake.py") == (ROOT / "pipelines" / "jobs" / "lake.py").read_bytes()
    again = account.play()
    assert (again["changed"], again["dags"]["uploaded"], again["jobs"]["uploaded"]) == (0, [], [])


def test_the_settings_are_what_the_dags_read(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    account.play("-e", "flights_schedule='0 6 * * *'", "-e", "deadline_minutes=90")
    monkeypatch.syspath_prepend(str(ROOT / "pipelines" / "dags"))
    from dataplatform_operators.settings import Settings

    settings = Settings.of(account.settings())
    assert (settings.schedule, settings.deadline_minutes) == ("0 6 * * *", 90)
    assert settings.jobs_uri == "s3://artifacts/jobs"
    assert settings.nifi_url == "https://nifi.example.com"


def test_what_is_gone_goes_and_the_platforms_own_checks_stay(account: Account, storage: Storage) -> None:
    for name in ("dags/old.py", "dags/verification_1.py"):
        storage.s3.put_object(Bucket="dags", Key=name, Body=b"")
    assert account.play()["dags"]["deleted"] == ["old.py"]
    assert "dags/verification_1.py" in storage.keys("dags")


def test_credentials_of_the_lakes_role_are_for_one_group_and_work(account: Account, tmp_path: Path) -> None:
    role = account.client("iam").create_role(RoleName="dev-nifi-lake", AssumeRolePolicyDocument=json.dumps(ROLE))
    target, group = tmp_path / "credentials.json", grp.getgrgid(os.getegid()).gr_name
    command = [sys.executable, str(PROGRAM), "--role-arn", role["Role"]["Arn"], "--region", REGION]
    command += ["--group", group, "--to", str(target)]
    subprocess.run(command, env=account.environment, check=True)
    assert stat.S_IMODE(target.stat().st_mode) == 0o640
    assert list(tmp_path.iterdir()) == [target]
    # as an AWS client in NiFi reads them
    configuration = tmp_path / "aws.conf"
    configuration.write_text(f"[default]\nregion = {REGION}\ncredential_process = /usr/bin/cat {target}\n")
    probe = "import boto3; print(boto3.client('sts').get_caller_identity()['Arn'])"
    clean = {name: value for name, value in account.environment.items() if not name.startswith("AWS_")}
    clean |= {"AWS_CONFIG_FILE": str(configuration), "AWS_SHARED_CREDENTIALS_FILE": "/dev/null"}
    clean |= {"AWS_ENDPOINT_URL": account.endpoint, "AWS_EC2_METADATA_DISABLED": "true"}
    done = subprocess.run([sys.executable, "-c", probe], env=clean, capture_output=True, text=True, check=True)
    assert "assumed-role/dev-nifi-lake/" in done.stdout


def test_credentials_that_cannot_be_had_leave_the_old_ones(account: Account, tmp_path: Path) -> None:
    target = tmp_path / "credentials.json"
    target.write_text("old")
    command = [sys.executable, str(PROGRAM), "--role-arn", "arn:aws:iam::123456789012:role/x", "--region", REGION]
    environment = {**account.environment, "AWS_ENDPOINT_URL": "http://127.0.0.1:1"}
    done = subprocess.run(
        [*command, "--to", str(target)], env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert (done.returncode, target.read_text()) == (1, "old")
    assert "no credentials of arn:aws:iam::123456789012:role/x" in done.stderr
