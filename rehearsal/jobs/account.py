"""Reads an account's job runs through its API, and says there what became of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError
from botocore.httpsession import URLLib3Session

from rehearsal.accounts import AccountSession
from rehearsal.errors import RehearsalError
from rehearsal.jobs.model import ACTIVE, Job, read

SERVICE = "emr-serverless"


def applications(session: AccountSession) -> list[str]:
    """Ids of the account's applications."""
    found = session.client(SERVICE).list_applications()["applications"]
    return [item["id"] for item in found if item["state"] != "TERMINATED"]


def active(session: AccountSession, application_ids: list[str]) -> list[Job]:
    """The job runs that are not ended, the oldest first."""
    emr = session.client(SERVICE)
    found: list[tuple[Any, Job]] = []
    for application_id in application_ids:
        listed = emr.list_job_runs(applicationId=application_id, states=list(ACTIVE))["jobRuns"]
        if not listed:
            continue
        application = emr.get_application(applicationId=application_id)["application"]
        for item in listed:
            described = emr.get_job_run(applicationId=application_id, jobRunId=item["id"])["jobRun"]
            job = read(described, application, session.account_id, session.region)
            found.append((described["createdAt"], job))
    return [job for _, job in sorted(found, key=lambda pair: (pair[0], pair[1].job_run_id))]


def report(session: AccountSession, job: Job, state: str, details: str = "") -> None:
    """Note a job run's state. AWS has no such call: the emulated service takes it below the job run's own address."""
    keys = session.credentials()
    request = AWSRequest(
        "POST",
        f"{session.api}/applications/{job.application_id}/jobruns/{job.job_run_id}/report",
        headers={"Content-Type": "application/json"},
        data=json.dumps({"state": state, "details": details}).encode(),
    )
    credentials = Credentials(keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"])
    SigV4Auth(credentials, SERVICE, session.region).add_auth(request)
    answer = URLLib3Session(proxies={}, timeout=10).send(request.prepare())
    if answer.status_code != 200:
        raise RehearsalError(f"{job.job_run_id}: its state was not taken: {answer.status_code} {answer.text}")


def role_credentials(session: AccountSession, job: Job) -> Mapping[str, str]:
    """Credentials of the job's execution role. Raises RehearsalError when there is no such role."""
    name = job.role.rsplit("/", 1)[-1]
    try:
        session.client("iam").get_role(RoleName=name)
    except ClientError as problem:
        raise RehearsalError(f"the execution role {job.role} is not there: {problem}") from None
    answer = session.client("sts").assume_role(RoleArn=job.role, RoleSessionName=job.job_run_id)
    return dict(answer["Credentials"])
