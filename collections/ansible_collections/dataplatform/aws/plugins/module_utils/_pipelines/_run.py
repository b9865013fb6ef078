# Copyright: (c) 2026, the data platform provisioner's contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The whole verification of pipelines, in an order that lets slow things go on while others are looked at.

Private to this collection.
"""

from __future__ import annotations

import datetime as dt
import functools
import typing as t
from dataclasses import dataclass, field
from pathlib import Path

from ansible_collections.dataplatform.aws.plugins.module_utils import _aws, _dn, _lake
from ansible_collections.dataplatform.aws.plugins.module_utils._pipelines import (
    _dag_run,
    _data,
    _deadline,
    _probe_dag,
    _reading,
    _trigger,
)
from ansible_collections.dataplatform.aws.plugins.module_utils._pipelines._airflow import Airflow
from ansible_collections.dataplatform.aws.plugins.module_utils._verification import _probes
from ansible_collections.dataplatform.aws.plugins.module_utils._verification._checks import (
    CheckFailed,
    Checks,
    Outcome,
)
from ansible_collections.dataplatform.aws.plugins.module_utils._verification._http import Endpoint

OUTAGE = 240.0  # seconds for which Airflow may be away while a run is followed: a host's restart, a fail-over
BRONZE = "flights"  # prefix of the data set in the bronze bucket
BATCH_GROUP = "flights-batch"  # the process group that lands it
STARTS = ("User", "Op", "Admin")  # Airflow's roles that may start a run, from the least


@dataclass
class Inputs:
    """What a verification of pipelines needs.

    :param clients: boto3 clients by service: acm-pca, s3, glue, sns, sqs, iam, ec2
    :param tell: takes a line of progress
    :param data: a folder with landing files; None: no data is put in, and no run is started
    :param expected: what each layer holds after the run, computed independently
    """

    clients: t.Mapping[str, t.Any]
    platform: t.Mapping[str, t.Any]
    access: t.Mapping[str, t.Any]
    ca_path: str | None
    tell: t.Callable[[str], None]
    dag_id: str = "flights_daily"
    conf: t.Mapping[str, t.Any] = field(default_factory=dict)
    data: Path | None = None
    landing_prefix: str = "landing/flights/"
    expected: t.Mapping[str, t.Any] = field(default_factory=dict)
    probe_dag: bool = True
    seconds: float = 1800.0
    visible_seconds: float = 60.0
    alert_seconds: float = 150.0

    def endpoint(self, service: str) -> Endpoint:
        return Endpoint(self.platform["hosts"][service], ca_path=self.ca_path)

    @property
    def landing(self) -> tuple[str, str]:
        return self.platform["buckets"]["artifacts"], self.landing_prefix

    @property
    def bronze(self) -> tuple[str, str]:
        return self.platform["buckets"]["bronze"], BRONZE


@dataclass
class Found:
    """What came of it: the checks, and the lake as it is afterwards."""

    checks: Checks = field(default_factory=Checks)
    run: dict[str, t.Any] = field(default_factory=dict)
    bronze: dict[str, t.Any] = field(default_factory=dict)
    lake: dict[str, t.Any] = field(default_factory=dict)


def run(inputs: Inputs) -> Found:
    """Make every check; none stops the others, but for those that have nothing to look at without it."""
    found = Found()
    starter = _issue(inputs, found.checks, "starter", starter_role(inputs.access))
    looker = _issue(inputs, found.checks, "looker", looker_role(inputs.access))
    if starter is not None:
        airflow = Airflow(inputs.endpoint("airflow"), starter.pair, OUTAGE)
        reading = _reading.Reading(airflow, inputs.visible_seconds)
        begun = _begin(inputs, found.checks, airflow)
        if inputs.probe_dag:
            _check_probe_dag(inputs, found.checks, airflow)
        if looker is not None:
            _check_refused(inputs, found.checks, looker)
        _check_role_needed(inputs, found.checks)
        _check_reading(inputs, found.checks, reading)
        if begun:
            _check_pipeline(inputs, found, airflow, begun)
    _look(inputs, found)
    return found


def starter_role(access: t.Mapping[str, t.Any]) -> str | None:
    """The role with the least of Airflow's rights that can start a run, among those with a probe."""
    able = [
        (min(STARTS.index(name) for name in access["roles"][role]["airflow"] if name in STARTS), role)
        for role in _probed(access)
        if set(STARTS) & set(access["roles"][role].get("airflow") or [])
    ]
    return min(able)[1] if able else None


def looker_role(access: t.Mapping[str, t.Any]) -> str | None:
    """A role that sees NiFi's flows and may not start them, among those with a probe."""
    return next((role for role in _probed(access) if _looks(access["roles"][role])), None)


