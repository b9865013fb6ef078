"""Every module: formatted, described, documented, and its own tests pass."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.terraform.terraform_runner import Terraform

ROOT = Path(__file__).resolve().parents[3]
TERRAFORM = ROOT / "terraform"
MODULES = sorted(path.parent.name for path in TERRAFORM.glob("modules/*/main.tf"))
ROOTS = [TERRAFORM / "bootstrap", TERRAFORM / "environments" / "dev"]
FOLDERS = [*(TERRAFORM / "modules" / name for name in MODULES), *ROOTS]
BLOCK = re.compile(r'^(variable|output) "([^"]+)" \{\n(.*?)^\}', re.MULTILINE | re.DOTALL)


def test_formatted() -> None:
    done = subprocess.run(
        ["terraform", "fmt", "-check", "-recursive", TERRAFORM], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: path.name)
def test_variables_and_outputs_are_described(folder: Path) -> None:
    for path in folder.glob("*.tf"):
        for kind, name, body in BLOCK.findall(path.read_text()):
            assert re.search(r'^  description = ".+\."$', body, re.MULTILINE), f"{path.name}: {name} has no description"
            assert kind == "output" or re.search(r"^  type +=", body, re.MULTILINE), f"{path.name}: {name} has no type"


# https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateSecurityGroup.html
SECURITY_GROUP = re.compile(
    r'^resource "aws_(?:security_group|vpc_security_group_[a-z_]+)" "[^"]+" \{\n(.*?)^\}', re.MULTILINE | re.DOTALL
)
ALLOWED_TEXT = re.compile(r"[a-zA-Z0-9. _\-:/()#,@\[\]+=&;{}!$*]{0,255}")


def test_ec2_takes_the_descriptions_of_security_groups_and_their_rules() -> None:
    """Neither the provider nor the emulated account looks at them; EC2 refuses an apostrophe."""
    found = {
        text: path
        for path in TERRAFORM.rglob("*.tf")
        for body in SECURITY_GROUP.findall(path.read_text())
        for text in re.findall(r'^  description +=.*?"(.*)"', body, re.MULTILINE)
    }
    assert len(found) > 10
    assert [f"{path.name}: {text}" for text, path in found.items() if not ALLOWED_TEXT.fullmatch(text)] == []


@pytest.mark.parametrize("name", MODULES)
def test_a_module_has_its_files(name: str) -> None:
    folder = TERRAFORM / "modules" / name
    for expected in ("main.tf", "variables.tf", "outputs.tf", "versions.tf", "README.md"):
        assert (folder / expected).is_file(), f"{name} lacks {expected}"
    assert list(folder.glob("tests/*.tftest.hcl"))
    assert list(folder.glob("examples/*/main.tf"))


def test_tables_of_the_readmes_are_current() -> None:
    done = subprocess.run(
        [sys.executable, TERRAFORM / "readme.py", "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.terraform
@pytest.mark.parametrize("name", MODULES)
def test_a_modules_own_tests(name: str, sources: Callable[[str], Path], providers: dict[str, str]) -> None:
    terraform = Terraform(sources(name) / "modules" / name, providers)
    terraform.init("-backend=false")
    assert ", 0 failed" in terraform.run("test", "-no-color")
