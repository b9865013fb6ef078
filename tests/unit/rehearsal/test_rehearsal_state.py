"""What the rehearsal keeps in files, and its command line."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from rehearsal import __main__ as command_line
from rehearsal.accounts import Opened, Registry
from rehearsal.archive_upload import Uploads
from rehearsal.errors import RehearsalError
from rehearsal.hosts.podman import CONTAINERS_CONF, plain_cgroup2
from rehearsal.paths import CHECKOUT


def opened(**more: Any) -> Opened:
    return Opened("dev", "111122223333", "eu-central-1", "dev.rehearsal.localhost", **more)


def test_accounts_are_remembered(tmp_path: Path) -> None:
    registry = Registry(tmp_path)
    assert registry.all() == {}
    registry.add(opened())
    registry.add(opened(archives={"x.zip": "/x.zip"}))
    assert Registry(tmp_path).all() == {"dev": opened(archives={"x.zip": "/x.zip"})}
    registry.remove("dev")
    assert registry.all() == {}


class S3:
    """A bucket or none, and what is put into it."""

    def __init__(self) -> None:
        self.buckets: dict[str, str] = {}
        self.put: list[str] = []

    def client(self, service: str) -> Any:
        return self

    def list_buckets(self) -> dict[str, Any]:
        return {"Buckets": [{"Name": name, "CreationDate": born} for name, born in self.buckets.items()]}

    def list_objects_v2(self, **arguments: str) -> dict[str, Any]:
        return {}

    def upload_file(self, path: str, bucket: str, key: str, **more: Any) -> None:
        self.put.append(f"{bucket}/{key}")


@pytest.fixture
def uploads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Uploads:
    monkeypatch.setattr("rehearsal.archive_upload.LOOK_SECONDS", 0.0)
    return Uploads(tmp_path)


def test_the_archive_is_put_once_for_each_life_of_its_bucket(uploads: Uploads, tmp_path: Path) -> None:
    (tmp_path / "nifi.zip").write_bytes(b"x")
    account = opened(bucket="artifacts", archives={"nifi/nifi.zip": str(tmp_path / "nifi.zip")})
    s3 = S3()
    uploads.reconcile(account, s3)  # type: ignore[arg-type]
    assert s3.put == [], "no bucket yet"
    s3.buckets["artifacts"] = "monday"
    uploads.reconcile(account, s3)  # type: ignore[arg-type]
    uploads.reconcile(account, s3)  # type: ignore[arg-type]
    assert s3.put == ["artifacts/nifi/nifi.zip"], "a bucket that is emptied to be deleted stays empty"
    s3.buckets["artifacts"] = "tuesday"
    uploads.reconcile(account, s3)  # type: ignore[arg-type]
    assert len(s3.put) == 2
    uploads.forget(account)
    uploads.reconcile(account, s3)  # type: ignore[arg-type]
    assert len(s3.put) == 3, "the next run looks again"


def test_values_come_from_the_environments_example_file() -> None:
    found = command_line._values("dev")
    assert found["account_id"] == "111122223333"
    assert found["region"] == "eu-central-1"
    with pytest.raises(RehearsalError, match="nowhere"):
        command_line._values("nowhere")


def test_status_answers_where_nothing_runs(tmp_path: Path) -> None:
    """With an empty state folder: nothing is started, nothing is made."""
    script = (
        "import sys, pathlib, rehearsal.paths as paths\n"
        f"paths.STATE = pathlib.Path({str(tmp_path / 'state')!r})\n"
        "from rehearsal.__main__ import main\nsys.exit(main(['status', '--json']))"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=CHECKOUT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["supervisor"]["pid"], found["account"], found["hosts"]) == (None, "", {})
    assert not [path for path in (tmp_path / "state").glob("*") if path.name != "balancer"]


def test_podman_shares_nothing_with_the_machines_own() -> None:
    for name in ("tmp_dir", "static_dir", "volume_path", "network_config_dir"):
        assert f'{name} = "{{' in CONTAINERS_CONF, name
    assert 'lock_type = "file"' in CONTAINERS_CONF


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("30 24 0:26 / /sys/fs/cgroup rw shared:9 - cgroup2 cgroup2 rw", True),
        ("30 24 0:26 / /sys/fs/cgroup rw shared:9 - tmpfs tmpfs rw,mode=755", False),
        ("31 30 0:27 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw", False),
    ],
)
def test_a_hybrid_is_told_from_plain_cgroup2(kind: str, expected: bool) -> None:
    assert plain_cgroup2(kind) is expected
