"""A small copy of the project that tests may spoil, and a view that remembers what it showed."""

from __future__ import annotations

import io
import shutil
from pathlib import Path

from rich.console import Console

from driver.progress import Progress
from driver.project import Project

SOURCE = Path(__file__).resolve().parents[3]


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
