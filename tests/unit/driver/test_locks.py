"""One run at a time, here and anywhere; a dead run's lock is nobody's."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
from datetime import UTC, datetime, timedelta
from getpass import getuser

import pytest

from driver import leftovers, lock, record
from driver.errors import Refused
from driver.process import MARK, Processes
from driver.project import Project
from tests.support.rehearsal import wait_for
from tests.unit.driver.fakes import view

KEY, COMMAND = "dev/terraform.tfstate", "python runner.py --env dev --rehearse"


class Bucket:
    """The state bucket with a lock in it."""

    endpoint = "http://127.0.0.1:4566"

    def __init__(self, **lock_values: str) -> None:
        created = datetime.now(UTC).isoformat().replace("+00:00", "Z")
        values = {"ID": "1234", "Operation": "OperationTypeApply", "Who": "eve@elsewhere", "Created": created}
        self.body: bytes | None = json.dumps({**values, **lock_values}).encode()

    def object(self, bucket: str, key: str) -> bytes | None:
        assert key == f"{KEY}.tflock"
        return self.body

    def delete_object(self, bucket: str, key: str) -> None:
        self.body = None


@pytest.fixture
def project(tmp_path):
    return Project(tmp_path)


def check(bucket: Bucket, project: Project) -> str:
    progress, text = view()
    lock.check_state(bucket, project, "dev", "states", KEY, progress, COMMAND)  # type: ignore[arg-type]
    return text.getvalue()


def ours() -> str:
    return f"{getuser()}@{socket.gethostname()}"


def note(project: Project, started: datetime) -> None:
    project.runs("dev").mkdir(parents=True)
    stamp = started.isoformat().replace("+00:00", "Z")
    (project.runs("dev") / "terraform.json").write_text(json.dumps({"run": "x", "started": stamp}))


@pytest.fixture(autouse=True)
def no_terraform(monkeypatch):
    """Whatever else this machine does at the moment."""
    monkeypatch.setattr(leftovers, "named", lambda name: {})


def test_a_second_run_is_refused(project):
    with lock.exclusive(project, "dev"):
        stage = {"pid": 17, "verb": "apply", "stage": "hosts", "stage_started": "2026-01-01T00:00:00Z"}
        (project.runs("dev") / "current.json").write_text(json.dumps(stage))
        with (
            pytest.raises(Refused, match=r"process 17 \(apply\), in stage hosts"),
            lock.exclusive(project, "dev"),
        ):
            pass
        with lock.exclusive(project, "ppd"):
            pass
    with lock.exclusive(project, "dev"):
        pass


@pytest.fixture
def program(project):
    """A program of a run, which is not ended when its run is: its run's folder and itself."""
    folder = project.runs("dev") / "20260101"
    folder.mkdir(parents=True)
    started = subprocess.Popen(["sleep", "600"], env={**os.environ, MARK: str(folder)})
    yield folder, started
    started.kill()
    started.wait()


def test_programs_of_a_killed_run_are_ended_and_those_of_one_that_goes_on_are_not(project, program):
    folder, started = program
    with record.alive(folder):
        lock.settle_leftovers(project, "dev", Processes({}), view()[0])
        assert started.poll() is None
    lock.settle_leftovers(project, "dev", Processes({}), view()[0])
    assert started.wait(10) == -signal.SIGTERM


def test_what_a_working_terraform_has_started_is_left_to_it(project, monkeypatch):
    """A provisioner's or plugin's process can have the lower number: numbers wrap around."""
    folder = project.runs("dev") / "20260101"
    folder.mkdir(parents=True)
    everything = leftovers.find
    monkeypatch.setattr(leftovers, "find", lambda runs: sorted(everything(runs), key=lambda found: found.terraform))
    provisioner = ["terraform", "-c", "sleep 10; echo $?"]
    terraform = subprocess.Popen(
        provisioner, executable="/bin/bash", env={**os.environ, MARK: str(folder)}, stdout=subprocess.PIPE, text=True
    )
    wait_for(lambda: len(everything(project.runs("dev"))) == 2, 10, "the provisioner's program")
    progress, text = view()
    lock.settle_leftovers(project, "dev", Processes({}), progress)
    assert "still works: waiting" in text.getvalue()
    assert terraform.communicate()[0] == "0\n"


def test_a_free_state(project):
    bucket = Bucket()
    bucket.body = None
    assert check(bucket, project) == ""


def test_somebody_elses_lock_is_named(project):
    note(project, datetime.now(UTC) - timedelta(minutes=1))
    bucket = Bucket(Created="2026-01-02T03:04:05.123456789Z")
    with pytest.raises(Refused) as error:
        check(bucket, project)
    assert "locked by eve@elsewhere (apply) since 2026-01-02 03:04:05 UTC" in error.value.message
    assert f'eval "$({COMMAND} environment)"' in error.value.fix
    assert "force-unlock 1234" in error.value.fix
    assert bucket.body


def test_the_lock_of_a_killed_run_is_released(project):
    note(project, datetime.now(UTC) - timedelta(minutes=1))
    bucket = Bucket(Who=ours())
    assert "released the state lock of a run that was killed here" in check(bucket, project)
    assert bucket.body is None


def test_a_lock_from_before_the_killed_run_is_not_its_own(project):
    note(project, datetime.now(UTC) + timedelta(minutes=1))
    with pytest.raises(Refused):
        check(Bucket(Who=ours()), project)


def test_without_a_killed_run_a_lock_of_this_machine_is_another_checkouts(project):
    with pytest.raises(Refused):
        check(Bucket(Who=ours()), project)


@pytest.mark.parametrize(
    ("folder", "endpoint", "free"),
    [
        ("environments/dev", "http://127.0.0.1:4566", False),
        ("environments/ppd", "http://127.0.0.1:4566", True),
        ("environments/dev", "http://127.0.0.1:5000", True),
        ("environments/dev", None, True),
    ],
)
def test_while_a_terraform_works_on_that_state_its_lock_stays(project, monkeypatch, folder, endpoint, free):
    note(project, datetime.now(UTC) - timedelta(minutes=1))
    monkeypatch.setattr(leftovers, "named", lambda name: {4711: ["terraform", f"-chdir=/elsewhere/terraform/{folder}"]})
    monkeypatch.setattr(leftovers, "variable", lambda pid, name: endpoint)
    bucket = Bucket(Who=ours())
    if free:
        check(bucket, project)
        return
    with pytest.raises(Refused):
        check(bucket, project)


def test_a_terraform_that_somebody_runs_by_hand_keeps_its_lock(project, monkeypatch, tmp_path):
    note(project, datetime.now(UTC) - timedelta(minutes=1))
    place = tmp_path / "elsewhere" / "environments" / "dev"
    place.mkdir(parents=True)
    by_hand = subprocess.Popen(["sleep", "600"], cwd=place)
    monkeypatch.setattr(leftovers, "named", lambda name: {by_hand.pid: ["terraform", "apply"]})
    monkeypatch.setattr(leftovers, "variable", lambda pid, name: Bucket.endpoint)
    try:
        with pytest.raises(Refused):
            check(Bucket(Who=ours()), project)
    finally:
        by_hand.kill()
        by_hand.wait()


def test_a_lock_that_cannot_be_read_is_held(project):
    bucket = Bucket()
    bucket.body = b"not json"
    with pytest.raises(Refused, match="somebody"):
        check(bucket, project)
