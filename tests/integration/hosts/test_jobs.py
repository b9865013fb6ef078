"""A job run of the emulated EMR Serverless is real Spark: what becomes of it, and what it finds."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from typing import Any

import pytest

from rehearsal import session
from rehearsal.distribution.release import RELEASE
from tests.integration.hosts.conftest import wait_for
from tests.integration.hosts.world import ACCOUNT, World

SPARK_SECONDS = 240
ROLE = f"arn:aws:iam::{ACCOUNT}:role/processing"
PARAMETERS = " ".join(
    f"--conf {name}={value}"
    for name, value in {
        "spark.jars": "/usr/share/aws/iceberg/lib/iceberg-spark3-runtime.jar",
        "spark.sql.extensions": "org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions",
        "spark.sql.catalog.glue": "org.apache.iceberg.spark.SparkCatalog",
        "spark.sql.catalog.glue.type": "glue",
        "spark.sql.catalog.glue.io-impl": "org.apache.iceberg.aws.s3.S3FileIO",
        "spark.sql.catalog.glue.warehouse": "s3://jobs-silver/warehouse",
        "spark.driver.memory": "14g",
        "spark.emr-serverless.driverEnv.GREETING": "hello",
    }.items()
)
MERGE = """
import os, sys, json, boto3
from pyspark.sql import SparkSession

spark = SparkSession.builder.appName("merge").getOrCreate()
table = "glue.test_silver.flights"
spark.sql(f"CREATE TABLE IF NOT EXISTS {table} (id string, n int) USING iceberg")
for key in sys.argv[1:]:
    spark.read.option("header", True).csv(key).selectExpr("id", "cast(n AS int) n").createOrReplaceTempView("new")
    spark.sql(
        f"MERGE INTO {table} t USING new s ON t.id = s.id "
        "WHEN MATCHED THEN UPDATE SET * WHEN NOT MATCHED THEN INSERT *"
    )
