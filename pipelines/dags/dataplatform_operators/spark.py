"""Spark jobs on EMR Serverless. Only parameters differ between environments."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

from airflow.providers.amazon.aws.operators.emr import EmrServerlessStartJobOperator

from dataplatform_operators.settings import Settings

POLL_SECONDS = 3
ATTEMPTS = 3600 // POLL_SECONDS
"""An hour for one job."""
CATALOG = "spark.sql.catalog.glue"


def configuration(settings: Settings, layer: str) -> dict[str, str]:
    """Spark's own settings. New tables get their place in the layer's warehouse."""
    return {
        "spark.jars": settings.iceberg_jar,
        # Tables are in the catalog below. EMR's own looks for a database `default`, and makes it where there is none.
        "spark.sql.catalogImplementation": "in-memory",
        "spark.sql.extensions": "org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions",
        CATALOG: "org.apache.iceberg.spark.SparkCatalog",
        f"{CATALOG}.type": "glue",
        f"{CATALOG}.io-impl": "org.apache.iceberg.aws.s3.S3FileIO",
        f"{CATALOG}.warehouse": settings.gold_warehouse if layer == "gold" else settings.silver_warehouse,
        # One listing of a folder and all below it, which Spark by itself knows for s3a:// only.
        "spark.sql.sources.useListFilesFileSystemList": "s3,s3a",
        # What a job keeps in memory it reads twice or thrice: compressing it takes longer.
        "spark.sql.inMemoryColumnarStorage.compressed": "false",
        "spark.emr-serverless.driverEnv.PYSPARK_PYTHON": settings.python,
        "spark.executorEnv.PYSPARK_PYTHON": settings.python,
    }


def submission(settings: Settings, job: str, layer: str, arguments: list[Any]) -> dict[str, Any]:
    """EMR Serverless' job driver for `JOB.py`, whose helper lies beside it."""
    options = ["--py-files", f"{settings.jobs_uri}/lake.py"]
    for key, value in configuration(settings, layer).items():
        options += ["--conf", f"{key}={value}"]
    return {
        "sparkSubmit": {
            "entryPoint": f"{settings.jobs_uri}/{job}.py",
            "entryPointArguments": ["--env", settings.env, *arguments],
            "sparkSubmitParameters": shlex.join(options),
        }
    }


def spark_job(
    settings: Settings,
    job: str,
    *,
    task_id: str,
    layer: str,
    arguments: list[Any],
    more: Mapping[str, Any] | None = None,
) -> EmrServerlessStartJobOperator:
    """A task that submits the job and waits for it without a worker.

    Its log, with the reason when it fails, is below the environment's `logs_uri`; the task shows the link.
    """
    return EmrServerlessStartJobOperator(
        task_id=task_id,
        name=f"{settings.env}-{task_id}",
        application_id=settings.application_id,
        execution_role_arn=settings.execution_role_arn,
        job_driver=submission(settings, job, layer, arguments),
        configuration_overrides={
            "monitoringConfiguration": {"s3MonitoringConfiguration": {"logUri": settings.logs_uri}}
        },
        aws_conn_id=None,
        region_name=settings.region,
        deferrable=True,
        waiter_delay=POLL_SECONDS,
        waiter_max_attempts=ATTEMPTS,
        **(more or {}),
    )
