"""The way to gold against the raw tools, on what the last verified run did.

NiFi's landing of files against uploads of the same files by s3transfer, the library beneath `aws s3 cp`, with its
defaults; and a Spark job of the pipeline against the same job run bare. The goals are this file's own.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import boto3
from boto3.s3.transfer import TransferConfig, create_transfer_manager

from benchmarks.measure import ROOT, Result, seconds, timed
from benchmarks.noop import environment
from rehearsal.distribution import spark
from rehearsal.jobs import command, model

LANDING_GOAL, SPARK_GOAL = 10, 1.5
JOB = "bronze_to_silver"
COPIES = "benchmarks/landing/"


def run() -> list[Result]:
    env = environment()
    session = boto3.Session(
        env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"], env.get("AWS_SESSION_TOKEN"), env["AWS_REGION"]
    )
    clients = {
        name: session.client(name, endpoint_url=env["AWS_ENDPOINT_URL"]) for name in ("s3", "ssm", "emr-serverless")
    }
    found = clients["ssm"].get_parameter(Name="/dataplatform/dev/platform")
    platform = json.loads(found["Parameter"]["Value"])
    return [_landing(clients["s3"], platform["buckets"]), _spark(clients["emr-serverless"], platform, env)]


def _landing(s3: Any, buckets: Mapping[str, str]) -> Result:
    """From the first file in bronze to the last (S3 notes whole seconds) against writing the same bytes."""
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=buckets["bronze"], Prefix="flights/")
    landed = [entry for page in pages for entry in page.get("Contents", [])]
    moments = sorted(entry["LastModified"] for entry in landed)
    ours = (moments[-1] - moments[0]).total_seconds() + 1
    size = sum(entry["Size"] for entry in landed) / 1e6
    with tempfile.TemporaryDirectory() as folder:
        files = []
        for number, entry in enumerate(landed):
            files.append(Path(folder) / str(number))
            s3.download_file(buckets["bronze"], entry["Key"], str(files[-1]))
        raw = timed(lambda: _copy(s3, buckets["artifacts"], files))
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=buckets["artifacts"], Prefix=COPIES):
        s3.delete_objects(
            Bucket=buckets["artifacts"], Delete={"Objects": [{"Key": entry["Key"]} for entry in page["Contents"]]}
        )
    note = f"{size / ours:.2f} MB/s / {size / raw:.2f} MB/s, {len(landed)} files"
    return Result("files into bronze: NiFi / s3transfer", ours / raw, LANDING_GOAL, "x", note)


def _copy(s3: Any, bucket: str, files: list[Path]) -> None:
    with create_transfer_manager(s3, TransferConfig()) as manager:
        for future in [manager.upload(str(file), bucket, COPIES + file.name) for file in files]:
            future.result()


def _spark(emr: Any, platform: Mapping[str, Any], env: Mapping[str, str]) -> Result:
    """The last such job of the pipeline, from its start to its end, against its spark-submit alone."""
    application_id = platform["processing"]["application_id"]
    application = emr.get_application(applicationId=application_id)["application"]
    runs = emr.list_job_runs(applicationId=application_id, states=["SUCCESS"])["jobRuns"]
    newest = max((one for one in runs if JOB in one.get("name", "")), key=lambda one: one["createdAt"])
    described = emr.get_job_run(applicationId=application_id, jobRunId=newest["id"])["jobRun"]
    ours = (described["updatedAt"] - described["createdAt"]).total_seconds()
    raw = _bare(model.read(described, application, platform["account_id"], platform["region"]), env)
    return Result(
        f"Spark job {JOB}: of the pipeline / bare", ours / raw, SPARK_GOAL, "x", f"{ours:.0f} s / {raw:.0f} s"
    )


def _bare(job: model.Job, env: Mapping[str, str]) -> float:
    """Run the job's own command with the same Spark, without container, account and supervisor around it."""
    made = spark.build(ROOT / ".cache")
    keys = {
        "AccessKeyId": "AWS_ACCESS_KEY_ID",
        "SecretAccessKey": "AWS_SECRET_ACCESS_KEY",
        "SessionToken": "AWS_SESSION_TOKEN",
    }
    variables = command.environment(job, env["AWS_ENDPOINT_URL"], {name: env[key] for name, key in keys.items()})
    here = {command.HOME: str(made.home), command.ICEBERG: str(made.iceberg)}

    def local(text: str) -> str:
        for place, path in here.items():
            text = text.replace(place, path)
        return text

    with tempfile.TemporaryDirectory() as folder:
        here[command.CONFIGURATION] = folder
        (Path(folder) / command.PROPERTIES).write_text(local(command.properties(job, env["AWS_ENDPOINT_URL"])))
        own = {"HOME": folder, "SPARK_HOME": str(made.home), "SPARK_CONF_DIR": folder, "PYSPARK_PYTHON": sys.executable}
        return seconds([local(word) for word in command.submit(job)], {**os.environ, **variables, **own})
