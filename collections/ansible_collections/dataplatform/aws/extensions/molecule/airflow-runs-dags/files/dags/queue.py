"""Three tasks, one at a time: while the first runs, the others wait."""

from __future__ import annotations

import subprocess

from airflow.sdk import dag, task


@dag(schedule=None, catchup=False, max_active_tasks=1, dag_id="queue")
def one_at_a_time() -> None:
    @task
    def step(number: int) -> int:
        # Long enough for an upgrade to begin meanwhile.
        subprocess.run(["sleep", "15"], check=True)
        return number

    for number in range(3):
        step.override(task_id=f"step_{number}")(number)


one_at_a_time()
