"""How a job run becomes a spark-submit: its command, its Spark properties and its environment."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from itertools import pairwise
from urllib.parse import urlsplit

from rehearsal.jobs.model import Job

HOME = "/usr/lib/spark"
"""Spark's place on EMR's images."""
ICEBERG = "/usr/share/aws/iceberg/lib"
"""The place of Iceberg's runtime there; jobs name the file in `spark.jars`."""
CONFIGURATION = "/run/job"
PROPERTIES, NOTHING = "spark.properties", "nothing"
"""In it: a file and an empty folder. Spark's SPARK_CONF_DIR is on the class path, where an archive of classes allows
no folder with files."""
PYTHON = "/usr/bin/python3"
DRIVER_ENVIRONMENT = "spark.emr-serverless.driverEnv."
CAPS = ("--master", "local[2]", "--driver-memory", "1g", "--conf", "spark.ui.enabled=false")
"""A worker's cores and memory are what the machine can give; the last word, whatever a job asks for."""


def submit(job: Job) -> list[str]:
    """The command. What spark-submit reads last wins, and all that stands before the entry point is for it."""
    options = ["--properties-file", f"{CONFIGURATION}/{PROPERTIES}", *shlex.split(job.parameters), *CAPS]
    return [f"{HOME}/bin/spark-submit", *options, job.entry_point, *job.arguments]


def properties(job: Job, api: str, java_options: str = "") -> str:
    """Spark's defaults: EMR's own, as far as they matter here, and those of application and job.

    `api` is the account's API, `java_options` are more of the driver's. EMR reads `s3://` by itself; here S3A does.
    """
    own = {
        "spark.hadoop.fs.s3.impl": "org.apache.hadoop.fs.s3a.S3AFileSystem",
        "spark.hadoop.fs.AbstractFileSystem.s3.impl": "org.apache.hadoop.fs.s3a.S3A",
        "spark.hadoop.fs.s3a.endpoint": api,
        "spark.hadoop.fs.s3a.endpoint.region": job.region,
        "spark.hadoop.fs.s3a.path.style.access": "true",
        "spark.hadoop.fs.s3a.downgrade.syncable.exceptions": "true",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        # Jobs end before code that is compiled once more pays.
        "spark.driver.extraJavaOptions": f"-XX:TieredStopAtLevel=1 -XX:+UseSerialGC {java_options}".rstrip(),
        # by default hive-jackson/*, which is below the working folder and names nothing
        "spark.driver.defaultExtraClassPath": "",
        "spark.sql.shuffle.partitions": "4",
        "spark.ui.showConsoleProgress": "false",
    }
    merged = own | dict(job.defaults)
    return "".join(f"{name} {value}\n" for name, value in sorted(merged.items()))


def environment(job: Job, api: str, credentials: Mapping[str, str]) -> dict[str, str]:
    """Variables of the driver: the execution role's credentials, the account's API, and what the job sets."""
    own = {
        "AWS_ACCESS_KEY_ID": credentials["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": credentials["SecretAccessKey"],
        "AWS_SESSION_TOKEN": credentials["SessionToken"],
        "AWS_ENDPOINT_URL": api,
        "AWS_REGION": job.region,
        "AWS_DEFAULT_REGION": job.region,
        "AWS_EC2_METADATA_DISABLED": "true",
        "HOME": "/tmp",  # noqa: S108 - the container's own
        "PYSPARK_PYTHON": PYTHON,
        "SPARK_HOME": HOME,
        "SPARK_CONF_DIR": f"{CONFIGURATION}/{NOTHING}",
        "SPARK_LOCAL_IP": "127.0.0.1",
    }
    given = dict(job.defaults) | configured(shlex.split(job.parameters))
    return own | {
        name.removeprefix(DRIVER_ENVIRONMENT): value
        for name, value in given.items()
        if name.startswith(DRIVER_ENVIRONMENT)
    }


def configured(words: Sequence[str]) -> dict[str, str]:
    """Spark properties that `--conf` options set."""
    pairs = [follower for word, follower in pairwise(words) if word in ("--conf", "-c")]
    pairs += [word.removeprefix("--conf=") for word in words if word.startswith("--conf=")]
    return {name: value for name, _, value in (pair.partition("=") for pair in pairs)}


def log_keys(job: Job) -> tuple[str, dict[str, str]]:
    """Bucket, and stream → key of the driver's logs.

    Source: https://docs.aws.amazon.com/emr/latest/EMR-Serverless-UserGuide/logging.html
    """
    where = urlsplit(job.log_uri)
    prefix = where.path.strip("/")
    folder = f"{prefix}/" if prefix else ""
    folder += f"applications/{job.application_id}/jobs/{job.job_run_id}/SPARK_DRIVER"
    return where.netloc, {stream: f"{folder}/{stream}.gz" for stream in ("stdout", "stderr")}
