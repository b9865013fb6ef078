"""What a host's image and its own files hold."""

from __future__ import annotations

import base64
import io
import tarfile
from pathlib import Path

import pytest

from rehearsal.errors import RehearsalError
from rehearsal.hosts import container, image
from rehearsal.hosts.model import Vpc
from tests.unit.rehearsal.test_firewall import instance

VPC = Vpc("vpc-1", "111122223333", "10.20.0.0/16")


def test_every_way_into_a_host_knows_the_account() -> None:
    files = container.host_files(instance("sg-1"), VPC, "", "ssh-ed25519 AAAA rehearsal", "PEM")
    api = "AWS_ENDPOINT_URL=http://10.20.0.1:4566"
    for path in (
        "etc/environment",
        "etc/systemd/system.conf.d/10-account.conf",
        "etc/ssh/sshd_config.d/20-account.conf",
    ):
        assert api in files[path][1].decode(), path
    assert b"env_file=/etc/environment" in files["etc/sudoers.d/91-account"][1]
    assert files["etc/sudoers.d/91-account"][0] == 0o440


def test_user_data_arrives_as_it_was_given() -> None:
    raw = b"\x1f\x8b not text"
    files = container.host_files(instance("sg-1"), VPC, base64.b64encode(raw).decode(), "key", "PEM")
    assert files["var/lib/cloud/seed/nocloud/user-data"] == (0o600, raw)


def test_the_images_name_changes_with_its_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    before = image.name()
    assert before == image.name()
    monkeypatch.setattr(image, "BAKED", [*image.BAKED, "sl"])
    assert image.name() != before


def test_an_archive_has_its_folders_and_modes() -> None:
    with tarfile.open(fileobj=io.BytesIO(image.archive({"etc/a/b": (0o600, b"x")}))) as tar:
        assert [(one.name, one.mode, one.isdir()) for one in tar] == [
            ("etc", 0o755, True),
            ("etc/a", 0o755, True),
            ("etc/a/b", 0o600, False),
        ]


def test_without_a_mirror_the_fix_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(image, "configured", lambda: [])
    monkeypatch.setattr(image.shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.delenv("DEBIAN_MIRROR", raising=False)
    with pytest.raises(RehearsalError, match="DEBIAN_MIRROR"):
        image.mirror(tmp_path)
