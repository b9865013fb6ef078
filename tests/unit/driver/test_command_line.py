"""What can be asked, and what each way of ending looks like from outside."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from driver import cli, verbs
from driver.errors import DriverError, Refused
from driver.target import Aws
from driver.verbs import who_can
from tests.unit.driver.fakes import checkout

ROOT = Path(__file__).resolve().parents[3]


def ended(capsys, project, *arguments: str) -> tuple[int, str]:
    code = cli.entry(["--env", "dev", *arguments], project.root, Example())
    said = capsys.readouterr()
    return code, said.out + said.err


class Example(Aws):
    """AWS, with the example's values, and nobody there."""

    values_name = "terraform.tfvars.example"

    def running(self, env: str) -> bool:
        return False


@pytest.fixture
def project(tmp_path):
    return checkout(tmp_path)


def replaced(monkeypatch, verb: str, work) -> None:
    monkeypatch.setitem(verbs.VERBS, verb, verbs.Verb(work, "", recorded=False))


def test_options_may_stand_anywhere():
    found = cli.options(["certificates", "--env", "dev", "export", "alice", "--to", "/tmp/x"])
    assert (found.verb, found.action, found.user, str(found.to)) == ("certificates", "export", "alice", "/tmp/x")
    assert cli.options(["--env", "dev"]).verb == "apply"
    assert cli.options(["--env", "dev", "--only", "hosts", "--only", "access"]).only == ("hosts", "access")
    assert cli.options(["--env", "dev", "--only", "pipelines"]).only == ("pipelines",)


def test_applying_certificates_is_a_run_like_any_other():
    """With its lock and its record: beside another run it would end that one's playbooks as a killed run's."""
    found = cli.options(["--env", "dev", "certificates", "apply"])
    assert (found.verb, found.only) == ("apply", ("certificates", "access"))


@pytest.mark.parametrize(
    "arguments",
    [
        ["--env", "test"],
        ["plan"],
        ["--env", "dev", "--only", "nothing"],
        ["--env", "dev", "who-can"],
        ["--env", "dev", "plan", "--only", "hosts"],
        ["--env", "dev", "status", "alice"],
        ["--env", "dev", "certificates", "renew"],
        ["--env", "dev", "certificates", "export", "alice"],
        ["--env", "dev", "plan", "--out", "missing/plan"],
        ["--env", "dev", "--reh"],
        ["--env", "dev", "--plan", "dev.tfplan", "--check"],
        ["--env", "dev", "--plan", "dev.tfplan", "--only", "configuration"],
        ["--env", "dev", "--only", "access", "--tags", "nifi"],
        ["--env", "dev", "--only", "access", "--limit", "nifi"],
        ["--env", "dev", "--limit", ""],
    ],
)
def test_nonsense_is_refused_with_code_3(arguments, tmp_path, capsys):
    assert cli.entry(arguments, tmp_path) == 3
    assert "usage" in capsys.readouterr().err


def test_help_teaches(capsys, tmp_path):
    assert cli.entry(["--help"], tmp_path) == 0
    text = capsys.readouterr().out
    for word in (*verbs.VERBS, "examples:", "exit codes: 0 done", "infrastructure", "--only pipelines", "--rehearse"):
        assert word in text


def test_an_expected_error_says_what_to_do(project, capsys, monkeypatch):
    def fail(run) -> int:
        raise DriverError("the disk is full", "make room")

    replaced(monkeypatch, "plan", fail)
    code, text = ended(capsys, project, "plan")
    assert code == 1
    assert "failed: the disk is full\nfix: make room" in text


def test_a_refusal(project, capsys, monkeypatch):
    def refuse(run) -> int:
        raise Refused("not now", "later")

    replaced(monkeypatch, "plan", refuse)
    assert ended(capsys, project, "plan") == (3, "refused: not now\nfix: later\n")


def test_a_defect_goes_to_a_log(project, capsys, monkeypatch):
    def explode(run) -> int:
        run.processes.secrets = ["s3cr3t-value"]
        raise KeyError("s3cr3t-value")

    replaced(monkeypatch, "plan", explode)
    code, text = ended(capsys, project, "plan")
    assert code == 1
    assert "unexpected: KeyError" in text
    assert "s3cr3t-value" not in text
    (log,) = project.runs("dev").glob("*/error.log")
    assert "Traceback" in log.read_text()
    assert "s3cr3t-value" not in log.read_text()


