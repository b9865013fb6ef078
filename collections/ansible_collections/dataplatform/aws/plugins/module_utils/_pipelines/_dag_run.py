# Copyright: (c) 2026, the data platform provisioner's contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One run of the pipeline on known data: started under an id made from data and code, and followed to its end.

Private to this collection. The id makes a verification resumable: after a kill the next one finds the run that the
first one started, and a platform on which nothing has changed is not put to work again. (What expires in bronze is a change.)
"""

from __future__ import annotations

import hashlib
import json
import time
import typing as t
from dataclasses import dataclass

from ansible_collections.dataplatform.aws.plugins.module_utils import _aws
from ansible_collections.dataplatform.aws.plugins.module_utils._pipelines._airflow import (
    FINISHED,
    Airflow,
    AirflowError,
)
from ansible_collections.dataplatform.aws.plugins.module_utils._verification._checks import CheckFailed, Outcome

POLL = 3.0  # seconds
ATTEMPTS = 20  # of one data and code: runs that failed, or whose data expired, each started by a later verification
DONE = ("success", "skipped")


def fingerprint(s3: t.Any, places: t.Sequence[tuple[str, str]], data: str, conf: t.Mapping[str, t.Any]) -> str:
    """Twelve hexadecimal digits that change with the data, with the conf, and with any object below the places.

    :param places: buckets and prefixes: the DAGs, the jobs
    :param data: a hash of the data
    """
    digest = hashlib.sha256(f"{data}\n{json.dumps(conf, sort_keys=True)}\n".encode())
    for bucket, prefix in places:
        for entry in _aws.pages(s3, "list_objects_v2", "Contents", Bucket=bucket, Prefix=prefix):
            if "/verification_" not in entry["Key"]:  # a verification's own DAG, which comes and goes
                digest.update(f"{entry['Key']}\0{entry['ETag']}\n".encode())
    return digest.hexdigest()[:12]


@dataclass(frozen=True)
class Begun:
    """A run: its id, whether it was started now, and whether its DAG was paused."""

    run_id: str
    new: bool
    paused: bool = False

    def __str__(self) -> str:
        return f"{self.run_id} {'was started' if self.new else 'is there already'}"


def begin(
    airflow: Airflow,
    dag_id: str,
    mark: str,
    conf: t.Mapping[str, t.Any],
    seconds: float = 0.0,
    still_there: t.Callable[[], bool] = lambda: True,
) -> Begun:
    """The run of this data and code: one that goes on or succeeded, else a new one. A paused DAG is let run.

    :param seconds: how long Airflow may take to read a DAG that has only just been published
    :param still_there: whether what a run that succeeded had landed is in the lake, asked when there is such a run
    :raises CheckFailed: the DAG is not there, or was run too often
    """
    dag, _waited = airflow.visible(dag_id, seconds)
    if dag is None:
        errors = "; ".join(airflow.import_errors()) or "Airflow reports no import error"
        raise CheckFailed(f"there is no DAG {dag_id}: {errors}", "run `--only pipelines`")
    paused = bool(dag.get("is_paused"))
    last_id, state, free_id = _attempts(airflow, dag_id, mark)
    if state == "success" and still_there():
        return Begun(last_id, False)
    new = state in ("", *FINISHED)
    if new and not free_id:
        raise CheckFailed(f"{dag_id} was run {ATTEMPTS} times on this data", "look at the task logs in Airflow")
    if new:
        airflow.start(dag_id, free_id, conf)
    # (only now: a schedule's own run, made when the pause ends, must not come first)
    if paused:
        airflow.pause(dag_id, False)
    return Begun(free_id if new else last_id, new, paused)


def _attempts(airflow: Airflow, dag_id: str, mark: str) -> tuple[str, str, str]:
    """Id and state of the newest run of this mark, and the next one's id; each of them empty where there is none."""
    last_id = state = ""
    for attempt in range(1, ATTEMPTS + 1):
        run_id = f"verification-{mark}" + (f"-{attempt}" if attempt > 1 else "")
        run = airflow.run(dag_id, run_id)
        if run is None:
            return last_id, state, run_id
        last_id, state = run_id, str(run["state"])
    return last_id, state, ""


def follow(
    airflow: Airflow, dag_id: str, run_id: str, seconds: float, tell: t.Callable[[str], None]
) -> dict[str, t.Any]:
    """Wait for the run's end, and say on the way which tasks are at work.

    :returns: the finished run
    :raises CheckFailed: it failed, or did not end in time; names the tasks and their states
    """
    deadline, said = time.monotonic() + seconds, ""
    while True:
        run = airflow.run(dag_id, run_id)
        if run is None:
            raise CheckFailed(f"the run {run_id} of {dag_id} is gone", "look at Airflow's audit log")
        if run["state"] == "success":
            return run
        tasks = airflow.tasks(dag_id, run_id)
        line = f"{dag_id} {run_id}: {summary(tasks) or run['state']}"
        if line != said:
            said = line
            tell(line)
        if run["state"] in FINISHED:
            failed = [task["task_id"] for task in tasks if task["state"] == "failed"]
            raise CheckFailed(
                f"{run_id} failed in {', '.join(failed) or 'no task'}", "look at the task's log in Airflow"
            )
        if time.monotonic() > deadline:
            raise CheckFailed(f"{run_id} is not done after {seconds:.0f} s: {summary(tasks)}", "look at Airflow's grid")
        time.sleep(POLL)


def summary(tasks: t.Sequence[t.Mapping[str, t.Any]]) -> str:
    """``3 of 9 tasks done, silver running (try 2)``"""
    done = [task for task in tasks if task["state"] in DONE]
    busy = [_busy(task) for task in tasks if task["state"] not in (*DONE, None, "removed")]
    return ", ".join([f"{len(done)} of {len(tasks)} tasks done", *busy]) if tasks else ""


def _busy(task: t.Mapping[str, t.Any]) -> str:
    again = f" (try {task['try_number']})" if (task.get("try_number") or 0) > 1 else ""
    return f"{task['task_id']} {task['state']}{again}"


def check_run(
    airflow: Airflow,
    dag_id: str,
    begun: Begun,
    seconds: float,
    tell: t.Callable[[str], None],
    keep: dict[str, t.Any],
) -> Outcome:
    """The run succeeds; what is known of it is kept in ``keep``."""
    run_id = begun.run_id
    try:
        run = follow(airflow, dag_id, run_id, seconds, tell)
    except AirflowError as error:
        raise CheckFailed(str(error), "look at the api-server and the balancer") from error
    finally:
        if begun.paused:
            airflow.pause(dag_id, True)
    keep.update(
        dag_id=dag_id, run_id=run_id, state=run["state"], started=run.get("start_date"), ended=run.get("end_date")
    )
    keep["tasks"] = {task["task_id"]: task["state"] for task in airflow.tasks(dag_id, run_id)}
    if not begun.new:
        return Outcome(f"{run_id} succeeded for this data and code at {run.get('end_date')}")
    return Outcome(f"{run_id} succeeded")


def check_tasks(keep: t.Mapping[str, t.Any], word: str) -> Outcome:
    """The run's tasks with ``word`` in their name succeeded."""
    states = {name: state for name, state in keep.get("tasks", {}).items() if word in name}
    bad = {name: state for name, state in states.items() if state != "success"}
    if not states or bad:
        raise CheckFailed(", ".join(f"{n} is {s}" for n, s in bad.items()) or f"the run has no task named *{word}*")
    return Outcome(", ".join(sorted(states)) + " succeeded")
