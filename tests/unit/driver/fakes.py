"""A small copy of the project that tests may spoil, a view that remembers what it showed, and a run without an
account behind it.
"""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from rich.console import Console

from driver.ansible_events import Outcome
from driver.heartbeat import Heartbeat
from driver.process import Processes
from driver.progress import Progress
from driver.project import Project, private_folder
from driver.record import Record
from driver.run import Options, Run
from driver.target import Aws, Target

SOURCE = Path(__file__).resolve().parents[3]
NIFI = {"asg_name": "dev-nifi", "target_group_arn": "arn:nifi"}
AIRFLOW = {"asg_names": ["dev-airflow-web", "dev-airflow-core"], "target_group_arn": "arn:airflow", "api_port": 8080}
URLS = {"nifi": "https://nifi.dev/nifi/", "airflow": "https://airflow.dev/"}


def checkout(folder: Path) -> Project:
    """The declared parts of the project, without their Terraform modules."""
    for name in ("inventories", "cert-requests", "terraform/environments", "terraform/bootstrap"):
        shutil.copytree(SOURCE / name, folder / name, ignore=shutil.ignore_patterns(".terraform", "terraform.tfvars"))
    roles = "collections/ansible_collections/dataplatform/aws/roles"
    for path in sorted((SOURCE / roles).glob("*/meta/argument_specs.yml")):
        target = folder / path.relative_to(SOURCE)
        target.parent.mkdir(parents=True)
        shutil.copy(path, target)
    return Project(folder)


def view() -> tuple[Progress, io.StringIO]:
    text = io.StringIO()
    return Progress(Console(file=text, width=200, highlight=False)), text


class FakeAnsible:
    """Playbooks that were asked for, and the reports they leave."""

    def __init__(self, reports: Mapping[str, Any] | None = None) -> None:
        self.played: list[tuple[str, dict[str, Any]]] = []
        self.reports = dict(reports or {})
        self.outcomes: dict[str, Outcome] = {}

    def silent(self) -> FakeAnsible:
        return self

    def beside(self, cancelled: Callable[[], bool] = lambda: False) -> FakeAnsible:
        self.cancelled = cancelled
        return self

    def run(self, playbook: str, variables: Mapping[str, Any] | None = None, **options: Any) -> Outcome:
        self.played.append((playbook, {**(variables or {}), **options}))
        path = next((value for name, value in (variables or {}).items() if name.endswith("_report")), None)
        if path and playbook in self.reports:
            Path(path).write_text(json.dumps(self.reports[playbook]))
        return self.outcomes.get(playbook, Outcome(tasks=3))


class FakeAccount:
    """Auto Scaling groups and instances. ``groups``: name → answers of (desired, serving), the last one for good."""

    def __init__(self, groups: Mapping[str, list[tuple[int, list[str]]]]) -> None:
        self.groups = {name: list(answers) for name, answers in groups.items()}
        self.healthy = {"i-nifi": "healthy", "i-web": "unhealthy"}
        self.documents: dict[str, dict[str, Any]] = {}
        self.older: dict[str, list[str]] = {}

    def platform(self, env: str, document: str = "platform") -> dict[str, Any] | None:
        return self.documents.get(document)

    def group(self, name: str) -> tuple[int, list[str]]:
        answers = self.groups[name]
        return answers.pop(0) if len(answers) > 1 else answers[0]

    def outdated(self, name: str) -> list[str]:
        return self.older.get(name, [])

    def running(self, ids: list[str]) -> list[dict[str, Any]]:
        return [{"instance_id": i, "private_ip": f"10.0.0.{len(i)}", "az": "a", "state": "running"} for i in ids]

    def health(self, target_group_arn: str) -> dict[str, str]:
        return self.healthy


def fake_run(folder: Path, airflow: bool = True, **options: Any) -> tuple[Run, io.StringIO]:
    """A run of DEV whose platform is built, and what it shows."""
    project, (progress, shown) = Project(folder), view()
    own = private_folder(project.runs("dev") / "run")
    run = Run(
        project, Options("dev", **options), Aws(), Processes({}), progress, own,
        Record("dev", "apply", "aws", "run"), Heartbeat(own / "current.json", "apply", "run"),
    )  # fmt: skip
    run.target = Target(kind="aws", values_file=folder / "values", environment={})
    values = project.environment("dev") / "terraform.tfvars"
    run.declared = SimpleNamespace(account_id="111122223333", region="eu-central-1", values_file=values)  # type: ignore[assignment]
    platform: dict[str, Any] = {"nifi": NIFI, "urls": URLS}
    run.__dict__["platform"] = {**platform, "airflow": AIRFLOW} if airflow else platform
    run.__dict__["ansible"] = FakeAnsible()
    groups = {"dev-nifi": ["i-nifi"], "dev-airflow-web": ["i-web"], "dev-airflow-core": ["i-core"]}
    run.__dict__["account"] = FakeAccount({name: [(len(ids), ids)] for name, ids in groups.items()})
    return run, shown
