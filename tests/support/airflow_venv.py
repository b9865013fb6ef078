"""An environment with the Airflow that the hosts run."""

from __future__ import annotations

import fcntl
import functools
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LOCK = ROOT / "requirements" / "airflow.txt"


@functools.cache
def airflow_python() -> str:
    """DATAPLATFORM_AIRFLOW_PYTHON, else an environment below .cache with what the hosts install."""
    if given := os.environ.get("DATAPLATFORM_AIRFLOW_PYTHON"):
        return given
    if not LOCK.exists():
        pytest.skip(f"{LOCK.name} is not there: no Airflow to load the DAGs with")
    cache = ROOT / ".cache"
    cache.mkdir(exist_ok=True)
    python = cache / "airflow-venv" / "bin" / "python"
    marker = python.parents[1] / f".ready-{hashlib.sha256(LOCK.read_bytes()).hexdigest()[:16]}"
    with (cache / "airflow-venv.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not marker.exists():
            uv = str(Path(sys.executable).with_name("uv"))
            environment = {**os.environ, "UV_CACHE_DIR": str(cache / "uv"), "UV_PYTHON_DOWNLOADS": "never"}
            for command in (
                [uv, "venv", "-q", "--clear", "--python", host_python(), str(python.parents[1])],
                [uv, "pip", "sync", "-q", "--require-hashes", "--python", str(python), str(LOCK)],
            ):
                subprocess.run(command, check=True, env=environment)
            marker.touch()
    return str(python)


def host_python() -> str:
    """The hosts' minor version (Debian 13: 3.13): the lock is made for it."""
    versions = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    for candidate in (shutil.which("python3.13"), *map(str, sorted(versions.glob("3.13*/bin/python3.13")))):
        if candidate and subprocess.run([candidate, "--version"], capture_output=True, check=False).returncode == 0:
            return candidate
    pytest.skip("no Python 3.13, which Airflow's requirements are locked for")
