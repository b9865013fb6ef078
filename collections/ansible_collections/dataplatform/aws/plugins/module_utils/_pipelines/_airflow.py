# Copyright: (c) 2026, the data platform provisioner's contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Airflow's public API (version 2) through the balancer, logged in with a client certificate.

Private to this collection. The certificate is exchanged for a short-lived token, which the platform accepts from that
certificate only. One method for each call: https://airflow.apache.org/docs/apache-airflow/stable/stable-rest-api-ref.html
"""

from __future__ import annotations

import time
import typing as t
from urllib.parse import quote

from ansible_collections.dataplatform.aws.plugins.module_utils._verification._http import (
    Endpoint,
    KeyPair,
    Refused,
    Response,
    Unreachable,
)

TOKEN = "/auth/certificate-token"  # noqa: S105 (a path)
API = "/api/v2"
COMPONENTS = ("metadatabase", "scheduler", "triggerer", "dag_processor")
# A restarting api-server, or a balancer that has just lost its target.
PASSING = (502, 503, 504)
FINISHED = ("success", "failed")
PAGE = 100  # what Airflow gives at a time at most (api.maximum_page_limit)


class AirflowError(Exception):
    """Airflow refused a call, or did not answer it. ``status`` is HTTP's, 0 without an answer."""

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


