"""``current.json``: which run is at work in an environment, and how far it is. For people, monitoring and the next
run.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from driver.project import write_private


def now() -> str:
    """This moment, RFC 3339 in UTC."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass
class Heartbeat:
    """Written at each change, whole or not at all."""

    path: Path
    verb: str
    run: str
    started: str = field(default_factory=now)
    enabled: bool = True  # verbs that only look leave it to the run at work

    def _write(self, **values: Any) -> None:
        if not self.enabled:
            return
        known = {"pid": os.getpid(), "run": self.run, "verb": self.verb, "started": self.started}
        write_private(self.path, json.dumps({**known, **values}, indent=2) + "\n")

    def stage(self, name: str) -> None:
        self._write(stage=name, stage_started=now())

    def ended(self, code: int) -> None:
        self._write(stage=None, ended=now(), exit_code=code)
