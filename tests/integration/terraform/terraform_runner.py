"""Runs terraform in a folder, for tests."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from driver.terraform import SETTINGS


@dataclass
class Terraform:
    """Runs terraform in one folder below a copy of `terraform/`."""

    folder: Path
    environment: Mapping[str, str] = field(default_factory=dict)

    def run(self, *arguments: str, codes: tuple[int, ...] = (0,)) -> str:
        """Standard output; fails with everything terraform said unless the code is one of `codes`."""
        done = subprocess.run(
            ["nice", "terraform", f"-chdir={self.folder}", *arguments],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, **SETTINGS, **self.environment},
        )
        assert done.returncode in codes, f"terraform {arguments[0]}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def init(self, *arguments: str) -> None:
        self.run("init", "-no-color", *arguments)

    def plan(self, values: Mapping[str, Any], name: str = "plan", *arguments: str) -> dict[str, Any]:
        """The plan as `terraform show -json` has it."""
        (self.folder / f"{name}.tfvars.json").write_text(json.dumps(values))
        self.run("plan", "-no-color", f"-var-file={name}.tfvars.json", f"-out={name}.tfplan", *arguments)
        plan: dict[str, Any] = json.loads(self.run("show", "-json", f"{name}.tfplan"))
        return plan
