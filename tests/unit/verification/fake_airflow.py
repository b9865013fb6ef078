"""Airflow's API as far as the verification uses it, kept in memory: an Endpoint that answers by itself."""

from __future__ import annotations

import json
import re
from typing import Any

from ansible_collections.dataplatform.aws.plugins.module_utils._verification._http import Response

RANKS = ("Public", "Viewer", "User", "Op", "Admin")


class FakeAirflow:
    """One host name with Airflow behind it.

    role: what the certificate's DN maps to; outages: answers to give before the next real one, statuses or exceptions
    """

    host, port, origin = "airflow.test", 443, "https://airflow.test"

    def __init__(self, role: str = "User") -> None:
        self.role = role
        self.dags: dict[str, dict[str, Any]] = {"flights_daily": {"dag_id": "flights_daily", "is_paused": False}}
        self.runs: dict[tuple[str, str], list[tuple[str, list[dict[str, Any]]]]] = {}
        self.next_run: list[tuple[str, list[dict[str, Any]]]] = [("success", [])]
        self.errors: list[dict[str, str]] = []
        self.looks = 0  # at the list of DAGs: before each of them all files are read again
        self.health: dict[str, Any] = {
            name: {"status": "healthy"} for name in ("metadatabase", "scheduler", "triggerer", "dag_processor")
        }
        self.outages: list[int | Exception] = []
        self.calls: list[tuple[str, str, Any]] = []
        self.finished: list[tuple[str, str]] = []
        self.tokens = 0
        self.valid = ""

    def request(self, method: str, path: str, *, pair: Any = None, headers: Any = (), body: Any = None) -> Response:
        self.calls.append((method, path, body))
        if self.outages:
            outage = self.outages.pop(0)
            if isinstance(outage, Exception):
                raise outage
            return _answer(outage)
        if path == "/auth/certificate-token":
            return self._token()
        if path == "/api/v2/monitor/health":
            return _answer(200, self.health)
        if dict(headers).get("Authorization") != f"Bearer {self.valid}" or not self.valid:
            return _answer(401, {"detail": "Unauthorized"})
        return self._api(method, path.removeprefix("/api/v2/"), body)

    def _token(self) -> Response:
        if self.role == "Public":
            return _answer(403, {"detail": "no role"})
        self.tokens += 1
        self.valid = f"token-{self.tokens}"
        return _answer(201, {"access_token": self.valid})

    def _api(self, method: str, path: str, body: Any) -> Response:
        if RANKS.index(self.role) < (1 if method == "GET" else 2):
            return _answer(403, {"detail": "Forbidden"})
        run = re.fullmatch(r"dags/([^/]+)/dagRuns(?:/([^/?]+))?(/taskInstances\?.*)?", path)
        if run:
            return self._run(method, run[1], run[2], bool(run[3]), body)
        if path.startswith("importErrors"):
            return _answer(200, {"import_errors": self.errors})
        if path.startswith("dags?"):
            return self._list(dict(re.findall(r"(limit|offset)=(\d+)", path)))
        if path.startswith("dags/"):
            dag_id = path[5:].split("?")[0]
            if method == "DELETE":
                return _answer(204) if self.dags.pop(dag_id, None) else _answer(404)
            found = self.dags.get(dag_id)
            if found and method == "PATCH":
                found.update(body)
            return _answer(200, found) if found else _answer(404, {"detail": "not found"})
        return _answer(404)

    def _list(self, asked: dict[str, str]) -> Response:
        self.looks += 1
        there = [{"last_parsed_time": str(self.looks), **dag} for dag in self.dags.values() if not dag.get("is_stale")]
        first = int(asked["offset"])
        return _answer(200, {"dags": there[first : first + int(asked["limit"])], "total_entries": len(there)})

    def _run(self, method: str, dag_id: str, run_id: str | None, tasks: bool, body: Any) -> Response:
        if method == "POST":
            key = (dag_id, body["dag_run_id"])
            if key in self.runs:
                return _answer(409, {"detail": "exists"})
            self.runs[key] = list(self.next_run)
            return _answer(200, {"dag_run_id": key[1]})
        if method == "PATCH":
            self.finished.append((dag_id, run_id or ""))
            return _answer(200 if (dag_id, run_id) in self.runs else 404)
        states = self.runs.get((dag_id, run_id or ""))
        if states is None:
            return _answer(404)
        if tasks:
            return _answer(200, {"task_instances": states[0][1]})
        if len(states) > 1 and states[0][0] == "seen":
            states.pop(0)
        state = states[0][0]
        if len(states) > 1:  # the next look finds the next state
            states[0] = ("seen", states[0][1])
        return _answer(200, {"state": state, "start_date": "2026-01-01T00:00:00Z", "end_date": "2026-01-01T00:03:00Z"})


def _answer(status: int, body: Any = None) -> Response:
    return Response(status, {}, b"" if body is None else json.dumps(body).encode())
