"""What is made in the background is made once, and tried again when that failed."""

from __future__ import annotations

import pytest

from rehearsal import background
from rehearsal.background import Build
from rehearsal.errors import RehearsalError
from rehearsal.processes import wait_until
from tests.support.clock import Clock


def settled(build: Build[str]) -> str:
    """The state after a round's work is done."""
    build.reconcile()
    assert wait_until(lambda: build.state != "building", 5)
    assert build._thread
    build._thread.join(5)
    return build.state


def test_it_is_made_once() -> None:
    made: list[str] = []
    build = Build("thing", lambda: made.append("x") or "thing")  # type: ignore[func-returns-value]
    assert [settled(build), settled(build)] == ["ready", "ready"]
    assert (build.made, made) == ("thing", ["x"])


def test_a_failure_is_said_and_tried_again_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    attempts: list[str] = []

    def make() -> str:
        attempts.append("x")
        if len(attempts) == 1:
            raise RehearsalError("no mirror")
        return "thing"

    build = Build("thing", make)
    assert settled(build) == "failed: no mirror"
    assert settled(build) == "failed: no mirror"
    assert len(attempts) == 1
    Clock(1e12).rule(monkeypatch, background)
    assert settled(build) == "ready"
