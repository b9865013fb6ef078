"""One run: what was asked for, what it talks to, and what it has found out so far. Handed from stage to stage."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from driver import ansible, environment, providers
from driver.aws import Account
from driver.errors import DriverError
from driver.heartbeat import Heartbeat
from driver.process import Processes
from driver.progress import Progress
from driver.project import Project, private_folder
from driver.record import Record
from driver.target import Connector, Target
from driver.terraform import Terraform


@dataclass(frozen=True)
class Options:
    """What the command line said."""

    env: str
    verb: str = "apply"
    rehearse: bool = False
    only: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    limit: str | None = None
    check: bool = False
    yes: bool = False
    json: bool = False
    user: str = ""
    action: str = "list"
    to: Path | None = None
    plan: Path | None = None
    out: Path | None = None

    @property
    def command(self) -> str:
        """How to call this runner again for the same environment."""
        return f"python runner.py --env {self.env}" + (" --rehearse" if self.rehearse else "")


def new_folder(project: Project, env: str) -> Path:
    """The folder of a new run, named by the moment."""
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
    return private_folder(private_folder(project.runs(env)) / stamp)


@dataclass
class Run:
    """What stages share."""

    project: Project
    options: Options
    connector: Connector
    processes: Processes
    progress: Progress
    folder: Path
    record: Record
    heartbeat: Heartbeat
    declared: environment.Environment | None = None
    target: Target | None = None
    tools: dict[str, str] = field(default_factory=dict)

    @property
    def env(self) -> str:
        return self.options.env

    @property
    def environment(self) -> environment.Environment:
        """What was declared; known after stage environment."""
        assert self.declared is not None
        return self.declared

    def connect(self) -> Target:
        """Open the account, once."""
        if self.target is None:
            declared = self.environment
            fields = self.connector.open(self.env, declared.terraform_values(), self.progress.note)
            self.target = Target(kind=self.connector.kind, values_file=declared.values_file, **fields)
            self.processes.use(self.target.environment)
        return self.target

    @functools.cached_property
    def account(self) -> Account:
        return Account(self.connect().environment, self.environment.region)

    @functools.cached_property
    def settings(self) -> dict[str, str]:
        """Variables that tell Terraform where providers are."""
        return providers.settings(self.project.cache)

    @functools.cached_property
    def ansible(self) -> ansible.Ansible:
        bundle = self.connect().ca_bundle
        return ansible.Ansible(self.project, self.env, self.processes, self.progress, self.folder, bundle)

    def terraform(self, module: Path | None = None, data: Path | None = None) -> Terraform:
        """Terraform in the environment's root module, or in another one."""
        return Terraform(
            self.processes,
            self.progress,
            module or self.project.environment(self.env),
            data or self.project.work(self.connector.kind, self.env),
            self.folder / "logs",
            self.settings,
        )

    @functools.cached_property
    def platform(self) -> dict[str, Any]:
        """What Terraform built, as it wrote it down. :raises DriverError: nothing yet"""
        found = self.account.platform(self.env)
        if found is None:
            raise DriverError(
                f"{self.env} is not built: account {self.environment.account_id} has no platform document",
                f"build it first: {self.options.command}",
            )
        return found

    def forget_platform(self) -> None:
        """After Terraform changed something."""
        self.__dict__.pop("platform", None)

    @contextmanager
    def stage(self, name: str) -> Iterator[Stage]:
        """Show, time and record a stage."""
        self.processes.check_interrupted()
        self.heartbeat.stage(name)
        self.progress.begin(name)
        stage = Stage()
        timer = self.record.stage(name)
        try:
            yield stage
        except BaseException as error:
            status = "interrupted" if isinstance(error, KeyboardInterrupt) else "failed"
            timer.end(status, stage.detail)
            self.progress.end(status, stage.detail)
            raise
        timer.end(stage.status, stage.detail)
        self.progress.end(stage.status, stage.detail)


@dataclass
class Stage:
    """What a stage says about itself when it ends."""

    detail: str = ""
    status: str = "done"
