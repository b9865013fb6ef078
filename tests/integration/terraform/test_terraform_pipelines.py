"""Terraform and a deployment of pipelines alone publish the same files: else each would undo what the other did."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from driver import collection

MODULES = Path(__file__).resolve().parents[3] / "terraform" / "modules"
CHOICE = re.compile(r"^  (?:dags|artifacts) = toset\((\[.+?\])\)$", re.MULTILINE | re.DOTALL)
PUBLISHED = {"daily.py", "sql/clean.sql", ".keep", "cache/a.py", "a_cache", "pycache.py", "~notes.txt", "a.pyc.txt"}
LEFT = {
    *("a.pyc", "sql/b.pyc", "a.py~", ".daily.py.swp", "sql/.clean.sql.swp"),
    *("__pycache__/c.py", "sql/__pycache__/d.txt"),
    *(".pytest_cache/e", "sql/.mypy_cache/3.12/f.json", ".ruff_cache/0.9/g"),
}


@pytest.mark.terraform
@pytest.mark.parametrize("source", ["airflow/dags_sync.tf", "processing/main.tf"])
def test_the_same_files_are_published(source: str, tmp_path: Path) -> None:
    folder, empty = tmp_path / "pipelines", tmp_path / "empty"
    for name in PUBLISHED | LEFT:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    assert set(collection.module("_s3_folder").local_files(folder)) == PUBLISHED

    found = CHOICE.search((MODULES / source).read_text())
    assert found, f"{source} chooses its files in another way"
    expression = re.sub(r"var\.\w+_directory", json.dumps(str(folder)), " ".join(found[1].split()))
    empty.mkdir()
    done = subprocess.run(
        ["terraform", f"-chdir={empty}", "console"],
        input=f"jsonencode({expression})\n",
        capture_output=True,
        text=True,
        check=True,
    )
    assert set(json.loads(json.loads(done.stdout))) == PUBLISHED
