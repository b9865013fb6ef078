"""A job run becomes a spark-submit with the job's parameters, and its states follow the process."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rehearsal.distribution import spark
from rehearsal.distribution.release import RELEASE
from rehearsal.errors import RehearsalError
from rehearsal.hosts import image
from rehearsal.jobs import account, class_archive, command, reconciler
from rehearsal.jobs.container import State
from rehearsal.jobs.model import Job, read
from tests.support.clock import Clock

ACCOUNT = "111122223333"
ONE = Job(
    account_id=ACCOUNT,
    region="eu-central-1",
    application_id="app1",
    job_run_id="job1",
    state="SUBMITTED",
    release=RELEASE.label,
    role=f"arn:aws:iam::{ACCOUNT}:role/processing",
    entry_point="s3://artifacts/jobs/silver.py",
    arguments=("--day", "2013-01-01"),
    parameters="--conf spark.sql.catalog.glue.warehouse='s3://dl silver/w' --conf spark.executor.memory=14g",
    log_uri="s3://logs/emr-serverless/",
)
KEYS = {"AccessKeyId": "AKIA", "SecretAccessKey": "secret", "SessionToken": "token"}


def test_the_jobs_parameters_come_before_the_caps_and_its_arguments_last() -> None:
    words = command.submit(ONE)
    assert words[0] == "/usr/lib/spark/bin/spark-submit"
    assert words.index("spark.sql.catalog.glue.warehouse=s3://dl silver/w") < words.index("--master")
    assert words[words.index("--driver-memory") + 1] == "1g"
    assert words[-3:] == ["s3://artifacts/jobs/silver.py", "--day", "2013-01-01"]


def test_what_a_job_sets_wins_over_what_the_runner_sets() -> None:
    text = command.properties(replace(ONE, defaults={"spark.sql.shuffle.partitions": "9"}), "http://127.0.0.1:1")
    assert "spark.sql.shuffle.partitions 9\n" in text
    assert "spark.hadoop.fs.s3a.endpoint http://127.0.0.1:1\n" in text


def test_the_driver_acts_as_the_execution_role_and_has_the_jobs_variables() -> None:
    job = replace(ONE, parameters="--conf=spark.emr-serverless.driverEnv.A=1 -c spark.emr-serverless.driverEnv.B=x=y")
    found = command.environment(job, "http://127.0.0.1:1", KEYS)
    assert (found["AWS_SECRET_ACCESS_KEY"], found["A"], found["B"]) == ("secret", "1", "x=y")
    assert "secret" not in " ".join(command.submit(job))


def test_later_jobs_start_from_the_classes_of_the_first(tmp_path: Path) -> None:
    made = spark.Spark(tmp_path / "spark" / "pyspark", tmp_path / "spark" / "iceberg")
    made.home.mkdir(parents=True)
    first = class_archive.use(made, tmp_path / "job1")
    assert first.options.startswith("-XX:ArchiveClassesAtExit=/run/classes/spark.jsa ")
    assert first.volume == f"{tmp_path}/job1/classes:/run/classes"
    class_archive.keep(made, tmp_path / "job1")  # it was killed before it wrote any
    assert not class_archive.path(made).exists()

    older = tmp_path / "spark" / "classes-000000000000.jsa"
    older.touch()
    (tmp_path / "job1" / "classes" / "spark.jsa").write_text("20,000 classes")
    class_archive.keep(made, tmp_path / "job1")
    assert not older.exists()
    second = class_archive.use(made, tmp_path / "job2")
    assert second.options.startswith("-XX:SharedArchiveFile=/run/classes/spark.jsa ")
    assert second.volume == f"{class_archive.path(made)}:/run/classes/spark.jsa:ro"
    assert class_archive.path(made).read_text() == "20,000 classes"
    assert f"-XX:+UseSerialGC {second.options}\n" in command.properties(ONE, "http://127.0.0.1:1", second.options)


def test_a_job_cannot_put_another_file_in_the_place_of_the_classes(tmp_path: Path) -> None:
    made = spark.Spark(tmp_path / "spark" / "pyspark", tmp_path / "spark" / "iceberg")
    made.home.mkdir(parents=True)
    class_archive.use(made, tmp_path / "job1")
    (tmp_path / "job1" / "classes" / "spark.jsa").symlink_to("/etc/hostname")
    class_archive.keep(made, tmp_path / "job1")
    assert not class_archive.path(made).exists()


@pytest.mark.parametrize(("uri", "prefix"), [("s3://logs/emr-serverless/", "emr-serverless/"), ("s3://logs", "")])
def test_logs_lie_where_emr_puts_them(uri: str, prefix: str) -> None:
    bucket, keys = command.log_keys(replace(ONE, log_uri=uri))
    assert bucket == "logs"
    assert keys["stdout"] == f"{prefix}applications/app1/jobs/job1/SPARK_DRIVER/stdout.gz"


def test_a_jobs_own_configuration_wins_over_its_applications() -> None:
    def defaults(value: str) -> dict[str, Any]:
        return {"classification": "spark-defaults", "properties": {"a": value}}

    found = read(
        {
            "applicationId": "app1",
            "jobRunId": "job1",
            "state": "SUBMITTED",
            "jobDriver": {"sparkSubmit": {"entryPoint": "s3://x"}},
            "configurationOverrides": {"applicationConfiguration": [defaults("job")]},
        },
        {
            "runtimeConfiguration": [defaults("application")],
            "monitoringConfiguration": {"s3MonitoringConfiguration": {"logUri": "s3://logs/"}},
        },
        ACCOUNT,
        "eu-central-1",
    )
    assert (found.defaults, found.log_uri) == ({"a": "job"}, "s3://logs/")


class Containers:
    """Writes down what would be done with podman."""

    def __init__(self) -> None:
        self.present: dict[str, State] = {}
        self.calls: list[str] = []
        self.fails = False

    def all(self) -> dict[str, State]:
        return dict(self.present)

    def start(self, job: Job, made: spark.Spark, api: str, credentials: dict[str, str]) -> None:
        self.calls.append(f"start {job.job_run_id}")
        if self.fails:
            raise RehearsalError("no space")
        self.present[job.job_run_id] = State(100, None)

    def keep_classes(self, job_run_id: str, made: spark.Spark) -> None:
        self.calls.append(f"classes {job_run_id}")

    def stop(self, job_run_id: str) -> None:
        self.calls.append(f"stop {job_run_id}")
        self.present[job_run_id] = State(None, 137)

    def remove(self, job_run_id: str) -> None:
        self.calls.append(f"remove {job_run_id}")
        self.present.pop(job_run_id, None)

    def upload_logs(self, job: Job, s3: Any) -> None:
        self.calls.append(f"logs {job.job_run_id}")

    def last_words(self, job_run_id: str) -> str:
        return "ValueError: no flights"


class Session:
    """What is asked of an account's session."""

    api = "http://127.0.0.1:1"

    def client(self, name: str) -> None:
        return None


