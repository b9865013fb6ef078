"""Two tasks that hand a number on, so that a run shows scheduler, executor, XCom and logs at work."""

from __future__ import annotations

from airflow.sdk import dag, task


@dag(schedule=None, catchup=False)
def counts() -> None:
    @task
    def begin() -> int:
        print("counting from 41")
        return 41

    @task
    def add(number: int) -> int:
        return number + 1

    add(begin())


counts()
