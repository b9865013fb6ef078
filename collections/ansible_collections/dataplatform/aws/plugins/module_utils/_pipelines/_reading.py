# Copyright: (c) 2026, the data platform provisioner's contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""That Airflow can read the DAGs as they are published now, with the settings of now.

Private to this collection. A DAG that was read before it was broken looks well until its file is read again, which
Airflow does each 30 s (``min_file_process_interval``): the checks wait for that.
"""

from __future__ import annotations

import time

from ansible_collections.dataplatform.aws.plugins.module_utils._pipelines import _probe_dag
from ansible_collections.dataplatform.aws.plugins.module_utils._pipelines._airflow import Airflow
from ansible_collections.dataplatform.aws.plugins.module_utils._verification._checks import CheckFailed, Outcome

# Seconds after which Airflow has what lay in the bucket: `airflow_dags_refresh_seconds`, looked at each 5 s.
REFRESH = 15.0
POLL = 2.0  # seconds
FIX = "correct the file, or the settings that it reads (flights_schedule, deadline_minutes), and run `--only pipelines`"


class Reading:
    """What Airflow reads from now on.

    :param seconds: how long it may take to read every file once more
    """

    def __init__(self, airflow: Airflow, seconds: float) -> None:
        self.airflow, self.seconds = airflow, seconds
        self.refreshed = time.monotonic() + REFRESH
        self._earlier: dict[str, str] | None = None
        self.deadline = 0.0

    def earlier(self) -> dict[str, str]:
        """DAG → when it was read last before the files of now were all there to be read."""
        if self._earlier is None:
            time.sleep(max(0.0, self.refreshed - time.monotonic()))
            self._earlier = self.airflow.readings()
            self.deadline = time.monotonic() + self.seconds
        return self._earlier

    def over(self) -> bool:
        return time.monotonic() > self.deadline


def check_read(reading: Reading, dag_id: str) -> Outcome:
    """The DAG is there, and its file could be read once more."""
    earlier = reading.earlier()
    while True:
        found = reading.airflow.readings()
        if dag_id in found and found[dag_id] != earlier.get(dag_id):
            return Outcome(f"read at {found[dag_id]}")
        if reading.over():
            break
        time.sleep(POLL)
    if dag_id in found:
        raise CheckFailed(f"not read again within {reading.seconds:.0f} s", "look at the dag-processor's log")
    errors = "; ".join(_own_errors(reading.airflow)) or "Airflow reports no import error"
    raise CheckFailed(f"there is no DAG {dag_id}: {errors}", FIX)


def check_import_errors(reading: Reading) -> Outcome:
    """No file of the platform's own failed to be read, once all were read again; one that is gone or mended is let go."""
    earlier = reading.earlier()
    while True:
        # (in this order: a file that fails takes its DAGs away, and has its error by then)
        found = reading.airflow.readings()
        late = [name for name, at in earlier.items() if found.get(name) == at and not _of_a_probe(name)]
        errors = _own_errors(reading.airflow)
        if not errors and not late:
            return Outcome("none")
        if reading.over():
            break
        time.sleep(POLL)
    if errors:
        raise CheckFailed("; ".join(errors), FIX)
    return Outcome(f"none (not read again: {', '.join(late)})")


def _own_errors(airflow: Airflow) -> list[str]:
    return [error for error in airflow.import_errors() if not _of_a_probe(error)]


def _of_a_probe(name: str) -> bool:
    """Whether a DAG or its file is a verification's own, which comes and goes and has checks of its own."""
    return name.startswith(_probe_dag.PREFIX)
