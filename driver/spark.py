"""EMR Serverless changes or deletes an application only when it is stopped, and stops one only when no job runs.

Sources: https://docs.aws.amazon.com/emr-serverless/latest/APIReference/API_UpdateApplication.html,
https://docs.aws.amazon.com/emr-serverless/latest/APIReference/API_StopApplication.html
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping
from typing import Any

from driver.aws import answering
from driver.errors import DriverError
from driver.run import Run
from driver.terraform_events import Outcome

TYPE = "aws_emrserverless_application"
JOBS_PATIENCE = 1800.0  # seconds until running jobs have ended by themselves
STOP_PATIENCE = 300.0  # seconds until an application without jobs has stopped
LOOK = 2.0
WORKING = ["SUBMITTED", "PENDING", "QUEUED", "SCHEDULED", "RUNNING"]
STOPPED = ("CREATED", "STOPPED", "TERMINATED")


def touched(outcome: Outcome) -> bool:
    """Whether a plan changes, replaces or deletes an application. (To read the plan file itself takes seconds.)"""
    return any(TYPE in address.split(".") and action != "create" for address, action in outcome.planned)


def applications(plan: Mapping[str, Any]) -> list[str]:
    """Ids of the applications that a plan, as JSON, changes, replaces or deletes."""
    return [
        str(entry["change"]["before"]["id"])
        for entry in plan.get("resource_changes", [])
        if entry["type"] == TYPE and {"update", "delete"} & set(entry["change"]["actions"])
    ]


def stop(run: Run, identifier: str, cancel: bool = False) -> None:
    """Have an application stopped; it starts by itself with the next job.

    :param cancel: end its jobs; else they are waited for
    :raises DriverError: jobs still run, or it does not stop
    """
    client: Any = run.account.client("emr-serverless")
    with answering(f"the Spark application {identifier} of {run.env}"):
        try:
            if not _stopped(client, identifier):
                if not cancel:
                    _wait_for_jobs(run, client, identifier)
                _stop(run, client, identifier, cancel)
        except client.exceptions.ResourceNotFoundException:
            return


def _stopped(client: Any, identifier: str) -> bool:
    return client.get_application(applicationId=identifier)["application"]["state"] in STOPPED


def _jobs(client: Any, identifier: str) -> list[str]:
    """Ids of the jobs that have not ended."""
    pages = client.get_paginator("list_job_runs").paginate(applicationId=identifier, states=WORKING)
    return [job["id"] for page in pages for job in page["jobRuns"]]


def _wait_for_jobs(run: Run, client: Any, identifier: str) -> None:
    deadline = time.monotonic() + JOBS_PATIENCE
    said = 0
    while jobs := _jobs(client, identifier):
        if len(jobs) != said:
            said = len(jobs)
            run.progress.note(f"Spark is changed when no job runs: waiting for {said} to end")
        if time.monotonic() > deadline:
            raise DriverError(
                f"the Spark application {identifier} is to be changed, but after {JOBS_PATIENCE / 60:.0f} min "
                f"these jobs still run: {', '.join(jobs)}",
                "wait until they have ended (pause their DAG meanwhile) and run the same command again, or end one: "
                f"aws emr-serverless cancel-job-run --application-id {identifier} --job-run-id {jobs[0]}",
            )
        _wait(run)


def _stop(run: Run, client: Any, identifier: str, cancel: bool) -> None:
    deadline = time.monotonic() + STOP_PATIENCE
    while not _stopped(client, identifier):
        for job in _jobs(client, identifier) if cancel else []:
            with contextlib.suppress(client.exceptions.ValidationException):  # it has ended meanwhile
                client.cancel_job_run(applicationId=identifier, jobRunId=job)
        if time.monotonic() > deadline:
            raise DriverError(
                f"the Spark application {identifier} did not stop within {STOP_PATIENCE:.0f} s",
                f"see why: aws emr-serverless list-job-runs --application-id {identifier}",
            )
        with contextlib.suppress(client.exceptions.ValidationException):  # a job that is being cancelled still runs
            client.stop_application(applicationId=identifier)
        _wait(run)


def _wait(run: Run) -> None:
    run.processes.check_interrupted()
    time.sleep(LOOK)
