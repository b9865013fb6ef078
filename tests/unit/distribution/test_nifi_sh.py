"""bin/nifi.sh of the assembled distribution does what the official one does for a service manager."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from rehearsal.distribution.nifi import FILES

FAKE_JAVA = """#!/bin/sh
# stands for Java: notes its arguments, then lives until it is told to end
printf '%s\\n' "$@" > "$NIFI_HOME/arguments"
printf '%s\\n' "$$" > "$NIFI_HOME/pid"
printf '%s\\n' "$PWD" > "$NIFI_HOME/directory"
[ -e "$NIFI_HOME/once" ] && exit 0
trap 'exit 143' TERM
while :; do sleep 0.1; done
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    home = tmp_path / "nifi 2.3.0"  # a blank, as a path may have
    shutil.copytree(FILES, home)
    java = tmp_path / "jre" / "bin" / "java"
    java.parent.mkdir(parents=True)
    java.write_text(FAKE_JAVA)
    java.chmod(0o755)
    return home


def nifi_sh(home: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    base = {"PATH": os.environ["PATH"], "JAVA_HOME": str(home.parent / "jre")}
    return subprocess.run(
        [home / "bin" / "nifi.sh", *arguments], env=base | environment, text=True, capture_output=True, timeout=60
    )


def arguments(home: Path) -> list[str]:
    return (home / "arguments").read_text().splitlines()


def configure(home: Path, old: str, new: str) -> None:
    path = home / "conf" / "bootstrap.conf"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_run_starts_nifi_with_the_arguments_of_bootstrap_conf(home):
    (home / "once").touch()
    configure(home, "java.arg.3=-Xmx1g", "java.arg.3=-Xmx700m\njava.arg.note=-Dnote=two words")
    done = nifi_sh(home, "run")
    assert done.returncode == 0, done.stderr
    given = arguments(home)
    assert given.index("-Xms1g") < given.index("-Xmx700m") < given.index("org.apache.nifi.NiFi")
    assert "-Dnote=two words" in given
    assert f"-Dnifi.properties.file.path={home}/conf/nifi.properties" in given
    assert "-Dorg.apache.nifi.management.server.address=127.0.0.1:52020" in given
    assert given[given.index("-cp") + 1] == "./conf:./lib/*"
    assert (home / "directory").read_text().strip() == str(home)


def test_the_last_value_of_a_setting_counts(home):
    (home / "once").touch()
    configure(home, "# Heap", "management.server.address=http://127.0.0.1:1234/\n")
    nifi_sh(home, "run")
    assert "-Dorg.apache.nifi.management.server.address=127.0.0.1:1234" in arguments(home)


def test_logs_go_where_the_environment_says(home, tmp_path):
    (home / "once").touch()
    nifi_sh(home, "run", NIFI_LOG_DIR=str(tmp_path / "log"))
    assert f"-Dorg.apache.nifi.bootstrap.config.log.dir={tmp_path}/log" in arguments(home)
    assert (tmp_path / "log").is_dir()


def test_another_user_is_refused(home):
    configure(home, "run.as=", "run.as=somebody-else")
    done = nifi_sh(home, "run")
    assert done.returncode == 1
    assert "start it as that user" in done.stderr


def test_a_wrong_java_home_is_named(home):
    done = nifi_sh(home, "run", JAVA_HOME="/nonexistent")
    assert done.returncode == 1
    assert "/nonexistent/bin/java cannot be run" in done.stderr


def test_start_status_and_stop(home):
    assert nifi_sh(home, "status").returncode == 3
    assert nifi_sh(home, "start").returncode == 0
    deadline = time.monotonic() + 10
    while not (home / "directory").exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    pid = int((home / "run" / "nifi.pid").read_text())
    assert pid == int((home / "pid").read_text())
    try:
        assert "runs already" in nifi_sh(home, "start").stdout
        assert nifi_sh(home, "status").returncode == 4  # it lives, but nobody answers on the management address
    finally:
        stopped = nifi_sh(home, "stop")
    assert "NiFi is stopped" in stopped.stdout
    assert not Path(f"/proc/{pid}").exists()
    assert nifi_sh(home, "stop").stdout == "NiFi does not run\n"


def test_an_unknown_command_is_refused(home):
    done = nifi_sh(home, "diagnostics")
    assert done.returncode == 2
    assert "usage" in done.stderr


def test_the_scripts_are_clean():
    if shutil.which("shellcheck") is None:
        pytest.skip("shellcheck is not installed")
    done = subprocess.run(
        ["shellcheck", "-x", "-P", "SCRIPTDIR", FILES / "bin" / "nifi.sh"], capture_output=True, text=True
    )
    assert done.stdout == ""
