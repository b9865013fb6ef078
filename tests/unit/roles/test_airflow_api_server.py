"""What the API server does before it forks its workers, with the Airflow that the hosts run."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.support.airflow_venv import airflow_python

FILES = Path(__file__).parents[3] / "collections/ansible_collections/dataplatform/aws/roles/airflow/files"
SERVER = """
import os, sys, types
sys.path.insert(0, {files!r})
from cadwyn import Cadwyn, HeadVersion, Version, VersionBundle
from fastapi import FastAPI

server = types.ModuleType("airflow.api_fastapi.main")
server.app, tasks = FastAPI(), Cadwyn(versions=VersionBundle(HeadVersion(), Version("2026-01-01")))
server.app.mount("/execution", tasks)
server.app.mount("/other", FastAPI())
sys.modules["airflow.api_fastapi.main"] = server
import airflow_local_settings

worker = os.fork()
if worker == 0:
    os._exit(0 if tasks._cadwyn_initialized else 1)
_, status = os.waitpid(worker, 0)
sys.exit(os.waitstatus_to_exitcode(status))
"""


def test_workers_find_the_interface_of_tasks_ready() -> None:
    """Generating it took five seconds of the first task that each worker served."""
    command = [airflow_python(), "-c", SERVER.format(files=str(FILES))]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
