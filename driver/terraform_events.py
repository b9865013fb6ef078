"""Terraform's machine-readable lines (``-json``) as typed results and progress.

The format: https://developer.hashicorp.com/terraform/internals/machine-readable-ui
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from driver.progress import Progress

# "remove" is `removed` blocks and "forget"; "move" and "no-op" change nothing outside.
COUNTED = {"create": "create", "update": "update", "delete": "delete", "replace": "replace"}
DOING = {"create": "creating", "update": "changing", "delete": "destroying", "read": "reading", "replace": "replacing"}
DID = {"create": "created", "update": "changed", "delete": "destroyed", "read": "read", "replace": "replaced"}


@dataclass
class Outcome:
    """What a plan or an apply said.

    changes: resources by action; planned: (address, action) of every change that a plan wants; applied: what was done;
    errors: diagnostics, each a text with address, file and line.
    """

    changes: dict[str, int] = field(default_factory=lambda: dict.fromkeys(("create", "update", "delete", "replace"), 0))
    planned: list[tuple[str, str]] = field(default_factory=list)
    applied: list[tuple[str, str]] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    version: str = ""
    code: int = 0

    @property
    def any_change(self) -> bool:
        return any(self.changes.values())

    @property
    def wanted(self) -> list[tuple[str, str]]:
        """``planned`` without what is only read."""
        return [(address, action) for address, action in self.planned if action != "read"]

    @property
    def lock_held(self) -> bool:
        return any("acquiring the state lock" in error for error in self.errors)

    def summary(self) -> str:
        """``3 to create, 1 to change``, or ``no changes``."""
        words = {"create": "create", "update": "change", "replace": "replace", "delete": "destroy"}
        parts = [f"{self.changes[action]} to {word}" for action, word in words.items() if self.changes[action]]
        return ", ".join(parts) or ("outputs change" if self.code == 2 else "no changes")

    def done(self) -> str:
        """The same, once it was applied: ``3 created, 1 changed``."""
        words = {"create": "created", "update": "changed", "replace": "replaced", "delete": "destroyed"}
        parts = [f"{self.changes[action]} {word}" for action, word in words.items() if self.changes[action]]
        return ", ".join(parts) or ("outputs changed" if self.code == 2 else "no changes")


class Reader:
    """Takes Terraform's lines one by one."""

    def __init__(self, progress: Progress, applied: Callable[[str, str], None] | None = None) -> None:
        self.progress = progress
        self.applied = applied
        self.outcome = Outcome()
        self.unread: list[str] = []

    def line(self, text: str) -> None:
        """One line of output; those that are no JSON (a crash, a shell's message) are kept for the error."""
        if not text.strip():
            return
        try:
            event = json.loads(text)
        except ValueError:
            self.unread.append(text)
            return
        handler = getattr(self, f"on_{event.get('type', '')}", None)
        if handler:
            handler(event)

    def on_version(self, event: Mapping[str, Any]) -> None:
        self.outcome.version = str(event.get("terraform", ""))

    def on_planned_change(self, event: Mapping[str, Any]) -> None:
        change = event["change"]
        self.outcome.planned.append((change["resource"]["addr"], change["action"]))
        if change["action"] in COUNTED:
            self.outcome.changes[change["action"]] += 1

    def on_refresh_start(self, event: Mapping[str, Any]) -> None:
        self.progress.start(event["hook"]["resource"]["addr"], "comparing")

    def on_refresh_complete(self, event: Mapping[str, Any]) -> None:
        self.progress.finish(event["hook"]["resource"]["addr"], notable=False)

    def on_apply_start(self, event: Mapping[str, Any]) -> None:
        hook = event["hook"]
        self.progress.start(hook["resource"]["addr"], DOING.get(hook["action"], hook["action"]))

    def on_apply_complete(self, event: Mapping[str, Any]) -> None:
        hook = event["hook"]
        address, action = hook["resource"]["addr"], hook["action"]
        if action in COUNTED:
            self.outcome.applied.append((address, action))
            if self.applied:
                self.applied(address, action)
        self.progress.finish(address, DID.get(action, action), notable=action in COUNTED)

    def on_apply_errored(self, event: Mapping[str, Any]) -> None:
        self.progress.finish(event["hook"]["resource"]["addr"], "failed")

    def on_diagnostic(self, event: Mapping[str, Any]) -> None:
        diagnostic = event["diagnostic"]
        where = diagnostic.get("address", "")
        place = diagnostic.get("range") or {}
        if place:
            where = f"{where} " if where else ""
            where += f"({place['filename']}:{place['start']['line']})"
        detail = " ".join(str(diagnostic.get("detail", "")).split())
        text = ": ".join(part for part in (where, diagnostic.get("summary", ""), detail) if part)
        (self.outcome.errors if diagnostic.get("severity") == "error" else self.outcome.warnings).append(text)