print(json.dumps({
    "rows": sorted([row.id, row.n] for row in spark.table(table).collect()),
    "spark": spark.version,
    "scala": spark._jvm.scala.util.Properties.versionNumberString(),
    "iceberg": spark._jvm.org.apache.iceberg.IcebergBuild.version(),
    "python": "%d.%d" % sys.version_info[:2],
    "heap": spark._jvm.java.lang.Runtime.getRuntime().maxMemory() >> 20,
    "who": boto3.client("sts").get_caller_identity()["Arn"],
    "greeting": os.environ["GREETING"],
}))
"""
FAIL = "import sys\nprint('to stdout')\nraise ValueError('no flights on ' + sys.argv[1])\n"
SLEEP = "import time\nprint('asleep', flush=True)\ntime.sleep(600)\n"


class Site(World):
    """The world with one application, a lake of two files, and three jobs."""

    def emr(self) -> Any:
        return self.account.client("emr-serverless")

    def furnish(self) -> None:
        s3 = self.account.client("s3")
        for bucket in ("jobs-bronze", "jobs-silver", "jobs-logs"):
            s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
        for name, text in {"merge": MERGE, "fail": FAIL, "sleep": SLEEP}.items():
            s3.put_object(Bucket="jobs-bronze", Key=f"jobs/{name}.py", Body=text.encode())
        s3.put_object(Bucket="jobs-bronze", Key="day1/a.csv", Body=b"id,n\nx,1\ny,2\n")
        s3.put_object(Bucket="jobs-bronze", Key="day2/b.csv", Body=b"id,n\ny,20\nz,3\n")
        self.account.client("glue").create_database(DatabaseInput={"Name": "test_silver"})
        trust = json.dumps({"Version": "2012-10-17", "Statement": []})
        self.account.client("iam").create_role(RoleName="processing", AssumeRolePolicyDocument=trust)
        self.application = self.emr().create_application(type="Spark", releaseLabel=RELEASE.label)["applicationId"]

    def submit(self, script: str, *arguments: str, **changed: Any) -> str:
        """Id of a new job run."""
        driver = {
            "entryPoint": f"s3://jobs-bronze/jobs/{script}.py",
            "entryPointArguments": list(arguments),
            "sparkSubmitParameters": changed.pop("parameters", PARAMETERS),
        }
        started = self.emr().start_job_run(
            applicationId=changed.pop("application", self.application),
            executionRoleArn=changed.pop("role", ROLE),
            jobDriver={"sparkSubmit": driver},
            configurationOverrides={
                "monitoringConfiguration": {"s3MonitoringConfiguration": {"logUri": "s3://jobs-logs/emr-serverless/"}}
            },
            **changed,
        )
        return str(started["jobRunId"])

    def job(self, job_run_id: str, application: str = "") -> dict[str, Any]:
        found = self.emr().get_job_run(applicationId=application or self.application, jobRunId=job_run_id)
        return dict(found["jobRun"])

    def until(self, job_run_id: str, *states: str, seconds: float = SPARK_SECONDS) -> dict[str, Any]:
        """The job run once it is in one of the states."""
        ended = (*states, "SUCCESS", "FAILED", "CANCELLED")
        wait_for(lambda: self.job(job_run_id)["state"] in ended, seconds, f"{states}: {self.complaints[-3:]}")
        found = self.job(job_run_id)
        assert found["state"] in states, f"{found['state']}: {found['stateDetails']}"
        return found

    def log(self, job_run_id: str, stream: str) -> str:
        key = f"emr-serverless/applications/{self.application}/jobs/{job_run_id}/SPARK_DRIVER/{stream}.gz"
        return gzip.decompress(
            self.account.client("s3").get_object(Bucket="jobs-logs", Key=key)["Body"].read()
        ).decode()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    assert session.supervisor_child().pid is None, "this checkout's rehearsal runs: end it first (make destroy)"
    made = Site(tmp_path_factory.mktemp("world"))
    try:
        made.furnish()
        # the first one waits for Spark
        wait_for(lambda: made.jobs.build.made, 600, f"Spark: {made.jobs.build.state}")
        yield made
    finally:
        made.close()


def test_a_job_merges_into_an_iceberg_table_with_the_labels_versions(site: Site) -> None:
    """Nothing in the job or its parameters knows of the rehearsal; another supervisor takes it over meanwhile."""
    job = site.submit("merge", "s3://jobs-bronze/day1/", "s3://jobs-bronze/day2/b.csv")
    site.until(job, "RUNNING", "SUCCESS")
    site.appoint()
    found = site.until(job, "SUCCESS")
    said = json.loads(site.log(job, "stdout").strip().splitlines()[-1])
    assert said["rows"] == [["x", 1], ["y", 20], ["z", 3]]
    assert (said["spark"], said["scala"], said["iceberg"]) == (RELEASE.spark, RELEASE.scala, RELEASE.iceberg)
    assert said["python"] == RELEASE.python[0]
    assert said["heap"] <= 1100, "the heap is capped, whatever the job asks for"
    assert said["who"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/processing/{job}"
    assert said["greeting"] == "hello"
    assert found["totalExecutionDurationSeconds"] > 0
    assert site.account.client("glue").get_table(DatabaseName="test_silver", Name="flights")


def test_a_failing_job_fails_with_its_exit_code_and_words(site: Site) -> None:
    job = site.submit("fail", "2013-02-30", parameters="--name small")
    found = site.until(job, "FAILED")
    assert "ExitCode: 1" in found["stateDetails"]
    assert "no flights on 2013-02-30" in found["stateDetails"]
    # Spark's PythonRunner joins Python's two streams, on the driver's standard output.
    said = site.log(job, "stdout").strip().splitlines()
    assert said[:2] == ["to stdout", "Traceback (most recent call last):"]
    assert said[-1] == "ValueError: no flights on 2013-02-30"
    assert "ShutdownHookManager" in site.log(job, "stderr")


def test_a_cancelled_job_ends(site: Site) -> None:
    job = site.submit("sleep", parameters="--name small")
    site.until(job, "RUNNING")
    site.emr().cancel_job_run(applicationId=site.application, jobRunId=job)
    site.until(job, "CANCELLED", seconds=40)
    wait_for(lambda: job not in site.jobs.containers.all(), 60, "no container left")


def test_a_job_without_its_role_does_not_run(site: Site) -> None:
    found = site.until(site.submit("fail", "x", role=ROLE + "-gone"), "FAILED", seconds=30)
    assert "processing-gone is not there" in found["stateDetails"]


def test_another_release_is_refused(site: Site) -> None:
    other = site.emr().create_application(type="Spark", releaseLabel="emr-7.1.0")["applicationId"]
    job = site.submit("fail", "x", application=other)
    wait_for(lambda: site.job(job, other)["state"] == "FAILED", 30, "refusal")
    assert "emr-7.1.0" in site.job(job, other)["stateDetails"]
    assert not site.complaints
