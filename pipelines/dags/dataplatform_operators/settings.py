"""What differs between environments, from one Airflow variable.

The variable `platform` is JSON. `deploy-pipelines.yml` writes it from the platform document into the secret
`dataplatform/ENV/airflow/variables/platform`, where Airflow's secrets backend finds it; AIRFLOW_VAR_PLATFORM in the
environment wins, for trying things out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

VARIABLE = "platform"


class SettingsError(ValueError):
    """The variable is missing or lacks something."""


@dataclass(frozen=True)
class Settings:
    """The variable's keys. URIs of folders end without a slash."""

    env: str
    region: str
    nifi_url: str
    nifi_trigger_role_arn: str
    nifi_certificate_prefix: str
    landing_bucket: str
    bronze_bucket: str
    application_id: str
    execution_role_arn: str
    jobs_uri: str
    logs_uri: str
    silver_warehouse: str
    gold_warehouse: str
    deadline_topic_arn: str
    deadline_minutes: int
    schedule: str
    iceberg_jar: str
    python: str

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Settings:
        """:raises SettingsError: keys are missing, or of the wrong type"""
        fields = cls.__annotations__
        missing = sorted(set(fields) - set(document))
        if missing:
            raise SettingsError(
                f"variable {VARIABLE} lacks {', '.join(missing)}; run the playbook deploy-pipelines.yml"
            )
        wrong = [name for name, kind in fields.items() if not isinstance(document[name], int if kind == "int" else str)]
        if wrong:
            raise SettingsError(f"variable {VARIABLE} has values of another type in {', '.join(wrong)}")
        return cls(**{name: document[name] for name in fields})


def load() -> Settings:
    """The settings of this environment. :raises SettingsError: see above; Airflow shows it as the DAG's import error"""
    from airflow.sdk import Variable

    document = Variable.get(VARIABLE, default=None, deserialize_json=True)
    if document is None:
        raise SettingsError(f"variable {VARIABLE} is missing; run the playbook deploy-pipelines.yml")
    return Settings.of(document)
