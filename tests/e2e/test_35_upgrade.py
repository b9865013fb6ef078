"""Airflow goes from one minor version to the next by one variable, and what waits in its queue is not lost."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from tests.support.airflow import airflow, wait_for_task
from tests.support.rehearsal import ROOT, Failure, Rehearsal, wait_for

pytestmark = pytest.mark.slow
OLDER = Path(__file__).with_name("airflow-older.txt")
NEWEST = ROOT / "requirements" / "airflow.txt"
VARIABLES = ROOT / "inventories" / "dev" / "group_vars" / "airflow_api_server.yml"
QUEUE = "verification_queue"  # (deploy-pipelines leaves DAGs of verifications alone)
SOURCE = f'''from airflow.sdk import DAG, task

with DAG(dag_id="{QUEUE}", schedule=None, is_paused_upon_creation=True):

    @task
    def work() -> str:
        return "done"

    work()
'''
START = "systemd-run --quiet --wait --pipe --collect --uid=airflow --gid=airflow"
START += " --property=EnvironmentFile=/etc/airflow/airflow.env"
AIRFLOW, PYTHON = (f"{START} /opt/airflow/venv/bin/{name}" for name in ("airflow", "python"))
REVISION = """
from airflow.utils.session import create_session
from sqlalchemy import text
with create_session() as session:
    print(session.scalar(text("select version_num from alembic_version")))
"""


def on_host(dev: Rehearsal, command: str) -> str:
    return dev.ssh(dev.nodes("airflow")[0]["private_ip"], command)


def version(dev: Rehearsal) -> str:
    return on_host(dev, f"{AIRFLOW} version").split()[-1]


def locked(lock: Path) -> str:
    """The version of Airflow in a lock file."""
    found = re.search(r"^apache-airflow==(\S+)", lock.read_text(), re.MULTILINE)
    assert found, lock
    return found[1]


def start_on_the_host(dev: Rehearsal) -> bool:
    """A run of the DAG, by the command line on the host; False while Airflow does not know the DAG yet."""
    try:
        on_host(dev, f"{AIRFLOW} dags trigger --run-id waiting {QUEUE}")
    except Failure as failure:
        if "DagNotFound" not in str(failure):
            raise
        return False
    return True


def migration(dev: Rehearsal) -> str:
    """The revision of the database's tables."""
    return on_host(dev, f"{PYTHON} -c {shlex.quote(REVISION)}").split()[-1]


@pytest.fixture
def older(dev):
    """An Airflow of the version before, with a database of its own time: a newer one can't be taken back.

    Nobody logs in to it: users' certificates need what Airflow has for auth managers since 3.3.
    """
    on_host(dev, "systemctl stop 'airflow-*.service'")
    on_host(dev, f"{AIRFLOW} db reset --yes --skip-init")
    lock = "{{ playbook_dir }}/../../" + str(OLDER.relative_to(ROOT))
    VARIABLES.write_text(f'---\nairflow_requirements: "{lock}"\n')
    try:
        dev.run("--yes", "--only", "configuration", "--tags", "airflow")
        yield
    finally:
        VARIABLES.unlink(missing_ok=True)


@pytest.mark.usefixtures("older")
def test_an_upgrade_takes_the_queue_along(dev, people):
    """Acceptance 5: one variable; the database is migrated, and a run that waits is run by the new version."""
    assert version(dev) == locked(OLDER)
    tables = migration(dev)
    dev.client("s3").put_object(Bucket=dev.platform()["buckets"]["dags"], Key=f"dags/{QUEUE}.py", Body=SOURCE.encode())
    wait_for(lambda: start_on_the_host(dev), 120, "Airflow knows the DAG", every=2)
    VARIABLES.unlink()
    dev.run("--yes", "--only", "configuration", "--tags", "airflow")
    assert version(dev) == locked(NEWEST)
    assert migration(dev) != tables
    alice = airflow(dev, people["alice"].pair())
    assert alice.run(QUEUE, "waiting")["state"] == "queued"
    alice.pause(QUEUE, False)
    assert wait_for_task(alice, QUEUE, "waiting", "work", 180, "success") == "success"


def test_after_the_upgrade_nothing_is_left_to_do(dev):
    """(The runs' history went with the database of this test; a verification would put the data through once more.)"""
    dev.client("s3").delete_object(Bucket=dev.platform()["buckets"]["dags"], Key=f"dags/{QUEUE}.py")
    dev.run("--yes", "--only", "configuration", "--only", "pipelines")
    assert dev.record()["changes"]["ansible"] == 0
    assert dev.is_healthy()