class Airflow:
    """A session of one certificate.

    :param patience: seconds for which an outage (a restart, a fail-over) is waited out in each call
    """

    def __init__(self, endpoint: Endpoint, pair: KeyPair, patience: float = 0.0) -> None:
        self.endpoint = endpoint
        self.pair = pair
        self.patience = patience
        self._token = ""

    def log_in(self) -> None:
        """Exchange the certificate for a token. :raises AirflowError: it gives no access, or nobody answers"""
        answer = self._send("POST", TOKEN, {}, ())
        token = answer.json().get("access_token")
        if answer.status not in (200, 201) or not token:
            raise AirflowError(f"POST {TOKEN}: HTTP {answer.status}{_said(answer)}", answer.status)
        self._token = str(token)

    def raw(self, method: str, path: str, body: t.Any = None) -> Response:
        """One call, whatever comes of it; logs in before the first one, and again when the token has lapsed."""
        if not self._token:
            self.log_in()
        answer = self._authorized(method, path, body)
        if answer.status == 401:
            self.log_in()
            answer = self._authorized(method, path, body)
        return answer

    def call(self, method: str, path: str, body: t.Any = None, good: t.Collection[int] = (200,)) -> t.Any:
        """One call that has to succeed; its answer. :raises AirflowError: it did not"""
        answer = self.raw(method, path, body)
        if answer.status not in good:
            raise AirflowError(f"{method} {path}: HTTP {answer.status}{_said(answer)}", answer.status)
        return answer.json()

    def _authorized(self, method: str, path: str, body: t.Any) -> Response:
        return self._send(method, path, body, [("Authorization", f"Bearer {self._token}")])

    def _send(self, method: str, path: str, body: t.Any, headers: t.Sequence[tuple[str, str]]) -> Response:
        """Send until there is an answer of Airflow's, or patience ends."""
        own = [("Origin", self.endpoint.origin), ("Sec-Fetch-Site", "same-origin"), ("Accept", "application/json")]
        deadline = time.monotonic() + self.patience
        while True:
            try:
                answer = self.endpoint.request(method, path, pair=self.pair, headers=[*own, *headers], body=body)
                problem = f"HTTP {answer.status}"
                if answer.status not in PASSING or time.monotonic() > deadline:
                    return answer
            except (Refused, Unreachable) as error:
                problem = str(error)
                if time.monotonic() > deadline:
                    raise AirflowError(f"{method} {path}: {problem}") from error
            time.sleep(1)

    def health(self) -> dict[str, str]:
        """Component → ``healthy``, ``unhealthy``, or ``unknown`` where Airflow says nothing of it."""
        answer = self._send("GET", f"{API}/monitor/health", None, ())
        if answer.status != 200:
            raise AirflowError(f"GET {API}/monitor/health: HTTP {answer.status}{_said(answer)}", answer.status)
        said = answer.json()
        return {name: str((said.get(name) or {}).get("status") or "unknown") for name in COMPONENTS}

    def dag(self, dag_id: str) -> dict[str, t.Any] | None:
        """A DAG as the API knows it; None before it was read from the bundle."""
        answer = self.raw("GET", f"{API}/dags/{quote(dag_id)}")
        if answer.status == 404:
            return None
        if answer.status != 200:
            raise AirflowError(f"GET {API}/dags/{dag_id}: HTTP {answer.status}{_said(answer)}", answer.status)
        return dict(answer.json())

    def visible(self, dag_id: str, seconds: float) -> tuple[dict[str, t.Any] | None, float]:
        """A DAG whose file is in the bucket, as soon as Airflow has read it, and for how many seconds that was waited.

        :returns: None in place of the DAG when the time is over
        """
        started = time.monotonic()
        while True:
            found = self.dag(dag_id)
            here = found is not None and not found.get("is_stale")
            waited = time.monotonic() - started
            if here or waited > seconds:
                return (found if here else None), waited
            time.sleep(1)

    def readings(self) -> dict[str, str]:
        """DAG → when Airflow last read it; without those whose file is gone or could not be read."""
        found: dict[str, str] = {}
        while True:
            page = self.call("GET", f"{API}/dags?order_by=dag_id&limit={PAGE}&offset={len(found)}")
            found.update({dag["dag_id"]: str(dag.get("last_parsed_time")) for dag in page["dags"]})
            if len(page["dags"]) < PAGE:
                return found

    def import_errors(self) -> list[str]:
        """File and last line of every DAG file that Airflow can't read."""
        found = self.call("GET", f"{API}/importErrors")["import_errors"]
        return [f"{entry['filename']}: {(entry['stack_trace'] or '?').strip().splitlines()[-1]}" for entry in found]

    def start(self, dag_id: str, run_id: str, conf: t.Mapping[str, t.Any] | None = None) -> bool:
        """Queue a run under an id of our own. False: there is one with that id already."""
        body = {"dag_run_id": run_id, "logical_date": None, "conf": dict(conf or {})}
        answer = self.raw("POST", f"{API}/dags/{quote(dag_id)}/dagRuns", body)
        if answer.status == 409:
            return False
        if answer.status != 200:
            raise AirflowError(f"could not start {dag_id}: HTTP {answer.status}{_said(answer)}", answer.status)
        return True

    def run(self, dag_id: str, run_id: str) -> dict[str, t.Any] | None:
        """A run: ``state``, ``queued_at``, ``start_date``, ``end_date``; None where there is none."""
        answer = self.raw("GET", _run_path(dag_id, run_id))
        if answer.status == 404:
            return None
        if answer.status != 200:
            raise AirflowError(f"GET the run {run_id}: HTTP {answer.status}{_said(answer)}", answer.status)
        return dict(answer.json())

    def tasks(self, dag_id: str, run_id: str) -> list[dict[str, t.Any]]:
        """The run's task instances: ``task_id``, ``state``, ``try_number``."""
        return list(self.call("GET", f"{_run_path(dag_id, run_id)}/taskInstances?limit=100")["task_instances"])

    def pause(self, dag_id: str, paused: bool) -> None:
        """Have Airflow start no runs of a DAG, or start them again."""
        self.call("PATCH", f"{API}/dags/{quote(dag_id)}?update_mask=is_paused", {"is_paused": paused})

    def finish(self, dag_id: str, run_id: str) -> None:
        """Call a run done, whatever its tasks are at."""
        self.call("PATCH", _run_path(dag_id, run_id), {"state": "success"}, good=(200, 404))

    def forget(self, dag_id: str) -> None:
        """Remove a DAG and its runs from Airflow's memory; its file is somebody else's business."""
        self.call("DELETE", f"{API}/dags/{quote(dag_id)}", good=(200, 204, 404))


def _run_path(dag_id: str, run_id: str) -> str:
    return f"{API}/dags/{quote(dag_id)}/dagRuns/{quote(run_id, safe='')}"


def _said(answer: Response) -> str:
    """What Airflow gives as a reason, in few words."""
    detail = answer.json()
    detail = detail.get("detail") if isinstance(detail, dict) else None
    return f" ({str(detail)[:200]})" if detail else ""