class Site:
    """The reconciler over a service of plain values."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.jobs = reconciler.Jobs(None, folder, folder)  # type: ignore[arg-type]
        self.containers = self.jobs.containers = Containers()  # type: ignore[assignment]
        self.jobs.build.made = spark.Spark(folder, folder)
        self.runs: dict[str, Job] = {}
        self.details: dict[str, str] = {}
        self.role = True
        monkeypatch.setattr(image, "ready", lambda podman: True)
        monkeypatch.setattr(account, "applications", lambda session: ["app1"] if self.runs else [])
        monkeypatch.setattr(account, "active", lambda session, ids: self.active())
        monkeypatch.setattr(account, "report", self.report)
        monkeypatch.setattr(account, "role_credentials", self.credentials)

    def active(self) -> list[Job]:
        return [job for job in self.runs.values() if job.state not in ("SUCCESS", "FAILED", "CANCELLED")]

    def report(self, session: object, job: Job, state: str, details: str = "") -> None:
        self.runs[job.job_run_id] = replace(self.runs[job.job_run_id], state=state)
        self.details[job.job_run_id] = details

    def credentials(self, session: object, job: Job) -> dict[str, str]:
        if not self.role:
            raise RehearsalError("no such role")
        return KEYS

    def round(self, *jobs: Job, calls: int | None = None) -> list[str]:
        """One round, with these job runs submitted before; what was done with containers in it."""
        self.runs |= {job.job_run_id: job for job in jobs}
        self.containers.calls.clear()
        self.jobs.reconcile({ACCOUNT: Session()}, calls)  # type: ignore[dict-item]
        return list(self.containers.calls)

    def exits(self, job_run_id: str, code: int) -> None:
        self.containers.present[job_run_id] = State(None, code)

    def state(self, job_run_id: str = "job1") -> str:
        return self.runs[job_run_id].state


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    return Site(tmp_path, monkeypatch)


def test_a_job_that_exits_with_0_succeeded_and_its_logs_come_first(site: Site) -> None:
    assert site.round(ONE) == ["start job1"]
    assert site.state() == "RUNNING"
    assert site.round() == []
    site.exits("job1", 0)
    assert site.round() == ["logs job1", "classes job1", "remove job1"]
    assert site.state() == "SUCCESS"
    assert site.round() == []


def test_an_account_without_jobs_is_asked_again_when_it_was_changed(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(account, "applications", lambda session: asked.append("applications") or ["app1"])
    for calls in (6, 7, 7, None):
        site.round(calls=calls)
    assert len(asked) == 3
    assert site.round(ONE, calls=8) == ["start job1"]
    site.exits("job1", 0)  # which no call to the account's API says
    assert site.round(calls=8) == ["logs job1", "classes job1", "remove job1"]


def test_any_other_exit_is_a_failure_with_its_words(site: Site) -> None:
    site.round(ONE)
    site.exits("job1", 1)
    assert site.round() == ["logs job1", "remove job1"]
    assert site.state() == "FAILED"
    assert "ExitCode: 1. Last few exceptions: ValueError: no flights" in site.details["job1"]


def test_a_cancelled_job_is_ended_and_says_so(site: Site) -> None:
    site.round(ONE)
    site.report(None, ONE, "CANCELLING")
    assert site.round() == ["stop job1"]
    assert site.round() == ["logs job1", "remove job1"]
    assert site.state() == "CANCELLED"


def test_a_job_that_takes_too_long_is_cancelled(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock().rule(monkeypatch, reconciler)
    site.round(replace(ONE, timeout_minutes=5))
    clock.now = 301.0
    assert site.round() == ["stop job1"]
    site.round()
    assert site.state() == "CANCELLED"


def test_only_as_many_run_as_there_is_room_for(site: Site) -> None:
    site.round(*(replace(ONE, job_run_id=f"job{n}") for n in range(3)))
    assert [site.state(f"job{n}") for n in range(3)] == ["RUNNING", "RUNNING", "PENDING"]
    site.exits("job0", 0)
    site.round()
    assert site.round() == []
    assert site.state("job2") == "RUNNING"


def test_a_job_waits_for_spark(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(site.jobs.build, "reconcile", lambda: None)
    site.jobs.build.made = None
    assert site.round(ONE) == []
    assert site.state() == "PENDING"


@pytest.mark.parametrize(
    ("changed", "said"),
    [({"release": "emr-7.1.0"}, f"runs {RELEASE.label}"), ({"entry_point": ""}, "sparkSubmit")],
)
def test_what_cannot_run_fails_with_the_reason(site: Site, changed: dict[str, str], said: str) -> None:
    assert site.round(replace(ONE, **changed)) == []  # type: ignore[arg-type]
    assert site.state() == "FAILED"
    assert said in site.details["job1"]


def test_without_its_role_a_job_fails(site: Site) -> None:
    site.role = False
    site.round(ONE)
    assert (site.state(), site.details["job1"]) == ("FAILED", "no such role")


def test_a_job_whose_container_is_gone_is_lost(site: Site) -> None:
    site.round(ONE)
    site.containers.present.clear()
    site.round()
    assert site.state() == "FAILED"


def test_a_container_of_no_job_is_removed(site: Site) -> None:
    site.containers.present["old"] = State(100, None)
    assert site.round() == ["remove old"]


def test_a_driver_that_cannot_start_is_a_problem_and_a_failure(site: Site) -> None:
    site.containers.fails = True
    site.round(ONE)
    assert site.jobs.problems == ["job run job1: no space"]
    assert site.state() == "FAILED"
