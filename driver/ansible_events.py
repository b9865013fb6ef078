"""What ansible-runner reports while a playbook runs, as progress, a log and a result."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from io import TextIOBase
from typing import Any

from driver.progress import Progress

SILENT_MODULES = ("debug", "assert", "set_fact", "meta", "include_tasks", "include_role", "import_role")


@dataclass(frozen=True)
class Failure:
    """A task that failed on a host."""

    host: str
    task: str
    message: str

    def __str__(self) -> str:
        return f"{self.host}: {self.task}: {self.message}"


@dataclass
class Outcome:
    """What a playbook did.

    changed: tasks that changed something, each a (host, task); failures: tasks that failed, those that a `rescue` made
    good among them; tasks: how many ran; code: Ansible's own word
    """

    changed: list[tuple[str, str]] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    tasks: int = 0
    code: int = 0
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        return self.code == 0


class Reader:
    """Takes the events one by one, in the order they come."""

    def __init__(self, progress: Progress, log: TextIOBase, names: Mapping[str, str] | None = None) -> None:
        self.progress = progress
        self.log = log
        self.names = names or {}
        self.outcome = Outcome()
        self.said: list[str] = []  # what came outside of tasks: why a playbook did not even start
        self._items: dict[str, list[str]] = {}  # of the loop at hand: what its items failed with

    def event(self, event: Mapping[str, Any]) -> bool:
        """One event. Returns False: ansible-runner need not keep it."""
        text = str(event.get("stdout") or "")
        if text:
            self.log.write(text + "\n")
        handler = getattr(self, f"on_{event.get('event', '')}", None)
        if handler:
            handler(event.get("event_data") or {})
        elif text:
            self.said.append(text)
        return False

    def reason(self) -> str:
        """Why a playbook did not run: the lines that say error, else the last ones."""
        lines = [line.strip() for text in self.said for line in text.splitlines() if line.strip()]
        errors = [line for line in lines if "error" in line.lower()[:40]]
        return " ".join(errors or lines[-10:])

    def _item(self, data: Mapping[str, Any]) -> str:
        host = str(data.get("host", ""))
        return f"{self.names.get(host, host)} · {data.get('task', '')}"

    def on_playbook_on_play_start(self, data: Mapping[str, Any]) -> None:
        self.progress.note(str(data.get("name", "")))

    def on_runner_on_start(self, data: Mapping[str, Any]) -> None:
        self.progress.start(self._item(data), "")

    def on_runner_on_ok(self, data: Mapping[str, Any]) -> None:
        self.outcome.tasks += 1
        changed = bool((data.get("res") or {}).get("changed"))
        if changed:
            self.outcome.changed.append((str(data.get("host", "")), str(data.get("task", ""))))
        self.progress.finish(self._item(data), "changed", notable=changed)

    def on_runner_on_skipped(self, data: Mapping[str, Any]) -> None:
        self.progress.finish(self._item(data), notable=False)

    def on_runner_retry(self, data: Mapping[str, Any]) -> None:
        result = data.get("res") or {}
        left = f"try {result.get('attempts', '?')} of {result.get('retries', '?')}"
        self.progress.start(self._item(data), left)

    def on_runner_item_on_failed(self, data: Mapping[str, Any]) -> None:
        self._items.setdefault(self._item(data), []).append(message_of(data.get("res") or {}))

    def on_runner_on_failed(self, data: Mapping[str, Any]) -> None:
        items = self._items.pop(self._item(data), [])
        if data.get("ignore_errors"):
            self.progress.finish(self._item(data), "failed, ignored", notable=False)
            return
        self._failed(data, "; ".join(items) or message_of(data.get("res") or {}))

    def on_runner_on_unreachable(self, data: Mapping[str, Any]) -> None:
        self._failed(data, "can't be reached: " + message_of(data.get("res") or {}))

    def _failed(self, data: Mapping[str, Any], message: str) -> None:
        self.outcome.failures.append(Failure(str(data.get("host", "")), str(data.get("task", "")), message))
        self.progress.finish(self._item(data), "failed")


def message_of(result: Mapping[str, Any]) -> str:
    """The words of a failed task, without its data."""
    parts = [str(result.get("msg") or result.get("censored") or "failed")]
    for stream in ("stderr", "module_stderr", "stdout"):
        text = str(result.get(stream) or "").strip()
        if text and text not in parts[0]:
            parts.append(text[-800:])
            break
    return " ".join(parts)
