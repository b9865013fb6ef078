"""Playbooks through ansible-runner: progress, failures with their words, and nothing secret left behind."""

from __future__ import annotations

import os
import signal
import threading
import time

import pytest

from driver.ansible import Ansible, _choices, failed
from driver.errors import DriverError, Interrupted
from driver.process import Processes
from driver.project import Project, private_folder
from tests.unit.driver.fakes import view

SECRET = "hunter2-of-the-account"
INVENTORY = """
all:
  hosts:
    one: {ansible_connection: local, ansible_python_interpreter: "{{ ansible_playbook_python }}"}
    two: {ansible_connection: local, ansible_python_interpreter: "{{ ansible_playbook_python }}"}
"""
GOOD = """
- name: 1/1 DO it
  hosts: all
  gather_facts: false
  tasks:
    - name: Change something
      ansible.builtin.command: "true"
    - name: Look at something
      ansible.builtin.command: "true"
      changed_when: false
    - name: Write what came in
      ansible.builtin.copy:
        content: "{{ value }} {{ lookup('ansible.builtin.env', 'AWS_SECRET_ACCESS_KEY') | length }}"
        dest: "{{ report }}"
        mode: "0600"
      when: inventory_hostname == 'one'
      changed_when: false
"""
BAD = """
- name: 1/1 BREAK it
  hosts: all
  gather_facts: false
  tasks:
    - name: Be ignored
      ansible.builtin.command: "false"
      ignore_errors: true
    - name: Break on one host
      ansible.builtin.fail:
        msg: the disk is full
      when: inventory_hostname == 'two'
    - name: Break in a loop
      ansible.builtin.fail:
        msg: "{{ item }} is wrong"
      loop: [a, b]
      when: inventory_hostname == 'one'
"""
RESCUED = """
- name: 1/1 TRY twice
  hosts: one
  gather_facts: false
  tasks:
    - block:
        - name: Break
          ansible.builtin.command: "false"
      rescue:
        - name: Mend
          ansible.builtin.command: "true"
          changed_when: false
"""
SLOW = """
- name: 1/1 WAIT
  hosts: one
  gather_facts: false
  tasks:
    - name: Wait
      ansible.builtin.command: sleep 60
"""


@pytest.fixture
def ansible(tmp_path):
    project = Project(tmp_path)
    (project.ansible / "playbooks").mkdir(parents=True)
    (project.ansible / "ansible.cfg").write_text("[defaults]\nforks = 2\n")
    project.inventory("dev").mkdir(parents=True)
    (project.inventory("dev") / "hosts.yml").write_text(INVENTORY)
    for name, text in (("good", GOOD), ("bad", BAD), ("rescued", RESCUED), ("slow", SLOW), ("broken", "- hosts: [\n")):
        (project.ansible / "playbooks" / f"{name}.yml").write_text(text)
    progress, _ = view()
    progress.begin("configuration")
    processes = Processes({"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": SECRET})
    return Ansible(project, "dev", processes, progress, private_folder(project.runs("dev") / "run"))


def shown(ansible: Ansible) -> str:
    return ansible.progress.console.file.getvalue()


def test_what_a_playbook_did(ansible, tmp_path, monkeypatch):
    monkeypatch.setenv("ANSIBLE_STRAY_TOKEN", "of-another-tool")
    report = tmp_path / "report"
    outcome = ansible.run("good.yml", {"value": "from a file", "report": str(report)})
    assert outcome.ok
    assert sorted(outcome.changed) == [("one", "Change something"), ("two", "Change something")]
    assert "one · Change something: changed" in shown(ansible)
    assert "Look at something" not in shown(ansible)
    assert report.read_text() == f"from a file {len(SECRET)}"


def test_nothing_secret_is_left(ansible, tmp_path):
    ansible.run("good.yml", {"value": "a-value", "report": str(tmp_path / "report")})
    left = [path for path in ansible.folder.rglob("*") if path.is_file()]
    assert [path.name for path in left if SECRET in path.read_text()] == []
    assert {path.parent.name for path in left} <= {"logs", "run"}
    assert not list(ansible.folder.glob("ansible-*"))


def test_variables_are_private_and_not_on_a_command_line(ansible, tmp_path, monkeypatch):
    seen: dict[str, object] = {}
    original = Ansible._run

    def look(self, private, playbook, arguments, reader):
        file = private.with_name(f"{private.name}.json")
        seen.update(mode=file.stat().st_mode & 0o777, folder=private.stat().st_mode & 0o777, arguments=arguments)
        return original(self, private, playbook, arguments, reader)

    monkeypatch.setattr(Ansible, "_run", look)
    ansible.run("good.yml", {"value": "a-value", "report": str(tmp_path / "report")})
    assert (seen["mode"], seen["folder"]) == (0o600, 0o700)
    assert "a-value" not in str(seen["arguments"])


def test_failures_name_host_task_and_message(ansible):
    outcome = ansible.run("bad.yml")
    assert not outcome.ok
    found = sorted(str(failure) for failure in outcome.failures)
    assert found == ["one: Break in a loop: a is wrong; b is wrong", "two: Break on one host: the disk is full"]
    error = failed("bad.yml", outcome, "bad.log")
    assert "two: Break on one host: the disk is full" in error.message


def test_what_a_rescue_made_good_is_no_failure(ansible):
    assert ansible.run("rescued.yml").ok


def test_a_playbook_that_does_not_start_says_why(ansible):
    with pytest.raises(DriverError) as error:
        ansible.run("broken.yml")
    assert "broken.yml" in error.value.message
    assert "error" in error.value.message.lower()
    assert "broken.log" in error.value.fix


def test_check_mode_and_limit(ansible, tmp_path):
    outcome = ansible.run("good.yml", {"value": "x", "report": str(tmp_path / "report")}, limit="two", check=True)
    assert not (tmp_path / "report").exists()
    assert {host for host, _ in outcome.changed} <= {"two"}


def test_tags_can_be_left_out():
    assert _choices(("nifi", "edge"), ("pipelines",), None, False) == ["--tags=nifi,edge", "--skip-tags=pipelines"]
    assert _choices((), (), "i-1", True) == ["--limit=i-1,localhost", "--check", "--diff"]


def test_nothing_is_shown_where_the_answer_is_the_output(ansible, tmp_path):
    before = shown(ansible)
    ansible.silent().run("good.yml", {"value": "x", "report": str(tmp_path / "report")})
    assert shown(ansible) == before


def test_ctrl_c_ends_a_playbook(ansible):
    def interrupt() -> None:
        deadline = time.monotonic() + 30
        while not (ansible.progress.stage and ansible.progress.stage.items) and time.monotonic() < deadline:
            time.sleep(0.1)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt, daemon=True).start()
    began = time.monotonic()
    with ansible.processes.signals(), pytest.raises(Interrupted):
        ansible.run("slow.yml")
    assert time.monotonic() - began < 40
    assert not list(ansible.folder.glob("ansible-*"))


def test_the_log_has_everything_and_belongs_to_its_owner(ansible):
    ansible.run("bad.yml")
    log = ansible.folder / "logs" / "bad.log"
    assert "the disk is full" in log.read_text()
    assert "\x1b[" not in log.read_text()
    assert log.stat().st_mode & 0o777 == 0o600
