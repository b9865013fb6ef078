"""The lake's metadata, and the way of data through it, against S3, Glue, SNS, SQS and IAM kept in memory."""

from __future__ import annotations

import datetime as dt
import json

import boto3
import pytest
from ansible_collections.dataplatform.aws.plugins.module_utils import _lake
from ansible_collections.dataplatform.aws.plugins.module_utils._pipelines import (
    _dag_run,
    _data,
    _deadline,
    _probe_dag,
    _trigger,
)
from ansible_collections.dataplatform.aws.plugins.module_utils._verification._checks import CheckFailed
from moto import mock_aws

REGION = "eu-central-1"
HEADER = "year,month,day,carrier\n"
DATABASES = {"silver": "dev_silver", "gold": "dev_gold"}


@pytest.fixture(autouse=True)
def account(monkeypatch):
    for name in ("AWS_ENDPOINT_URL", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        yield


def client(service: str):
    return boto3.client(service, region_name=REGION)


@pytest.fixture
def s3():
    made = client("s3")
    for name in ("artifacts", "bronze", "silver", "gold", "dags"):
        made.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
    return made


@pytest.fixture
def glue():
    made = client("glue")
    for database in DATABASES.values():
        made.create_database(DatabaseInput={"Name": database})
    return made


def snapshot(number: int, moment: int, **summary: str) -> dict:
    return {"snapshot-id": number, "timestamp-ms": moment * 1000, "summary": summary}


def iceberg(s3, glue, layer: str, name: str, snapshots: list[dict], properties: dict | None = None) -> None:
    """A table whose newest snapshot is the last one."""
    current = snapshots[-1]["snapshot-id"] if snapshots else -1
    body = {"current-snapshot-id": current, "snapshots": snapshots, "properties": properties or {}}
    key = f"warehouse/{name}/metadata/00001.metadata.json"
    s3.put_object(Bucket=layer, Key=key, Body=json.dumps(body).encode())
    parameters = {"table_type": "ICEBERG", "metadata_location": f"s3://{layer}/{key}"}
    glue.create_table(DatabaseName=DATABASES[layer], TableInput={"Name": name, "Parameters": parameters})


PLATFORM = {
    "env": "dev",
    "buckets": {"bronze": "bronze", "silver": "silver", "gold": "gold", "logs": "logs"},
    "processing": {"databases": {"bronze": "dev_bronze", **DATABASES}},
}


def test_layers_tables_and_the_last_run(s3, glue):
    for day in ("01", "02"):
        s3.put_object(Bucket="bronze", Key=f"flights/ingest_date=2013-01-{day}/batch-x.csv", Body=b"12345")
    iceberg(s3, glue, "silver", "flights", [snapshot(1, 100, **{"total-records": "5"})])
    newest = {"total-records": "9", "total-position-deletes": "2", "total-data-files": "3", "total-files-size": "77"}
    iceberg(s3, glue, "gold", "daily", [snapshot(1, 50), snapshot(2, 200, operation="overwrite", **newest)])
    seen = _lake.look(s3, glue, PLATFORM)
    assert seen["bronze"] == {"objects": 2, "bytes": 10, "complete": True}
    silver, gold = seen["tables"]
    assert (silver["name"], silver["rows"]) == ("dev_silver.flights", 5)
    assert (gold["rows"], gold["files"], gold["bytes"], gold["snapshot"]) == (7, 3, 77, "2")
    assert seen["last_run"] == {
        "at": "1970-01-01T00:03:20Z",
        "table": "dev_gold.daily",
        "operation": "overwrite",
        "job": None,
    }


def test_an_empty_lake(s3):
    seen = _lake.look(s3, client("glue"), PLATFORM)
    assert seen["gold"]["objects"] == 0
    assert (seen["tables"], seen["last_run"]) == ([], None)


def test_a_table_that_was_never_written_to(s3, glue):
    iceberg(s3, glue, "gold", "daily", [])
    (table,) = _lake.tables(s3, glue, "gold", "dev_gold")
    assert (table.rows, table.updated) == (0, None)


def test_tables_of_another_kind_are_left_out(s3, glue):
    glue.create_table(DatabaseName="dev_gold", TableInput={"Name": "hive", "Parameters": {}})
    assert _lake.tables(s3, glue, "gold", "dev_gold") == []


def test_counting_stops_where_a_listing_would_not_end(s3):
    for number in range(3):
        s3.put_object(Bucket="bronze", Key=str(number), Body=b"x")

    class Pages:
        def list_objects_v2(self, **_):
            return {"IsTruncated": True, "NextContinuationToken": "t", "Contents": [{"Size": 1}] * 1000}

    assert _lake.layer(s3, "bronze").complete
    assert _lake.layer(Pages(), "bronze", limit=5000) == _lake.Layer(5000, 5000, complete=False)


def test_metadata_that_is_gone(s3, glue):
    iceberg(s3, glue, "gold", "daily", [snapshot(1, 1)])
    s3.delete_object(Bucket="gold", Key="warehouse/daily/metadata/00001.metadata.json")
    with pytest.raises(_lake.LakeError, match=r"s3://gold/warehouse/daily.*no readable table metadata"):
        _lake.tables(s3, glue, "gold", "dev_gold")


@pytest.fixture
def folder(tmp_path):
    """Two days of landing files, with two rows and one."""
    (tmp_path / "2013-01-01.csv").write_text(HEADER + "2013,1,1,AA\n2013,1,1,UA\n")
    (tmp_path / "2013-01-02.csv").write_text(HEADER + '2013,1,2,"A\nA"\n')
    return tmp_path


LANDING, BRONZE = ("artifacts", "landing/flights/"), ("bronze", "flights")


def arrive(s3, folder, name: str, suffix: str = "0a1b2c3d4e5f") -> str:
    """What NiFi does with a landing file."""
    key = f"flights/ingest_date={name}/batch-{name}-{suffix}.csv"
    s3.put_object(Bucket="bronze", Key=key, Body=(folder / f"{name}.csv").read_bytes())
    return key


def test_files_are_put_once(s3, folder):
    assert _data.upload(s3, LANDING, BRONZE, folder) == ["2013-01-01.csv", "2013-01-02.csv"]
    assert _data.upload(s3, LANDING, BRONZE, folder) == []
    (folder / "2013-01-02.csv").write_text(HEADER + '2013,1,2,"B\nB"\n')
    assert _data.upload(s3, LANDING, BRONZE, folder) == ["2013-01-02.csv"]


def test_what_has_left_the_landing_folder_does_not_land_again(s3, folder):
    arrive(s3, folder, "2013-01-01")
    assert _data.upload(s3, LANDING, BRONZE, folder) == ["2013-01-02.csv"]


def test_what_expired_in_bronze_lands_again_and_is_lacking_until_then(s3, folder):
    kept, expired = arrive(s3, folder, "2013-01-01"), arrive(s3, folder, "2013-01-02")
    assert _data.lacking(s3, BRONZE, folder) == []
    assert _data.upload(s3, LANDING, BRONZE, folder) == []
    s3.delete_object(Bucket="bronze", Key=expired)
    assert _data.upload(s3, LANDING, BRONZE, folder) == ["2013-01-02.csv"]
    assert _data.upload(s3, LANDING, BRONZE, folder) == []  # and a verification that was killed by now:
    assert _data.lacking(s3, BRONZE, folder) == ["2013-01-02.csv"]
    s3.put_object(Bucket="bronze", Key=kept, Body=b"another file of that day")
    assert _data.lacking(s3, BRONZE, folder) == ["2013-01-01.csv", "2013-01-02.csv"]


def test_days_and_rows_of_the_files(folder):
    assert _data.days(folder) == {"2013-01-01": 2, "2013-01-02": 1}


def test_bronze_with_every_file_once(s3, folder):
    for day in _data.days(folder):
        arrive(s3, folder, day)
    s3.put_object(Bucket="bronze", Key="flights/ingest_date=2013-01-01/stream-1.json", Body=b"{}")
    keep: dict = {}
    outcome = _data.check_bronze(s3, *BRONZE, _data.days(folder), keep)
    assert outcome.observed == "2 objects, 3 rows"
    assert keep == {"rows": 3}


def test_bronze_with_something_lost_or_doubled(s3, folder):
    arrive(s3, folder, "2013-01-01")
    arrive(s3, folder, "2013-01-01", "ffffffffffff")
    with pytest.raises(CheckFailed, match=r"1 missing \(such as 2013-01-02\); 1 more than once \(such as 2013-01-01\)"):
        _data.check_bronze(s3, *BRONZE, _data.days(folder), {})


def test_bronze_with_a_row_less(s3, folder):
    for day in _data.days(folder):
        arrive(s3, folder, day)
    key = "flights/ingest_date=2013-01-01/batch-2013-01-01-0a1b2c3d4e5f.csv"
    s3.put_object(Bucket="bronze", Key=key, Body=(HEADER + "2013,1,1,AA\n").encode())
    with pytest.raises(CheckFailed, match="1 with other rows"):
        _data.check_bronze(s3, *BRONZE, _data.days(folder), {})


@pytest.mark.parametrize("where", ["property", "summary"])
def test_the_checksum_of_gold(s3, glue, where):
    mark = {_data.CHECKSUM: "sha256:aa"}
    summary = {"total-records": "3", **(mark if where == "summary" else {})}
    iceberg(s3, glue, "gold", "daily_carrier_delays", [snapshot(1, 1, **summary)], mark if where == "property" else {})
    tables = _data.gold_and_silver(s3, glue, DATABASES)
    assert _data.check_checksum(tables, "sha256:aa").observed == "sha256:aa"
    assert _data.check_rows(tables, "gold", 3).observed == "3 rows"
    with pytest.raises(CheckFailed, match="sha256:aa"):
        _data.check_checksum(tables, "sha256:bb")
    with pytest.raises(CheckFailed, match="3 rows"):
        _data.check_rows(tables, "gold", 4)
    with pytest.raises(CheckFailed, match="no silver table"):
        _data.check_rows(tables, "silver", 4)


def test_the_fingerprint_follows_data_code_and_choice(s3):
    places = [("dags", "dags/"), ("artifacts", "jobs/")]
    s3.put_object(Bucket="dags", Key="dags/flights.py", Body=b"1")
    first = _dag_run.fingerprint(s3, places, "data", {})
    s3.put_object(Bucket="dags", Key="dags/verification_0a.py", Body=b"comes and goes")
    assert _dag_run.fingerprint(s3, places, "data", {}) == first
    assert _dag_run.fingerprint(s3, places, "other", {}) != first
    assert _dag_run.fingerprint(s3, places, "data", {"days": []}) != first
    s3.put_object(Bucket="artifacts", Key="jobs/gold.py", Body=b"2")
    assert _dag_run.fingerprint(s3, places, "data", {}) != first


@pytest.fixture
def topic():
    return client("sns").create_topic(Name="dev-deadlines")["TopicArn"]


def listener(topic):
    return _deadline.Listener(client("sqs"), client("sns"), topic, "dev")


def test_an_alert_is_received_and_nothing_stays_behind(topic, monkeypatch):
    monkeypatch.setattr(_deadline, "POLL_SECONDS", 0)
    with listener(topic) as ear:
        client("sns").publish(TopicArn=topic, Subject="deadline missed", Message="another DAG")
        client("sns").publish(TopicArn=topic, Subject="deadline missed", Message="verification_1 missed it")
        assert "verification_1 missed it" in _deadline.check_alert(ear, "verification_1", 5).observed
    assert client("sqs").list_queues().get("QueueUrls", []) == []
    assert client("sns").list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"] == []


def test_silence_is_a_failure_that_says_what_else_came(topic, monkeypatch):
    monkeypatch.setattr(_deadline, "POLL_SECONDS", 0)
    with listener(topic) as ear:
        client("sns").publish(TopicArn=topic, Message="another DAG")
        with pytest.raises(CheckFailed, match=r"no alert after .*another DAG"):
            _deadline.check_alert(ear, "verification_1", 0.2)


def test_queues_of_killed_verifications_go(topic, monkeypatch):
    left = listener(topic)
    left.__enter__()
    with listener(topic):
        assert len(client("sqs").list_queues()["QueueUrls"]) == 2  # a young one may be in use
    monkeypatch.setattr(_deadline, "STALE_SECONDS", -1)
    with listener(topic) as ear:
        assert client("sqs").list_queues()["QueueUrls"] == [ear.url]
        assert len(client("sns").list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]) == 1


