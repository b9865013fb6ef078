"""Runs playbooks through ansible-runner. What they need to know goes to a private file outside of its folder, never
to a command line; its folder, which holds the environment with credentials, is removed when the playbook has
ended."""

from __future__ import annotations

import dataclasses
import json
import os
import shlex
import shutil
import sys
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from driver.ansible_events import Outcome, Reader
from driver.errors import DriverError
from driver.process import Processes
from driver.progress import Aside, Progress
from driver.project import Project, private_folder, write_private

INVENTORY_SECONDS = 3600  # a run's inventory is read once; the next run reads it anew


@dataclass
class Ansible:
    """Playbooks of one run. ``folder``: the run's own folder."""

    project: Project
    env: str
    processes: Processes
    progress: Progress
    folder: Path
    ca_bundle: Path | None = None
    cancelled: Callable[[], bool] = lambda: False  # a reason to stop besides the run's own

    def silent(self) -> Ansible:
        """The same, showing nothing: for verbs whose output is the answer."""
        return dataclasses.replace(self, progress=Progress(Console(quiet=True)))

    def beside(self, cancelled: Callable[[], bool] = lambda: False) -> Ansible:
        """The same, for playbooks that run beside the stage at hand, at most until ``cancelled`` says true."""
        return dataclasses.replace(self, progress=Aside(self.progress), cancelled=cancelled)

    def run(
        self,
        playbook: str,
        variables: Mapping[str, Any] | None = None,
        tags: Sequence[str] = (),
        skip_tags: Sequence[str] = (),
        limit: str | None = None,
        check: bool = False,
        fresh_inventory: bool = False,
    ) -> Outcome:
        """Run a playbook of ansible/playbooks to its end.

        :param limit: hosts; localhost always belongs to them
        :param check: change nothing, say what would change
        :param fresh_inventory: ask EC2 again, though this run has done so
        :returns: also when tasks failed; ``failures`` has them
        :raises DriverError: it could not run at all
        """
        name = playbook.removesuffix(".yml")
        if fresh_inventory:
            shutil.rmtree(self.folder / "inventory", ignore_errors=True)
        private = private_folder(self.folder / f"ansible-{name}-{uuid.uuid4().hex[:8]}")
        values = write_private(self.folder / f"{private.name}.json", json.dumps(dict(variables or {})))
        log_path = private_folder(self.folder / "logs") / f"{name}.log"
        arguments = [f"-e@{values}", *_choices(tags, skip_tags, limit, check)]
        started = time.monotonic()
        try:
            with open(os.open(log_path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "w") as log:
                reader = Reader(self.progress, log)
                with self.processes.deferred():
                    code = self._run(private, playbook, arguments, reader)
        finally:
            values.unlink(missing_ok=True)
            shutil.rmtree(private, ignore_errors=True)
        outcome = reader.outcome
        outcome.code, outcome.seconds = code, time.monotonic() - started
        if code != 0 and not outcome.failures:
            said = self.processes.redact(reader.reason())
            raise DriverError(
                f"{playbook} ended with code {code}: {said}", f"the whole output is in {self.project.shown(log_path)}"
            )
        return outcome

    def _run(self, private: Path, playbook: str, arguments: Sequence[str], reader: Reader) -> int:
        from ansible_runner import interface

        runner = interface.init_runner(
            private_data_dir=str(private),
            project_dir=str(self.project.root),
            playbook=str(self.project.ansible / "playbooks" / playbook),
            inventory=str(self.project.inventory(self.env)),
            cmdline=shlex.join(arguments),
            envvars=self.environment(),
            event_handler=reader.event,
            cancel_callback=lambda: self.processes.interrupted.is_set() or self.cancelled(),
            suppress_env_files=True,
            quiet=True,
            settings={"pexpect_timeout": 1, "suppress_output_file": True},
        )
        runner.config.env = self._scrubbed(runner.config.env)
        _, code = runner.run()
        return int(code or 0)

    def environment(self) -> dict[str, str]:
        """The variables that Ansible gets on top of the run's own."""
        binaries = str(Path(sys.executable).parent)
        values = {
            "ANSIBLE_CONFIG": str(self.project.ansible / "ansible.cfg"),
            "ANSIBLE_HOME": str(self.project.cache / "ansible"),
            "ANSIBLE_COLLECTIONS_PATH": str(self.project.collections),
            "ANSIBLE_INVENTORY_CACHE": "True",
            "ANSIBLE_INVENTORY_CACHE_PLUGIN": "ansible.builtin.jsonfile",
            "ANSIBLE_INVENTORY_CACHE_CONNECTION": str(self.folder / "inventory"),
            "ANSIBLE_INVENTORY_CACHE_TIMEOUT": str(INVENTORY_SECONDS),
            "ANSIBLE_LOCALHOST_WARNING": "False",
            "ANSIBLE_NOCOLOR": "1",  # what it prints ends in a log
            "PATH": f"{binaries}{os.pathsep}{self.processes.environment.get('PATH', os.defpath)}",
        }
        if self.ca_bundle:
            values["DATAPLATFORM_CA_BUNDLE"] = str(self.ca_bundle)
        return values

    def _scrubbed(self, prepared: Mapping[str, str]) -> dict[str, str]:
        """What ansible-runner prepared, less what it took over from this process and nobody needs."""
        added = {name: value for name, value in prepared.items() if os.environ.get(name) != value}
        # Its own last: a shell that has evaluated `environment` has the same, and they are no less needed for that.
        return {**self.processes.environment, **added, **self.environment()}


def _choices(tags: Sequence[str], skip_tags: Sequence[str], limit: str | None, check: bool) -> list[str]:
    arguments = [f"--tags={','.join(tags)}"] if tags else []
    arguments += [f"--skip-tags={','.join(skip_tags)}"] if skip_tags else []
    arguments += [f"--limit={limit},localhost"] if limit else []
    return arguments + (["--check", "--diff"] if check else [])


def failed(playbook: str, outcome: Outcome, log: str) -> DriverError:
    """The error for a playbook with failed tasks."""
    lines = "\n  ".join(str(failure) for failure in outcome.failures)
    return DriverError(f"{playbook} failed:\n  {lines}", f"correct it and run again; the whole output is in {log}")
