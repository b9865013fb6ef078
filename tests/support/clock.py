"""Time that a test lets pass, for one module: `time` itself belongs to all threads, and a test runner has some."""

from __future__ import annotations

import time
from types import ModuleType
from typing import Any

import pytest


class Clock:
    """Stands for the module `time` in a module under test: `now` passes by sleeping, or as the test sets it."""

    def __init__(self, now: float = 0.0) -> None:
        self.now = now
        self.slept: list[float] = []

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    def __getattr__(self, name: str) -> Any:
        return getattr(time, name)

    def rule(self, monkeypatch: pytest.MonkeyPatch, *modules: ModuleType) -> Clock:
        """Have these modules, which `import time`, see this clock."""
        for module in modules:
            monkeypatch.setattr(module, "time", self)
        return self
