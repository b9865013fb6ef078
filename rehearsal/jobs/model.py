"""What the emulated EMR Serverless says about job runs, as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

PREFIX = "rehearsal-job-"
"""Of the containers' names."""
ACTIVE = ("SUBMITTED", "PENDING", "SCHEDULED", "RUNNING", "CANCELLING")


@dataclass(frozen=True)
class Job:
    """A job run. `defaults` are Spark properties of application and job, the job's own winning."""

    account_id: str
    region: str
    application_id: str
    job_run_id: str
    state: str
    release: str = ""
    role: str = ""
    entry_point: str = ""
    arguments: tuple[str, ...] = ()
    parameters: str = ""
    defaults: Mapping[str, str] = field(default_factory=dict)
    log_uri: str = ""
    timeout_minutes: int = 720

    @property
    def container(self) -> str:
        """Name of its container."""
        return PREFIX + self.job_run_id


def read(found: Mapping[str, Any], application: Mapping[str, Any], account_id: str, region: str) -> Job:
    """A job run as GetJobRun and GetApplication describe it.

    What a job says itself goes before what its application says:
    https://docs.aws.amazon.com/emr/latest/EMR-Serverless-UserGuide/default-configs.html
    """
    driver = (found.get("jobDriver") or {}).get("sparkSubmit") or {}
    overrides = found.get("configurationOverrides") or {}
    configurations = [*application.get("runtimeConfiguration", []), *overrides.get("applicationConfiguration", [])]
    defaults: dict[str, str] = {}
    for one in configurations:
        if one.get("classification") == "spark-defaults":
            defaults |= one.get("properties") or {}
    monitoring = {
        **(application.get("monitoringConfiguration") or {}),
        **(overrides.get("monitoringConfiguration") or {}),
    }
    return Job(
        account_id=account_id,
        region=region,
        application_id=found["applicationId"],
        job_run_id=found["jobRunId"],
        state=found["state"],
        release=found.get("releaseLabel", ""),
        role=found.get("executionRole", ""),
        entry_point=driver.get("entryPoint", ""),
        arguments=tuple(driver.get("entryPointArguments") or ()),
        parameters=driver.get("sparkSubmitParameters") or "",
        defaults=defaults,
        log_uri=(monitoring.get("s3MonitoringConfiguration") or {}).get("logUri", ""),
        timeout_minutes=int(found.get("executionTimeoutMinutes") or 0),
    )
