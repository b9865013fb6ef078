"""What Ansible gets from the shell that a run was started in."""

from __future__ import annotations

from driver.ansible import Ansible
from driver.process import Processes
from driver.project import Project
from tests.unit.driver.fakes import view


def test_a_shell_that_has_evaluated_the_environment_takes_nothing_away(tmp_path, monkeypatch):
    ansible = Ansible(Project(tmp_path), "dev", Processes({"PATH": "/usr/bin"}), view()[0], tmp_path)
    own = ansible.environment()
    for name, value in own.items():
        monkeypatch.setenv(name, value)  # eval "$(python runner.py --env dev environment)"
    monkeypatch.setenv("ANSIBLE_VAULT_PASSWORD_FILE", "/home/somebody")
    given = ansible._scrubbed({**own, "ANSIBLE_VAULT_PASSWORD_FILE": "/home/somebody", "RUNNER_OMIT_EVENTS": "False"})
    assert own.items() <= given.items()
    assert given["RUNNER_OMIT_EVENTS"] == "False"
    assert "ANSIBLE_VAULT_PASSWORD_FILE" not in given
