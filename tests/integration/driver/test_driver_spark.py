"""A Spark application that Terraform changes or destroys, whatever it is at: AWS takes neither while it is started."""

from __future__ import annotations

import pytest

from driver import spark
from rehearsal.accounts import AccountSession
from rehearsal.jobs import account as jobs
from tests.integration.driver.runner import ACCOUNT, INFRASTRUCTURE

APPLICATION = """
resource "aws_emrserverless_application" "this" {
  name          = "dev-spark"
  release_label = "emr-7.1.0"
  type          = "spark"

  maximum_capacity {
    cpu    = "%s vCPU"
    memory = "64 GB"
  }
}
"""


class Site:
    """DEV of the small platform with an application, as its jobs see it."""

    def __init__(self, run) -> None:
        self.run = run
        self.main = run.project.environment("dev") / "main.tf"
        self.small = self.main.read_text()
        self.size(4)
        run("--yes", *INFRASTRUCTURE)
        self.emr = run.account.client("emr-serverless", ACCOUNT)
        self.id = self.emr.list_applications()["applications"][0]["id"]

    def size(self, vcpu: int) -> None:
        self.main.write_text(self.small + APPLICATION % vcpu)

    def submit(self) -> str:
        driver = {"sparkSubmit": {"entryPoint": "s3://jobs/a.py"}}
        role = f"arn:aws:iam::{ACCOUNT}:role/processing"
        made = self.emr.start_job_run(applicationId=self.id, executionRoleArn=role, jobDriver=driver)
        return made["jobRunId"]

    def end(self, job: str, state: str = "SUCCESS") -> None:
        session = AccountSession(ACCOUNT, "eu-central-1", self.run.account.endpoint)
        jobs.report(session, next(one for one in jobs.active(session, [self.id]) if one.job_run_id == job), state)

    def application(self) -> dict:
        return self.emr.get_application(applicationId=self.id)["application"]

    def state(self, job: str) -> str:
        return self.emr.get_job_run(applicationId=self.id, jobRunId=job)["jobRun"]["state"]


@pytest.fixture
def site(run):
    return Site(run)


def test_it_is_changed_when_its_jobs_have_ended_and_destroyed_with_them(site, monkeypatch):
    """https://docs.aws.amazon.com/emr-serverless/latest/APIReference/API_UpdateApplication.html"""
    job = site.submit()
    site.size(8)
    with monkeypatch.context() as impatient:
        impatient.setattr(spark, "JOBS_PATIENCE", 0.0)
        text = site.run("--yes", *INFRASTRUCTURE, expect=1)
    assert f"these jobs still run: {job}" in text
    assert f"cancel-job-run --application-id {site.id} --job-run-id {job}" in text
    assert (site.state(job), site.application()["state"]) == ("SUBMITTED", "STARTED")

    with monkeypatch.context() as later:
        later.setattr(spark, "_wait", lambda run: site.end(job) if site.state(job) != "SUCCESS" else None)
        text = site.run("--yes", *INFRASTRUCTURE)
    assert "waiting for 1 to end" in text
    assert "1 changed" in text
    assert site.state(job) == "SUCCESS"
    assert site.application()["maximumCapacity"]["cpu"] == "8 vCPU"

    job = site.submit()
    site.run("destroy", "--yes")
    assert (site.state(job), site.application()["state"]) == ("CANCELLED", "TERMINATED")