def test_the_probe_dag_is_python_and_young_ones_stay(s3, topic, monkeypatch):
    probe = _probe_dag.ProbeDag(s3, ("dags", "dags"), topic, REGION)
    probe.upload()
    compile(s3.get_object(Bucket="dags", Key=probe.key)["Body"].read(), probe.key, "exec")
    assert topic in probe.source()
    other = _probe_dag.ProbeDag(s3, ("dags", "dags/"), topic, REGION)
    other.upload()
    assert len(s3.list_objects_v2(Bucket="dags")["Contents"]) == 2
    monkeypatch.setattr(_probe_dag, "STALE", dt.timedelta(seconds=-10))
    s3.put_object(Bucket="dags", Key="dags/flights.py", Body=b"the platform's own")
    other.remove_stale()
    assert [entry["Key"] for entry in s3.list_objects_v2(Bucket="dags")["Contents"]] == ["dags/flights.py"]


SECRETS = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:dataplatform/dev"


def role(name: str, resource: str, principal: dict) -> str:
    iam = client("iam")
    trust = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": principal}],
    }
    made = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    statement = {"Effect": "Allow", "Action": ["secretsmanager:Get*"], "Resource": resource}
    policy = {"Version": "2012-10-17", "Statement": statement}
    iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=json.dumps(policy))
    return made