def _probed(access: t.Mapping[str, t.Any]) -> list[str]:
    return [role for role, probe in (access.get("probes") or {}).items() if probe.get("enabled", True)]


def _looks(role: t.Mapping[str, t.Any]) -> bool:
    """Whether it may read the canvas, and neither operate nor change anything on it."""
    policies = {(p["resource"], action) for p in role.get("nifi") or () for action in p["actions"]}
    writes = {("/operation/process-groups/root", "write"), ("/process-groups/root", "write")}
    return ("/process-groups/root", "read") in policies and not policies & writes


def _issue(inputs: Inputs, checks: Checks, kind: str, role: str | None) -> _probes.Probe | None:
    """A certificate of that role's probe."""
    made: list[_probes.Probe] = []
    expected = "a one-hour certificate that the rules map to this role"
    checks.run(f"pipeline:probe-{kind}", role or "no role", expected, _issue_one, inputs, role, made)
    return made[0] if made else None


def _issue_one(inputs: Inputs, role: str | None, made: list[_probes.Probe]) -> Outcome:
    if role is None:
        raise CheckFailed("no enabled probe has such a role", "enable one in access.yml")
    subject = inputs.access["probes"][role]["subject"]
    probe = _probes.issue(inputs.clients["acm-pca"], inputs.platform["pki"]["users_ca_arn"], subject)
    mapped = _dn.match(_dn.parse(probe.dn), inputs.access["rules"])
    if mapped != role:
        raise CheckFailed(f"mapped to {mapped}", "change the probe's subject in access.yml")
    made.append(probe)
    return Outcome(f"serial {probe.serial}")


def check_health(airflow: Airflow) -> Outcome:
    """Every component of Airflow has been heard of lately."""
    health = airflow.health()
    bad = [f"{name} {status}" for name, status in health.items() if status != "healthy"]
    if bad:
        raise CheckFailed(", ".join(bad), "look at the component's unit on its host: systemctl status airflow-*")
    return Outcome(", ".join(health) + " are healthy")


def _begin(inputs: Inputs, checks: Checks, airflow: Airflow) -> _dag_run.Begun | None:
    """Land the data and start the run, so that it is at work while the rest is checked."""
    checks.run("pipeline:health", "Airflow", "every component is healthy", check_health, airflow)
    if inputs.data is None:
        return None
    begun: list[_dag_run.Begun] = []
    expected = f"the files lie in {'/'.join(inputs.landing)}"
    if checks.run("pipeline:landing", str(inputs.platform["env"]), expected, _land, inputs):
        checks.run("pipeline:started", inputs.dag_id, "a run on this data", _start, inputs, airflow, begun)
    return begun[0] if begun else None


def _land(inputs: Inputs) -> Outcome:
    days = [dt.date.fromisoformat(day) for day in sorted(_data.days(inputs.data))]
    # The run is for a range, and waits for each day of it.
    if (days[-1] - days[0]).days >= len(days):
        raise CheckFailed(
            f"{days[0]} to {days[-1]} has days without data", "name consecutive days in verify_pipelines_data"
        )
    put = _data.upload(inputs.clients["s3"], inputs.landing, inputs.bronze, inputs.data)
    if put:
        inputs.tell(f"{len(put)} files were put into s3://{'/'.join(inputs.landing)}")
    return Outcome(f"{len(put)} put, the others were there")


def _start(inputs: Inputs, airflow: Airflow, begun: list[_dag_run.Begun]) -> Outcome:
    processing = inputs.platform["processing"]
    places = [
        (inputs.platform["buckets"]["dags"], f"{inputs.platform['airflow']['dags_prefix']}/"),
        (processing["jobs_bucket"], f"{processing['jobs_prefix']}/"),
    ]
    days = sorted(_data.days(inputs.data))
    conf = inputs.conf or {"first_day": days[0], "last_day": days[-1]}
    mark = _dag_run.fingerprint(inputs.clients["s3"], places, _data.content(inputs.data), conf)

    def still_there() -> bool:
        return not _data.lacking(inputs.clients["s3"], inputs.bronze, inputs.data)

    begun.append(_dag_run.begin(airflow, inputs.dag_id, mark, conf, inputs.visible_seconds, still_there))
    return Outcome(str(begun[0]))


def _check_probe_dag(inputs: Inputs, checks: Checks, airflow: Airflow) -> None:
    platform, clients = inputs.platform, inputs.clients
    where = (platform["buckets"]["dags"], platform["airflow"]["dags_prefix"])
    probe = _probe_dag.ProbeDag(clients["s3"], where, platform["airflow"]["deadline_topic_arn"], platform["region"])
    expected = f"visible within {inputs.visible_seconds:.0f} s of its upload"
    visible = functools.partial(_probe_dag.check_visible, airflow, probe, inputs.visible_seconds)
    try:
        if checks.run("pipeline:dag-visible", probe.dag_id, expected, visible):
            expected = "its late run raises an alert on the deadline topic"
            checks.run("pipeline:deadline-alert", probe.dag_id, expected, _alert, inputs, airflow, probe)
    finally:
        forget = functools.partial(_probe_dag.forget, airflow, probe, inputs.visible_seconds)
        expected = f"gone within {inputs.visible_seconds:.0f} s of its file"
        checks.run("pipeline:dag-removed", probe.dag_id, expected, forget)


