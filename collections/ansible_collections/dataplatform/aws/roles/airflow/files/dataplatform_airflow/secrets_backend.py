"""Airflow's options from Secrets Manager, remembered for a while.

Airflow asks its secrets backend whenever somebody reads such an option, by a new client each time. The API server reads
the Fernet key for each task of an answer (it signs the link to the task's DAG bundle with it) and serves nobody else
meanwhile: 0.2 s a task, 20 s for a page of a hundred. Connections and variables are asked for as Airflow does.
"""

from __future__ import annotations

import time

from airflow.providers.amazon.aws.secrets.secrets_manager import SecretsManagerBackend

KEPT_SECONDS = 300.0
"""Rotation does not wait for it: it restarts Airflow's components."""
_known: dict[str, tuple[str, float]] = {}


class OptionsKeptBackend(SecretsManagerBackend):
    """AWS's backend; a new one is made for each option, so what is known belongs to the process."""

    def get_config(self, key: str) -> str | None:
        value, until = _known.get(key, ("", 0.0))
        if time.monotonic() < until:
            return value
        found = super().get_config(key)
        if found is not None:
            _known[key] = (found, time.monotonic() + KEPT_SECONDS)
        return found
