"""Each role on a real host: converge, converge again without a change, verify what it promises."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
COLLECTION = ROOT / "collections" / "ansible_collections" / "dataplatform" / "aws"
SCENARIOS = sorted(path.parent.name for path in COLLECTION.glob("extensions/molecule/*/molecule.yml"))
ROLES = sorted(path.parent.parent.name for path in COLLECTION.glob("roles/*/tasks/main.yml"))


@pytest.fixture(scope="module")
def image() -> str:
    """The hosts' image, built unless it is there."""
    command = [sys.executable, "-m", "rehearsal", "image"]
    return subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout.split()[-1]


@pytest.mark.molecule
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_scenario(scenario, image):
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        [sys.executable, "-m", "rehearsal", "exec", "--", "make", "molecule", f"SCENARIO={scenario}"],
        cwd=ROOT,
        env={**os.environ, "PATH": path, "MOLECULE_HOST_IMAGE": image},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-6000:]


def test_every_role_has_a_scenario():
    """A role nobody tries is a role nobody may rely on."""
    tried = "\n".join(path.read_text() for path in COLLECTION.glob("extensions/molecule/*/converge.yml"))
    assert [role for role in ROLES if f"dataplatform.aws.{role}" not in tried and f"name: {role}" not in tried] == []
