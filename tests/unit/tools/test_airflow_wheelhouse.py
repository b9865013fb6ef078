"""The wheelhouse of Airflow's hosts: what is in it, what it is named after, and that it is made once."""

from __future__ import annotations

import hashlib
import re
import subprocess
import tarfile
from pathlib import Path

import pytest

from tools import airflow_wheelhouse

ROOT = Path(__file__).parents[3]


@pytest.fixture
def downloads(monkeypatch):
    """pip's calls; each leaves two files, as if it had downloaded them. The second call fails."""
    calls: list[list[str]] = []

    def run(command: list[str], **_options: object) -> subprocess.CompletedProcess[str]:
        calls.append(command)
        if len(calls) > 1:
            return subprocess.CompletedProcess(command, 1, "", "no such wheel")
        folder = Path(command[command.index("--dest") + 1])
        folder.mkdir()
        for name in ("b-1.whl", "a-1.whl"):
            (folder / name).write_text(name)
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(airflow_wheelhouse.subprocess, "run", run)
    return calls


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    path = tmp_path / "locked.txt"
    path.write_text("a==1 --hash=sha256:00\n")
    return path


def test_it_is_made_once_and_named_after_the_lock(tmp_path, lock, downloads):
    made = airflow_wheelhouse.build(tmp_path / "cache", print, lock)
    name = hashlib.sha256(lock.read_bytes()).hexdigest()[:12]
    assert (made.path.name, made.key) == (f"wheels-{name}.tar", f"airflow/wheels-{name}.tar")
    with tarfile.open(made.path) as tar:
        assert [(entry.name, entry.mode, entry.mtime) for entry in tar] == [
            ("a-1.whl", 0o644, 0),
            ("b-1.whl", 0o644, 0),
        ]
    assert airflow_wheelhouse.build(tmp_path / "cache", print, lock) == made
    assert len(downloads) == 1
    assert {"--require-hashes", "--only-binary", "--no-deps"} <= set(downloads[0])


def test_another_architecture_has_its_own_archive_under_the_same_key(tmp_path, lock, downloads):
    made = airflow_wheelhouse.build(tmp_path / "cache", print, lock)
    downloads.clear()
    other = airflow_wheelhouse.build(tmp_path / "cache", print, lock, "aarch64")
    assert (other.path != made.path, other.key) == (True, made.key)
    assert "manylinux_2_41_aarch64" in downloads[0]


def test_a_failed_download_leaves_no_archive(tmp_path, lock, downloads):
    downloads.append([])
    with pytest.raises(airflow_wheelhouse.WheelhouseError, match=r"no such wheel"):
        airflow_wheelhouse.build(tmp_path / "cache", print, lock)
    assert not list((tmp_path / "cache").rglob("*.tar"))


def test_wheels_of_older_libraries_come_last_and_newer_ones_than_the_hosts_do_not_come():
    found = airflow_wheelhouse.platforms("x86_64")
    assert (found[0], found[-1]) == ("manylinux_2_41_x86_64", "manylinux1_x86_64")
    assert "manylinux_2_42_x86_64" not in found


def test_the_lock_holds_what_the_role_needs():
    """uv installs the rest; gunicorn's workers share memory; without aiobotocore deadlines are lost."""
    text = (ROOT / "requirements" / "airflow.txt").read_text()
    names = set(re.findall(r"^([a-z0-9._-]+)==", text, re.MULTILINE))
    assert {"apache-airflow", "uv", "gunicorn", "aiobotocore", "psycopg2-binary", "psycopg", "boto3"} <= names
    assert {f"apache-airflow-providers-{name}" for name in ("amazon", "fab", "http", "postgres")} <= names
    pins = len(re.findall(r"^[a-z0-9._-]+==", text, re.MULTILINE))
    assert len(re.findall(r"^[a-z0-9._-]+==[^\n]*\\\n    --hash=sha256:", text, re.MULTILINE)) == pins
    assert "://" not in text