def hosts(own_secrets: str) -> dict:
    """A platform with one Airflow host whose role may read these secrets."""
    iam, ec2 = client("iam"), client("ec2")
    instance = role("dev-airflow-instance", own_secrets, {"Service": "ec2.amazonaws.com"})
    iam.create_instance_profile(InstanceProfileName="dev-airflow-instance")
    iam.add_role_to_instance_profile(InstanceProfileName="dev-airflow-instance", RoleName="dev-airflow-instance")
    tags = [{"Key": "Environment", "Value": "dev"}, {"Key": "Role", "Value": "airflow"}]
    image = ec2.describe_images()["Images"][0]["ImageId"]
    ec2.run_instances(
        ImageId=image, MinCount=1, MaxCount=1, IamInstanceProfile={"Name": "dev-airflow-instance"},
        TagSpecifications=[{"ResourceType": "instance", "Tags": tags}],
    )  # fmt: skip
    trigger = role("dev-nifi-trigger", f"{SECRETS}/users/airflow/*", {"AWS": instance})
    airflow = {"trigger_role_arn": trigger, "trigger_secret_prefix": "dataplatform/dev/users/airflow"}
    return {"env": "dev", "region": REGION, "account_id": "123456789012", "airflow": airflow}


def test_the_certificate_is_read_with_the_trigger_role_only():
    platform = hosts(f"{SECRETS}/airflow/*")
    outcome = _trigger.check_role_needed(client("iam"), client("ec2"), platform)
    assert (outcome.status, outcome.observed) == ("computed", "dev-airflow-instance reads it as dev-nifi-trigger only")


def test_hosts_that_may_read_it_without_the_role_are_found():
    platform = hosts(f"{SECRETS}/*")
    with pytest.raises(CheckFailed, match="dev-airflow-instance may read it without the role"):
        _trigger.check_role_needed(client("iam"), client("ec2"), platform)


def test_others_who_may_take_the_role_are_found():
    platform = hosts(f"{SECRETS}/airflow/*")
    anybody = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": "*"}}],
    }
    client("iam").update_assume_role_policy(RoleName="dev-nifi-trigger", PolicyDocument=json.dumps(anybody))
    with pytest.raises(CheckFailed, match=r"\* may take dev-nifi-trigger too"):
        _trigger.check_role_needed(client("iam"), client("ec2"), platform)
