"""Loads the DAGs with a real Airflow and prints what came of it as JSON. Run by test_dags.py, with Airflow's Python."""

from __future__ import annotations

import json
import sys
from typing import Any
from unittest import mock


def main(folder: str) -> None:
    from airflow.dag_processing.dagbag import BundleDagBag
    from airflow.serialization.serialized_objects import DagSerialization

    bag = BundleDagBag(folder, bundle_path=folder, bundle_name="dags")
    found: dict[str, Any] = {"errors": bag.import_errors, "dags": {}}
    for name, dag in bag.dags.items():
        DagSerialization.to_dict(dag)
        deadline = (dag.deadline if isinstance(dag.deadline, list) else [dag.deadline])[0]
        found["dags"][name] = {
            "tasks": {task.task_id: described(task) for task in dag.tasks},
            "params": sorted(dag.params),
            "max_active_runs": dag.max_active_runs,
            "schedule": getattr(dag.timetable, "expression", ""),
            "deadline": [
                type(deadline.reference).__name__,
                deadline.interval.total_seconds(),
                deadline.callback.path,
                deadline.callback.kwargs["target_arn"],
            ],
        }
    if "flights_daily" in bag.dags:
        found["deferred"] = deferred(bag.dags["flights_daily"].get_task("land_with_nifi"))
    print("RESULT " + json.dumps(found, default=str))


def described(task: Any) -> dict[str, Any]:
    return {
        "type": type(task).__name__,
        "retries": task.retries,
        "downstream": sorted(task.downstream_task_ids),
        "deferrable": getattr(task, "deferrable", None),
        "mode": getattr(task, "mode", None),
        "job": getattr(task, "job_driver", None),
    }


def deferred(task: Any) -> dict[str, Any]:
    """What the operator does with NiFi, and which patterns it leaves to the trigger, look by look."""
    from airflow.sdk.exceptions import TaskDeferred
    from dataplatform_operators import nifi

    calls: list[Any] = []
    task.keys = [f"flights/ingest_date=2013-01-{day:02}/batch-*" for day in range(1, 21)]
    fake = mock.Mock()
    fake.group.side_effect = lambda name: {"id": "g1" if name == "flights-batch" else f"{name}-id"}
    fake.set_state.side_effect = lambda *given: calls.append(given)
    looks = [task.keys[:3], []]
    waits: list[dict[str, Any]] = []
    resume: dict[str, Any] = {}

    def go(method: str, *given: Any, **more: Any) -> bool:
        try:
            getattr(task, method)({}, *given, **more)
        except TaskDeferred as waiting:
            path, arguments = waiting.trigger.serialize()
            waits.append({"trigger": path, "started": list(calls), **arguments})
            resume.update(method=waiting.method_name, kwargs=waiting.kwargs)
            return True
        return False

    with (
        mock.patch.object(nifi, "NiFi", return_value=fake),
        mock.patch.object(nifi.certificate, "tls_context"),
        mock.patch.object(nifi.days, "missing", side_effect=looks),
    ):
        waiting = go("execute")
        while waiting:
            waiting = go(resume["method"], {"status": "success"}, **resume["kwargs"])
        try:
            go(resume["method"], {"status": "error", "message": "no bucket"}, **resume["kwargs"])
        except nifi.NiFiError as error:
            failure = str(error)
        ended, late = list(calls), timed_out(task, calls)
        fake.set_state.side_effect = nifi.NiFiError("NiFi is away")
        timed_out(task, [])
        keys, task.keys = task.keys, []
        waits_for_nothing = go("execute")
    return {
        "keys": keys,
        "waits": waits,
        "calls": ended,
        "failure": failure,
        "timed_out": late,
        "waits_for_nothing": waits_for_nothing,
    }


def timed_out(task: Any, calls: list[Any]) -> dict[str, Any]:
    """What a deferral's timeout ends in as Airflow has it: by an error, and when that was the last try by callbacks."""
    from airflow.sdk.exceptions import TaskDeferralTimeout
    from airflow.sdk.execution_time import task_runner

    calls.clear()
    running = task.prepare_for_execution()
    running.group = "rendered"
    try:
        running.resume_execution("__fail__", {"error": "Trigger timeout"}, {})
    except TaskDeferralTimeout as error:
        said = str(error)
    tried_again = list(calls)
    context: Any = {"task": running, "outlet_events": {}}
    task_runner._run_task_state_change_callbacks(running, "on_failure_callback", context, mock.Mock())
    return {"error": said, "tried_again": tried_again, "failed": list(calls)}


if __name__ == "__main__":
    main(sys.argv[1])
