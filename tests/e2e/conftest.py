"""One rehearsal of DEV for all end-to-end tests: brought up by the first of them, ended by the last."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest

from tests.e2e.person import DNS, Person
from tests.support.machine import Machine
from tests.support.rehearsal import ROOT, Rehearsal


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "tests/e2e" in str(item.path):
            item.add_marker(pytest.mark.e2e)
            item.add_marker(pytest.mark.timeout(3000))


# For whoever works on one of these tests: KEEP_REHEARSAL=1 takes the rehearsal that runs, and leaves it running.
KEEP = os.environ.get("KEEP_REHEARSAL") == "1"


def destroy_everything() -> None:
    if KEEP:
        return
    subprocess.run([sys.executable, "-m", "rehearsal", "destroy"], cwd=ROOT, check=True, stdin=subprocess.DEVNULL)


@pytest.fixture(scope="session")
def machine_before() -> Machine:
    """The machine as it was: whatever an earlier run left is ended first."""
    destroy_everything()
    return Machine.now()


@pytest.fixture(scope="session")
def rehearsal(machine_before: Machine):
    yield Rehearsal("dev")
    destroy_everything()


@pytest.fixture(scope="session")
def dev(rehearsal: Rehearsal) -> Rehearsal:
    """A converged DEV. The first run of the suite proves it (test_10); any single test may be run alone."""
    if rehearsal.run("status", expect=None).returncode != 0 or not rehearsal.is_healthy():
        rehearsal.run("--yes")
    return rehearsal


@pytest.fixture(scope="session")
def people(dev: Rehearsal, tmp_path_factory: pytest.TempPathFactory):
    """alice and bob, with nothing but the files they were handed; those are gone afterwards."""
    found = {name: Person(dev, name, tmp_path_factory.mktemp(name) / "files") for name in DNS}
    yield found
    for person in found.values():
        shutil.rmtree(person.folder)
