"""What is put back at a rehearsal's end, what is left to whoever came since, and what would keep hosts apart."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rehearsal import machine
from rehearsal.hosts.podman import Podman


def test_podman_is_this_rehearsals_own_whatever_the_shell_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With CONTAINER_HOST it would be a client of the user's podman, whose containers `destroy` would remove."""
    for name in ("CONTAINER_HOST", "CONTAINER_CONNECTION", "DOCKER_HOST", "STORAGE_DRIVER", "CONTAINERS_CONF_OVERRIDE"):
        monkeypatch.setenv(name, "of-the-shell")
    given = Podman(tmp_path).environment()
    assert "of-the-shell" not in given.values()
    assert given["CONTAINERS_STORAGE_CONF"] == str(tmp_path / "storage.conf")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine of files: forwarding was off, nobody filters, no bridge, no folder."""
    for name, text in {"BOOT": "boot-1", "FORWARD": "0", "BRIDGED": "0", "UFW": "ENABLED=no"}.items():
        path = tmp_path / name
        path.write_text(f"{text}\n")
        monkeypatch.setattr(machine, name, path)
    (tmp_path / "links").mkdir()
    monkeypatch.setattr(machine, "LINKS", tmp_path / "links")
    monkeypatch.setattr(machine, "FOLDERS", [tmp_path / "containers"])
    monkeypatch.setattr(machine, "_output", lambda *command: "")
    return tmp_path


def test_what_the_rehearsal_changed_is_put_back(here: Path) -> None:
    machine.note(here / "note")
    machine.FORWARD.write_text("1\n")
    (here / "containers" / "storage" / "empty").mkdir(parents=True)
    (here / "links" / "dp0123b01234567" / "bridge").mkdir(parents=True)  # another checkout's rehearsal
    machine.restore(here / "note")
    assert machine.FORWARD.read_text() == "0"
    assert not (here / "containers").exists()
    assert not (here / "note").exists()


def test_what_others_need_by_now_stays(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, ...]] = []
    machine.note(here / "note")
    machine.FORWARD.write_text("1\n")
    (here / "links" / "docker0" / "bridge").mkdir(parents=True)
    (here / "containers" / "storage").mkdir(parents=True)
    (here / "containers" / "storage" / "layers.json").touch()
    (here / "containers" / "storage" / "empty").mkdir()
    monkeypatch.setattr(machine, "_output", lambda *command: asked.append(command) or "")
    machine.restore(here / "note")
    assert machine.FORWARD.read_text() == "1\n"
    assert (here / "containers" / "storage" / "empty").is_dir()
    assert not [command for command in asked if command[0] != "nft"]


def test_after_a_reboot_nothing_of_before_is_put_back_and_the_machine_is_noted_anew(here: Path) -> None:
    machine.note(here / "note")
    machine.BOOT.write_text("boot-2\n")
    machine.FORWARD.write_text("1\n")
    machine.note(here / "note")
    assert json.loads((here / "note").read_text())["forward"] == "1"
    machine.BOOT.write_text("boot-3\n")
    machine.FORWARD.write_text("0\n")
    machine.restore(here / "note")
    assert machine.FORWARD.read_text() == "0\n"
    assert not (here / "note").exists()


def test_what_would_keep_hosts_apart_is_told_with_the_remedy(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert machine.obstacles("10.20.0.0/16") == []
    machine.UFW.write_text("ENABLED=yes\n")
    machine.BRIDGED.write_text("1\n")
    said = {"firewall-cmd": "running\n", "iptables": "-P FORWARD DROP\n-A FORWARD -j DOCKER-USER\n"}
    monkeypatch.setattr(machine, "_output", lambda *command: said[command[0]])
    ufw, firewalld, docker = machine.obstacles("10.20.0.0/16")
    assert ufw.endswith("ufw allow from 10.20.0.0/16")
    assert firewalld.endswith("firewall-cmd --zone=trusted --add-source=10.20.0.0/16")
    assert docker.endswith("iptables -I FORWARD -s 10.20.0.0/16 -d 10.20.0.0/16 -j ACCEPT")
    machine.BRIDGED.write_text("0\n")
    assert len(machine.obstacles("10.20.0.0/16")) == 2
