"""EMR Serverless: applications and job runs of the mended emulation; nothing runs a job here."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from botocore.exceptions import ClientError

from rehearsal.accounts import AccountSession
from rehearsal.distribution.release import RELEASE
from rehearsal.jobs import account

ACCOUNT = "111122223333"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/processing"


@pytest.fixture
def site(client, endpoint):
    """An application that was never started."""
    emr = client("emr-serverless")
    made = emr.create_application(
        name="spark",
        type="Spark",
        releaseLabel=RELEASE.label,
        maximumCapacity={"cpu": "4 vCPU", "memory": "16 GB"},
        monitoringConfiguration={"s3MonitoringConfiguration": {"logUri": "s3://logs/emr/"}},
        tags={"Environment": "dev"},
    )
    return SimpleNamespace(
        emr=emr, id=made["applicationId"], arn=made["arn"], session=AccountSession(ACCOUNT, "eu-central-1", endpoint)
    )


def application(site) -> dict:
    return site.emr.get_application(applicationId=site.id)["application"]


def start(site, **changed) -> str:
    arguments = {
        "applicationId": site.id,
        "executionRoleArn": ROLE,
        "jobDriver": {"sparkSubmit": {"entryPoint": "s3://jobs/a.py", "entryPointArguments": ["2013-01-01"]}},
        "tags": {"Run": "1"},
        **changed,
    }
    return site.emr.start_job_run(**arguments)["jobRunId"]


def state(site, job: str) -> str:
    return job_run(site, job)["state"]


def job_run(site, job: str) -> dict:
    return site.emr.get_job_run(applicationId=site.id, jobRunId=job)["jobRun"]


def report(site, job: str, word: str, details: str = "") -> None:
    found = next(one for one in account.active(site.session, [site.id]) if one.job_run_id == job)
    account.report(site.session, found, word, details)


def test_an_application_is_described_as_it_was_made(site):
    """https://docs.aws.amazon.com/emr-serverless/latest/APIReference/API_Application.html"""
    found = application(site)
    assert (found["state"], found["type"], found["releaseLabel"]) == ("CREATED", "Spark", RELEASE.label)
    assert found["architecture"] == "X86_64"
    assert found["monitoringConfiguration"]["s3MonitoringConfiguration"]["logUri"] == "s3://logs/emr/"
    assert found["autoStopConfiguration"] == {"enabled": True, "idleTimeoutMinutes": 15}


def test_a_label_that_does_not_exist_is_refused(site):
    with pytest.raises(ClientError, match="does not exist"):
        site.emr.create_application(type="Spark", releaseLabel="emr-eight")


def test_tags_of_an_application_change(site):
    site.emr.tag_resource(resourceArn=site.arn, tags={"Owner": "platform"})
    site.emr.untag_resource(resourceArn=site.arn, tagKeys=["Environment"])
    assert site.emr.list_tags_for_resource(resourceArn=site.arn)["tags"] == {"Owner": "platform"}


def test_a_started_application_is_neither_changed_nor_deleted(site):
    """https://docs.aws.amazon.com/emr/latest/EMR-Serverless-UserGuide/applications.html"""
    job = start(site)
    assert application(site)["state"] == "STARTED"
    with pytest.raises(ClientError, match="CREATED, STOPPED"):
        site.emr.delete_application(applicationId=site.id)
    with pytest.raises(ClientError, match="not in a final state"):
        site.emr.stop_application(applicationId=site.id)
    report(site, job, "SUCCESS")
    site.emr.stop_application(applicationId=site.id)
    changed = site.emr.update_application(applicationId=site.id, maximumCapacity={"cpu": "8 vCPU", "memory": "32 GB"})
    assert changed["application"]["maximumCapacity"]["cpu"] == "8 vCPU"
    site.emr.delete_application(applicationId=site.id)
    assert application(site)["state"] == "TERMINATED"


def test_a_job_run_waits_for_its_runner_and_follows_it(site):
    """https://docs.aws.amazon.com/emr/latest/EMR-Serverless-UserGuide/job-states.html"""
    job = start(site)
    assert state(site, job) == "SUBMITTED"
    for word in ("PENDING", "SCHEDULED", "RUNNING"):
        report(site, job, word)
        assert state(site, job) == word
    assert "startedAt" in job_run(site, job)
    report(site, job, "FAILED", "ExitCode: 1")
    found = job_run(site, job)
    assert (found["state"], found["stateDetails"]) == ("FAILED", "ExitCode: 1")
    assert found["endedAt"] >= found["startedAt"]
    assert found["executionTimeoutMinutes"] == 720
    assert account.active(site.session, [site.id]) == []


def test_a_repeated_request_starts_no_second_run(site):
    """https://docs.aws.amazon.com/emr-serverless/latest/APIReference/API_StartJobRun.html"""
    token = "7f5bcd9c-0000-4000-8000-000000000001"
    assert start(site, clientToken=token) == start(site, clientToken=token)
    with pytest.raises(ClientError) as refused:
        start(site, clientToken=token, name="another")
    assert refused.value.response["Error"]["Code"] == "ConflictException"
    assert len(site.emr.list_job_runs(applicationId=site.id)["jobRuns"]) == 1


def test_cancelling_is_done_by_the_runner(site):
    waiting, running = start(site), start(site)
    site.emr.cancel_job_run(applicationId=site.id, jobRunId=waiting)
    assert state(site, waiting) == "CANCELLED"
    report(site, running, "RUNNING")
    site.emr.cancel_job_run(applicationId=site.id, jobRunId=running)
    assert state(site, running) == "CANCELLING"
    report(site, running, "RUNNING")
    assert state(site, running) == "CANCELLING"
    report(site, running, "CANCELLED")
    with pytest.raises(ClientError, match="can't be cancelled"):
        site.emr.cancel_job_run(applicationId=site.id, jobRunId=running)


def test_the_runner_learns_what_to_run(site):
    """Monitoring comes from the application where the job says nothing; its own defaults win."""
    defaults = {"classification": "spark-defaults", "properties": {"spark.sql.ansi.enabled": "false"}}
    job = start(site, configurationOverrides={"applicationConfiguration": [defaults]}, executionTimeoutMinutes=30)
    (found,) = account.active(site.session, [site.id])
    assert (found.job_run_id, found.role, found.release) == (job, ROLE, RELEASE.label)
    assert (found.entry_point, found.arguments) == ("s3://jobs/a.py", ("2013-01-01",))
    assert (found.log_uri, found.timeout_minutes) == ("s3://logs/emr/", 30)
    assert found.defaults == {"spark.sql.ansi.enabled": "false"}


def test_another_accounts_role_is_refused(site):
    with pytest.raises(ClientError, match="Cross-account"):
        start(site, executionRoleArn="arn:aws:iam::999900001111:role/processing")
