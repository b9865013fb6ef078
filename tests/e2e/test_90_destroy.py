"""The end: nothing is left."""

from __future__ import annotations

import json
import subprocess
import sys

from tests.support.machine import Machine
from tests.support.rehearsal import ROOT


def test_destroy_asks_before_it_destroys(dev):
    """Without --yes and without a terminal nothing happens."""
    assert dev.run("destroy", expect=None).returncode in (1, 3)
    assert dev.status()["nifi"]["nodes"]


def test_destroy_leaves_nothing_behind(dev, machine_before):
    """Acceptance 8."""
    dev.run("destroy", "--yes")
    assert Machine.now().left_since(machine_before) == {}


def test_destroy_again_is_no_error(rehearsal):
    rehearsal.run("destroy", "--yes")


def test_status_says_that_nothing_runs(machine_before):
    done = subprocess.run(
        [sys.executable, "-m", "rehearsal", "status", "--json"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout)["supervisor"]["pid"] is None