def _alert(inputs: Inputs, airflow: Airflow, probe: _probe_dag.ProbeDag) -> Outcome:
    topic, clients = inputs.platform["airflow"]["deadline_topic_arn"], inputs.clients
    with _deadline.Listener(clients["sqs"], clients["sns"], topic, inputs.platform["env"]) as listener:
        airflow.start(probe.dag_id, _probe_dag.RUN)
        inputs.tell("waiting for the alert of a run that is late on purpose")
        return _deadline.check_alert(listener, probe.dag_id, inputs.alert_seconds)


def _check_refused(inputs: Inputs, checks: Checks, probe: _probes.Probe) -> None:
    """NiFi is not started by a certificate of another role."""
    arguments = (inputs.endpoint("nifi"), probe.pair, BATCH_GROUP)
    expected = "refused by NiFi (403)"
    checks.run("pipeline:nifi-refused", probe.dn, expected, _trigger.check_other_role_refused, *arguments)


def _check_role_needed(inputs: Inputs, checks: Checks) -> None:
    """Nor by Airflow without the trigger role. (That it is with it, the pipeline shows.)"""
    expected = "Airflow reads the client certificate with the trigger role only"
    arguments = (inputs.clients["iam"], inputs.clients["ec2"], inputs.platform)
    checks.run("pipeline:nifi-role-needed", "IAM policies", expected, _trigger.check_role_needed, *arguments)


def _check_reading(inputs: Inputs, checks: Checks, reading: _reading.Reading) -> None:
    """That the DAGs can be read: late, since Airflow reads them once more meanwhile."""
    checks.run("pipeline:dag-read", inputs.dag_id, "read again by Airflow", _reading.check_read, reading, inputs.dag_id)
    checks.run("pipeline:import-errors", "Airflow", "none", _reading.check_import_errors, reading)


def _check_pipeline(inputs: Inputs, found: Found, airflow: Airflow, begun: _dag_run.Begun) -> None:
    """The run to its end, and what each layer holds then."""
    checks, s3, expected = found.checks, inputs.clients["s3"], inputs.expected
    arguments = (airflow, inputs.dag_id, begun, inputs.seconds, inputs.tell, found.run)
    if not checks.run("pipeline:run", inputs.dag_id, "success", _dag_run.check_run, *arguments):
        return
    checks.run(
        "pipeline:nifi-triggered",
        begun.run_id,
        "NiFi was started with the role",
        _dag_run.check_tasks,
        found.run,
        "nifi",
    )
    landed = _data.days(inputs.data)
    wanted = f"{len(landed)} objects, {sum(landed.values())} rows, each landing file once"
    bucket = inputs.platform["buckets"]["bronze"]
    checks.run("pipeline:bronze", bucket, wanted, _data.check_bronze, s3, bucket, BRONZE, landed, found.bronze)
    tables = _data.gold_and_silver(s3, inputs.clients["glue"], inputs.platform["processing"]["databases"])
    for layer in ("silver", "gold"):
        rows = int(expected[layer]["rows"])
        checks.run(f"pipeline:{layer}", layer, f"{rows} rows", _data.check_rows, tables, layer, rows)
    checksum = str(expected["gold"]["checksum"])
    checks.run("pipeline:gold-checksum", "gold", checksum, _data.check_checksum, tables, checksum)
    found.lake["checksum"] = {"expected": checksum, "observed": _data.checksum(tables.get("gold"))}


def _look(inputs: Inputs, found: Found) -> None:
    """The lake as it is now, for the record."""
    try:
        seen = _lake.look(inputs.clients["s3"], inputs.clients["glue"], inputs.platform)
    except (_lake.LakeError, _aws.AwsError) as error:
        found.checks.run("pipeline:lake", "metadata", "can be read", _unreadable, str(error))
        return
    if found.bronze:
        seen["bronze"]["rows"] = found.bronze["rows"]
    for layer in ("silver", "gold"):
        seen[layer]["rows"] = sum(table["rows"] for table in seen["tables"] if table["layer"] == layer)
    if found.run:
        seen["last_run"] = {key: value for key, value in found.run.items() if key != "tasks"}
    found.lake = {**seen, **found.lake}


def _unreadable(message: str) -> Outcome:
    raise CheckFailed(message, "look at the table's metadata in the catalog")