def test_an_interruption(project, capsys, monkeypatch):
    def stop(run) -> int:
        raise KeyboardInterrupt

    replaced(monkeypatch, "plan", stop)
    code, text = ended(capsys, project, "plan")
    assert code == 130
    assert "run the same command again" in text


def test_an_interruption_is_no_error_to_go_on_from(project, capsys, monkeypatch):
    """Verbs that tell what they can, whatever fails, do not tell that somebody pressed Ctrl-C."""

    def look(run) -> int:
        with contextlib.suppress(DriverError):
            signal.raise_signal(signal.SIGINT)
        return 0

    replaced(monkeypatch, "status", look)
    code, text = ended(capsys, project, "status")
    assert code == 130
    assert "stopped: interrupted" in text


def test_the_heartbeat_tells_where_a_run_is(project, capsys, monkeypatch):
    seen = []

    def work(run) -> int:
        with run.stage("hosts"):
            seen.append(json.loads((project.runs("dev") / "current.json").read_text()))
        return 0

    replaced(monkeypatch, "plan", work)
    ended(capsys, project, "plan")
    assert (seen[0]["pid"], seen[0]["verb"], seen[0]["stage"]) == (os.getpid(), "plan", "hosts")
    last = json.loads((project.runs("dev") / "current.json").read_text())
    assert (last["stage"], last["exit_code"]) == (None, 0)


def test_missing_terraform(project, capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    code, text = ended(capsys, project, "plan")
    assert code == 3
    assert "terraform is not on the PATH" in text
    assert "install terraform 1.11.1 or newer" in text


def test_an_old_terraform(project, capsys, monkeypatch, tmp_path):
    tool = tmp_path / "bin" / "terraform"
    tool.parent.mkdir()
    tool.write_text('#!/bin/sh\necho \'{"terraform_version": "1.9.8"}\'\n')
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tool.parent}:{os.environ['PATH']}")
    code, text = ended(capsys, project, "plan")
    assert code == 3
    assert "terraform 1.9.8 is too old" in text


def test_missing_values_are_refused_before_anything_else(project, capsys):
    code = cli.entry(["--env", "dev"], project.root, Aws())
    text = capsys.readouterr().out
    assert code == 3
    assert "terraform.tfvars: is missing; copy" in text


def test_who_can(project, capsys):
    code, text = ended(capsys, project, "who-can", "alice")
    assert code == 0
    assert (
        "rule 3 of access.yml matches (organization = Platform, organizational_unit = DataEng): role engineer" in text
    )
    assert "read/write  /process-groups/root" in text
    assert "Airflow: User" in text


@pytest.mark.parametrize(
    ("dn", "role"),
    [
        ("CN=eve,OU=Audit,O=Platform", "viewer"),
        ("CN=root,OU=PlatformAdmins,O=Platform", "admin"),
        ("O=Platform,OU=PlatformAdmins,CN=root", None),  # another order is another name
        ("CN=eve,OU=dataeng,O=Platform", None),
        ("CN=edge,OU=Platform-Proxies,O=Platform", None),
    ],
)
def test_who_can_with_any_dn(project, capsys, dn, role):
    code, text = ended(capsys, project, "who-can", dn, "--json")
    assert code == 0
    assert json.loads(text)["role"] == role


def test_who_can_of_an_unknown_user(project, capsys):
    code, text = ended(capsys, project, "who-can", "nobody")
    assert code == 1
    assert "nobody has no request in cert-requests/dev (there are: airflow, alice, bob, flights-producer)" in text


def test_who_can_explains_where_nothing_matches():
    found = {"user": None, "dn": "CN=x", "revoked": False, "rule": None, "role": None, "nifi": [], "airflow": []}

    class Declared:
        name = "dev"

    assert "no role, no access" in who_can.lines(Declared, found)[-1]  # type: ignore[arg-type]


def test_the_shim_finds_the_projects_python(tmp_path):
    """Started by a Python without the dependencies, it goes on in the project's own."""
    done = subprocess.run(
        [sys.executable, "-S", "-E", str(ROOT / "runner.py"), "--help"], capture_output=True, text=True, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert "examples:" in done.stdout


def test_the_shim_says_how_to_get_one(tmp_path):
    (tmp_path / "runner.py").write_text((ROOT / "runner.py").read_text())
    done = subprocess.run(
        [sys.executable, "-S", "-E", str(tmp_path / "runner.py"), "--env", "dev"], capture_output=True, text=True
    )
    assert done.returncode == 3
    assert "make setup" in done.stderr
