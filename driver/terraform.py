"""Runs Terraform, and reads it through JSON only."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from driver.errors import DriverError, Refused
from driver.process import Processes
from driver.progress import Progress
from driver.project import private_folder, write_private
from driver.terraform_events import Outcome, Reader

PARALLELISM = 30
"""Resources that are made at a time: nearly all of their time they only wait for AWS, and Terraform's own 10 queue."""
SETTINGS = {
    "TF_IN_AUTOMATION": "1",
    "TF_INPUT": "0",
    "CHECKPOINT_DISABLE": "1",
    # Terraform and the AWS provider live for seconds and keep nearly all that they allocate (the provider's schemas,
    # read anew by each command): Go's usual garbage collection is a third of a command's CPU time.
    "GOGC": "400",
}
"""What every command of Terraform is told by its environment."""


@dataclass
class Terraform:
    """One root module with its working data.

    data: where providers, modules and the backend's settings are kept (TF_DATA_DIR); logs: where each command's lines
    end
    """

    processes: Processes
    progress: Progress
    module: Path
    data: Path
    logs: Path
    settings: Mapping[str, str]

    def _environment(self) -> dict[str, str]:
        return {"TF_DATA_DIR": str(self.data), **SETTINGS, **self.settings}

    def init(self, backend: Mapping[str, str], force: bool = False) -> None:
        """Fetch provider and modules, and connect to the state, unless that is done already.

        :param backend: ``-backend-config`` pairs
        :raises DriverError: with what Terraform said
        """
        wanted = self._fingerprint(backend)
        marker = self.data / "initialised"
        if not force and marker.is_file() and marker.read_text() == wanted and (self.data / "providers").exists():
            return
        private_folder(self.data)
        marker.unlink(missing_ok=True)
        self.progress.note("terraform init")
        pairs = [f"-backend-config={key}={value}" for key, value in backend.items()]
        argv = ["terraform", f"-chdir={self.module}", "init", "-input=false", "-no-color", "-reconfigure", *pairs]
        done = self.processes.capture(argv, extra=self._environment(), timeout=900)
        if done.code != 0:
            raise DriverError(
                f"terraform init: {_message(self.processes.redact(done.stderr or done.stdout))}",
                "no provider? name a folder with a copy of it in TF_PLUGIN_MIRROR (docs/troubleshooting.md)",
            )
        write_private(marker, wanted)

    def _fingerprint(self, backend: Mapping[str, str]) -> str:
        """Changes when `init` would do something new: sources, providers, backend."""
        digest = hashlib.sha256(json.dumps([sorted(backend.items()), sorted(self.settings.items())]).encode())
        folders = [self.module, *(self.module.parent.parent / "modules").glob("*")]
        for path in sorted(
            path for folder in folders for pattern in ("*.tf", ".terraform.lock.hcl") for path in folder.glob(pattern)
        ):
            digest.update(path.name.encode() + b"\0" + path.read_bytes())
        return digest.hexdigest()

    def plan(
        self,
        out: Path,
        var_files: Sequence[Path] = (),
        destroy: bool = False,
        lock: bool = True,
        arguments: Sequence[str] = (),
    ) -> Outcome:
        """Make a plan file. Terraform's warnings are shown, each once.

        :param lock: take the state's lock meanwhile (a plan that nobody applies needs none)
        :returns: what it would do; code 0 (nothing) or 2
        :raises Refused: somebody else holds the lock
        :raises DriverError: with Terraform's diagnostics
        """
        argv = ["plan", "-input=false", "-json", "-detailed-exitcode", f"-out={out}", f"-lock={str(lock).lower()}"]
        argv += [f"-var-file={path}" for path in var_files] + ["-destroy"] * destroy + list(arguments)
        out.unlink(missing_ok=True)
        outcome = self._follow(argv, (0, 2))
        if out.exists():
            out.chmod(0o600)
        for text in dict.fromkeys(outcome.warnings):
            self.progress.line(f"    warning: {text}", "yellow")
        return outcome

    def apply(self, plan: Path, applied: Callable[[str, str], None] | None = None) -> Outcome:
        """Do exactly what a plan file says.

        :param applied: told address and action of each resource as soon as it is done
        :raises DriverError: with Terraform's diagnostics
        """
        argv = ["apply", "-input=false", "-json", f"-parallelism={PARALLELISM}", str(plan)]
        return self._follow(argv, (0,), applied)

    def show(self, plan: Path) -> dict[str, Any]:
        """A plan file as JSON (https://developer.hashicorp.com/terraform/internals/json-format)."""
        return dict(self._json(["show", "-json", str(plan)]))

    def outputs(self) -> dict[str, Any]:
        """The values of the state's outputs."""
        return {name: output["value"] for name, output in self._json(["output", "-json"]).items()}

    def state(self) -> dict[str, Any]:
        """The raw state as JSON: lineage, serial, resources. Empty before the first apply."""
        done = self.processes.capture(
            ["terraform", f"-chdir={self.module}", "state", "pull"], extra=self._environment()
        )
        if done.code != 0:
            raise DriverError(f"terraform state pull: {_message(self.processes.redact(done.stderr))}")
        return dict(json.loads(done.stdout)) if done.stdout.strip() else {}

    def push(self, state: Path) -> None:
        """Put a state file where the backend keeps it (Terraform refuses an older or a foreign one)."""
        argv = ["terraform", f"-chdir={self.module}", "state", "push", str(state)]
        done = self.processes.capture(argv, extra=self._environment())
        if done.code != 0:
            raise DriverError(f"terraform state push: {_message(self.processes.redact(done.stderr))}")

    def _json(self, argv: Sequence[str]) -> Any:
        done = self.processes.capture(["terraform", f"-chdir={self.module}", *argv], extra=self._environment())
        if done.code != 0:
            raise DriverError(f"terraform {argv[0]}: {_message(self.processes.redact(done.stderr))}")
        return json.loads(done.stdout)

    def _follow(
        self, argv: Sequence[str], good: Sequence[int], applied: Callable[[str, str], None] | None = None
    ) -> Outcome:
        private_folder(self.logs)
        log = self.logs / f"terraform-{self.module.name}-{argv[0]}.jsonl"  # two may be at work at the same time
        reader = Reader(self.progress, applied)
        code = self.processes.follow(
            ["terraform", f"-chdir={self.module}", *argv], log, reader.line, extra=self._environment()
        )
        outcome = reader.outcome
        outcome.code = code
        if code in good and not outcome.errors:
            return outcome
        if outcome.lock_held:
            raise Refused(
                "the state is locked: " + "; ".join(outcome.errors), "wait until that run has ended, then run again"
            )
        said = outcome.errors or reader.unread[-20:] or [f"it ended with code {code}"]
        raise DriverError(
            f"terraform {argv[0]}: " + "\n  ".join(self.processes.redact(text) for text in said),
            f"correct it and run the same command again; all that Terraform said is in {log}",
        )


def version(processes: Processes) -> str:
    """The version of the terraform on the PATH. :raises DriverError: there is none"""
    done = processes.capture(["terraform", "version", "-json"], extra={"CHECKPOINT_DISABLE": "1"}, timeout=60)
    if done.code != 0:
        raise DriverError(f"terraform version: {_message(done.stderr)}", "install terraform anew")
    return str(json.loads(done.stdout)["terraform_version"])


def _message(text: str) -> str:
    """Terraform's boxed message as one paragraph."""
    lines = [line.strip(" │╷╵|") for line in text.splitlines()]
    return " ".join(" ".join(line for line in lines if line).split())[:2000]
