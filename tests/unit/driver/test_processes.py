"""Programs get no more than they need, survive when they must, and hear of signals."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from driver import leftovers, process
from driver.errors import DriverError, Interrupted
from driver.process import Processes

ROOT = Path(__file__).resolve().parents[3]


def wait_for(condition, timeout: float = 10.0):
    deadline = time.monotonic() + timeout
    while not (value := condition()):
        assert time.monotonic() < deadline, "not in time"
        time.sleep(0.05)
    return value


def test_only_what_is_needed_is_inherited(monkeypatch):
    monkeypatch.setenv("TF_VAR_domain", "stray")
    monkeypatch.setenv("ANSIBLE_VAULT_PASSWORD", "secret-of-another-tool")
    monkeypatch.setenv("AWS_PROFILE", "mine")
    done = Processes({"EXTRA": "1"}).capture(["env"])
    assert "EXTRA=1" in done.stdout
    assert "PATH=" in done.stdout
    assert "AWS_PROFILE=mine" in done.stdout
    assert "TF_VAR_domain" not in done.stdout
    assert "ANSIBLE_VAULT" not in done.stdout


def test_credentials_of_two_accounts_do_not_mix(monkeypatch):
    monkeypatch.setenv("AWS_PROFILE", "mine")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "of-the-profile")
    found = process.child_environment({"AWS_ACCESS_KEY_ID": "theirs", "AWS_SECRET_ACCESS_KEY": "x"})
    assert "AWS_PROFILE" not in found
    assert "AWS_SESSION_TOKEN" not in found


def test_the_index_that_pip_uses_reaches_who_builds_the_wheels_and_its_password_nobody_else(monkeypatch):
    monkeypatch.setenv("PIP_INDEX_URL", "https://reader:not-for-logs@index.example.com/simple")
    processes = Processes({})
    assert "PIP_INDEX_URL=https://reader:not-for-logs@" in processes.capture(["env"]).stdout
    shown = processes.redact("cannot fetch https://reader:not-for-logs@index.example.com/simple")
    assert shown == "cannot fetch https://reader:********@index.example.com/simple"


def test_secrets_are_redacted():
    processes = Processes({"AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI", "AWS_REGION": "eu-central-1"})
    assert processes.redact("key wJalrXUtnFEMI in eu-central-1") == "key ******** in eu-central-1"


def test_a_missing_program_says_so():
    with pytest.raises(DriverError, match="no-such-program: not found"):
        Processes({}).capture(["no-such-program"])


def test_a_program_that_hangs_is_ended():
    with pytest.raises(DriverError, match="did not end within"):
        Processes({}).capture(["sleep", "60"], timeout=0.2)


def test_lines_come_while_the_program_runs(tmp_path):
    output, heard, seen = tmp_path / "out", tmp_path / "heard", []
    script = f"""
import pathlib, time
print("one", flush=True)
while not pathlib.Path({str(heard)!r}).exists():
    time.sleep(0.02)
print("two")
"""
    code = Processes({}).follow([sys.executable, "-c", script], output, lambda line: (seen.append(line), heard.touch()))
    assert code == 0
    assert seen == ["one", "two"]
    assert output.stat().st_mode & 0o777 == 0o600


FOLLOWER = """
import sys
from pathlib import Path
sys.path.insert(0, {root!r})
from driver.process import Processes
from driver.errors import Interrupted
processes = Processes({{}}, {mark!r})
worker = "import time, pathlib\\nfor n in range({count}): print(n, flush=True); time.sleep(0.1)\\n" \\
         "pathlib.Path({done!r}).touch()"
try:
    with processes.signals():
        processes.follow([sys.executable, "-c", worker], Path({output!r}), lambda line: print(line, flush=True))
except Interrupted:
    sys.exit(130)
"""


def start_follower(tmp_path, count: int) -> subprocess.Popen:
    script = FOLLOWER.format(
        root=str(ROOT),
        mark=str(tmp_path / "runs" / "one"),
        done=str(tmp_path / "done"),
        output=str(tmp_path / "output"),
        count=count,
    )
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script)], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True
    )


def test_a_followed_program_survives_a_kill_and_is_found(tmp_path):
    follower = start_follower(tmp_path, 20)
    assert follower.stdout.readline() == "0\n"
    follower.send_signal(signal.SIGKILL)
    follower.wait()
    follower.stdout.close()
    found = leftovers.find(tmp_path / "runs")
    assert [leftover.run.name for leftover in found] == ["one"]
    assert found[0].alive
    wait_for((tmp_path / "done").exists)
    assert (tmp_path / "output").read_text().split() == [str(n) for n in range(20)]
    wait_for(lambda: not leftovers.find(tmp_path / "runs"))


def test_leftovers_can_be_ended(tmp_path):
    follower = start_follower(tmp_path, 600)
    follower.stdout.readline()
    follower.send_signal(signal.SIGKILL)
    follower.wait()
    follower.stdout.close()
    for leftover in leftovers.find(tmp_path / "runs"):
        leftovers.end(leftover)
    assert leftovers.find(tmp_path / "runs") == []


def test_ctrl_c_reaches_the_program_and_ends_the_run(tmp_path):
    follower = start_follower(tmp_path, 600)
    follower.stdout.readline()
    follower.send_signal(signal.SIGINT)
    assert follower.wait(10) == 130
    assert "KeyboardInterrupt" in (tmp_path / "output").read_text()
    assert not (tmp_path / "done").exists()
    follower.stdout.close()


def test_a_signal_between_programs_ends_the_run():
    processes = Processes({})
    with pytest.raises(Interrupted), processes.signals():
        signal.raise_signal(signal.SIGTERM)


def test_code_that_watches_by_itself_is_not_left_in_the_middle():
    processes = Processes({})
    reached: list[bool] = []

    def work() -> None:
        with processes.signals(), processes.deferred():
            signal.raise_signal(signal.SIGINT)
            reached.append(processes.interrupted.is_set())

    with pytest.raises(Interrupted):
        work()
    assert reached == [True]
