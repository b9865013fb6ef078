"""The DAGs, loaded by the Airflow that the hosts run; and what they share, by itself."""

from __future__ import annotations

import datetime as dt
import http.server
import importlib
import itertools
import json
import os
import re
import shlex
import ssl
import stat
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, load_pem_private_key, pkcs12

from tests.support.airflow_venv import airflow_python
from tests.support.pki import Authority, name

ROOT = Path(__file__).resolve().parents[3]
DAGS = ROOT / "pipelines" / "dags"
SETTINGS: dict[str, Any] = {
    "env": "dev",
    "region": "eu-central-1",
    "nifi_url": "https://nifi.example.com",
    "nifi_trigger_role_arn": "arn:aws:iam::111122223333:role/dev-nifi-trigger",
    "nifi_certificate_prefix": "dataplatform/dev/users/airflow",
    "landing_bucket": "artifacts",
    "bronze_bucket": "dl-dev-bronze",
    "application_id": "00f1",
    "execution_role_arn": "arn:aws:iam::111122223333:role/dev-spark",
    "jobs_uri": "s3://artifacts/jobs",
    "logs_uri": "s3://logs/emr-serverless/",
    "silver_warehouse": "s3://dl-dev-silver/warehouse",
    "gold_warehouse": "s3://dl-dev-gold/warehouse",
    "deadline_topic_arn": "arn:aws:sns:eu-central-1:111122223333:late",
    "deadline_minutes": 60,
    "schedule": "",
    "iceberg_jar": "/usr/share/aws/iceberg/lib/iceberg-spark3-runtime.jar",
    "python": "/usr/bin/python3.13",
}


# With a real Airflow


def load(tmp_path: Path, settings: dict[str, Any] | None) -> dict[str, Any]:
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("AIRFLOW", "AWS"))}
    environment |= {
        "AIRFLOW_HOME": str(tmp_path),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "false",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{tmp_path}/airflow.db",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    if settings is not None:
        environment["AIRFLOW_VAR_PLATFORM"] = json.dumps(settings)
    command = [airflow_python(), str(Path(__file__).with_name("load_dags.py")), str(DAGS)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
    lines = [line for line in done.stdout.splitlines() if line.startswith("RESULT ")]
    assert lines, done.stdout[-3000:] + done.stderr[-3000:]
    return dict(json.loads(lines[-1].removeprefix("RESULT ")))


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return load(tmp_path_factory.mktemp("airflow"), SETTINGS)


def test_the_dags_load_and_their_tasks_are_in_order(loaded: dict[str, Any]) -> None:
    assert loaded["errors"] == {}
    assert set(loaded["dags"]) == {"flights_daily", "maintenance"}
    daily = loaded["dags"]["flights_daily"]
    order = ["choose_days", "land_with_nifi", "wait_for_bronze", "bronze_to_silver", "check_quality", "silver_to_gold"]
    for before, after in itertools.pairwise(order):
        assert after in daily["tasks"][before]["downstream"]
    assert set(daily["tasks"]) == set(order)
    assert all(task["retries"] >= 1 for task in daily["tasks"].values())
    jobs = set(order) - {"choose_days", "land_with_nifi", "wait_for_bronze"}
    assert all(daily["tasks"][name]["deferrable"] for name in jobs)
    assert daily["tasks"]["wait_for_bronze"]["mode"] == "reschedule"
    assert (daily["params"], daily["max_active_runs"]) == (["batches", "first_day", "last_day"], 1)
    tables = re.search(r"^TABLES = \((.*?)\)", (ROOT / "pipelines" / "jobs" / "lake.py").read_text(), re.MULTILINE)
    assert tables
    maintained = {f"maintain_{name.strip().strip(chr(34)).replace('.', '_')}" for name in tables[1].split(",")}
    assert set(loaded["dags"]["maintenance"]["tasks"]) == maintained


def test_a_late_run_is_told_to_the_topic(loaded: dict[str, Any]) -> None:
    reference, seconds, path, topic = loaded["dags"]["flights_daily"]["deadline"]
    assert (reference, seconds, topic) == ("DagRunQueuedAtDeadline", 3600, SETTINGS["deadline_topic_arn"])
    # what the triggerer imports: not from the bundle, which it does not have
    assert path.startswith("airflow.providers.amazon.")


def test_jobs_are_submitted_with_parameters_only(loaded: dict[str, Any]) -> None:
    tasks = loaded["dags"]["flights_daily"]["tasks"]
    jobs = {name: task["job"]["sparkSubmit"] for name, task in tasks.items() if task["job"]}
    for job in jobs.values():
        assert (ROOT / "pipelines" / "jobs" / job["entryPoint"].rsplit("/", 1)[1]).exists()
        words = shlex.split(job["sparkSubmitParameters"])
        assert words[:2] == ["--py-files", "s3://artifacts/jobs/lake.py"]
        assert not [word for word in words if "endpoint" in word]
        assert job["entryPointArguments"][:2] == ["--env", "dev"]
    parameters = {name: job["sparkSubmitParameters"] for name, job in jobs.items()}
    assert "warehouse=s3://dl-dev-silver/warehouse" in parameters["bronze_to_silver"]
    assert "warehouse=s3://dl-dev-gold/warehouse" in parameters["silver_to_gold"]


def test_the_operator_starts_waits_without_a_worker_and_stops(loaded: dict[str, Any]) -> None:
    found = loaded["deferred"]
    first, second = found["waits"]
    for wait in (first, second):
        assert wait["trigger"] == "airflow.providers.amazon.aws.triggers.s3.S3KeyTrigger"
        assert (wait["bucket_name"], wait["wildcard_match"]) == ("dl-dev-bronze", True)
        assert wait["started"] == [["g1", "RUNNING"]]
    # The triggerer lists once for each pattern: it gets a few, and what they leave open is looked for afterwards.
    assert first["bucket_key"] == found["keys"][-8:]
    assert second["bucket_key"] == found["keys"][:3]
    assert found["calls"] == [["g1", "RUNNING"], ["g1", "STOPPED"]]
    assert not found["waits_for_nothing"]
    assert "no bucket" in found["failure"]


def test_a_group_does_not_go_on_when_the_last_try_has_timed_out(loaded: dict[str, Any]) -> None:
    late = loaded["deferred"]["timed_out"]
    assert late["error"] == "Trigger timeout"
    assert (late["tried_again"], late["failed"]) == ([], [["rendered-id", "STOPPED"]])


def test_a_schedule_is_the_environments(tmp_path: Path) -> None:
    loaded = load(tmp_path, {**SETTINGS, "schedule": "0 6 * * *"})
    assert loaded["dags"]["flights_daily"]["schedule"] == "0 6 * * *"


@pytest.mark.parametrize(
    ("settings", "message"),
    [(None, "variable platform is missing"), ({"env": "dev"}, "variable platform lacks application_id")],
)
def test_without_settings_the_error_says_what_to_do(tmp_path: Path, settings: Any, message: str) -> None:
    loaded = load(tmp_path, settings)
    assert loaded["dags"] == {}
    assert len(loaded["errors"]) == 2
    assert all(message in text and "deploy-pipelines.yml" in text for text in loaded["errors"].values())


# By itself


@pytest.fixture
def shared(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Imports a module of the package that needs no Airflow."""
    monkeypatch.syspath_prepend(str(DAGS))

    def get(module: str) -> ModuleType:
        return importlib.import_module(f"dataplatform_operators.{module}")

    return get


def test_the_days_of_a_run(shared: Any) -> None:
    days = shared("days")
    logical = dt.datetime(2013, 5, 4, 6, tzinfo=dt.UTC)
    assert days.chosen({}, logical) == (dt.date(2013, 5, 4), dt.date(2013, 5, 4))
    assert days.chosen({"first_day": "2013-01-30", "last_day": None}, logical)[1] == dt.date(2013, 1, 30)
    first, last = days.chosen({"first_day": "2013-01-30", "last_day": "2013-02-01"}, None)
    assert (first, last) == (dt.date(2013, 1, 30), dt.date(2013, 2, 1))
    assert days.read_from({"first_day": "2013-01-30"}, first) == first
    assert days.read_from({"first_day": None}, first) == dt.date(2013, 1, 29)
    for params, logical_date, message in (
        ({}, None, "no logical date"),
        ({"last_day": "2013-01-01"}, logical, "without first_day"),
        ({"first_day": "2013-01-02", "last_day": "2013-01-01"}, None, "no range"),
        ({"first_day": "2013-01-02", "last_day": "2023-01-01"}, None, "no range"),
    ):
        with pytest.raises(days.DaysError, match=message):
            days.chosen(params, logical_date)


class Folder:
    """A bucket's listing: key, ETag and time of each object."""

    def __init__(self, *objects: tuple[str, str, dt.datetime]) -> None:
        self.objects = objects

    def get_paginator(self, _call: str) -> Folder:
        return self

    def paginate(self, **given: str) -> list[dict[str, Any]]:
        found = [one for one in self.objects if one[0].startswith(given["Prefix"])]
        return [{"Contents": [{"Key": k, "ETag": f'"{e}"', "LastModified": t, "Size": len(e)} for k, e, t in found]}]


def test_a_run_waits_for_what_the_flow_makes_of_the_landing_folder(shared: Any, monkeypatch: Any) -> None:
    """Each file by its own key, so that an older delivery of the day is not taken for a corrected one."""
    days, then = shared("days"), dt.datetime(2013, 1, 2, 6, tzinfo=dt.UTC)
    folder = Folder(
        ("landing/flights/2013-01-01.csv", "0123456789abcdef", then),
        ("landing/flights/2013-01-01-late(1)*.2.csv", "fedcba9876543210-2", then),
        ("landing/flights/without-a-day.csv", "0011223344556677", then),
        ("landing/flights/2013-25-12.csv", "7766554433221100", then),
        ("landing/flights/2013-01-03.csv", "", then),
        ("landing/weather/2013-01-01.csv", "8899aabbccddeeff", then),
    )
    range_of_days = (dt.date(2013, 1, 1), dt.date(2013, 1, 3))
    landed = days.landing(folder, "artifacts", "landing/flights/", *range_of_days)
    keys = days.bronze_keys(landed, "flights", *range_of_days)
    monkeypatch.syspath_prepend(str(ROOT / "pipelines" / "processors" / "lake"))
    flow = importlib.import_module("lake_objects")
    made = [one.bronze_key("flights") for one in flow.landed(folder, "artifacts", "landing/flights/")]
    assert len(made) == 4
    assert [key for key in keys if key.endswith("batch-*")] == ["flights/ingest_date=2013-01-03/batch-*"]
    assert sorted(made) == sorted(key.replace("[*]", "*") for key in keys[:4])
    assert days.bronze_keys(landed, "flights", *range_of_days, expected=False) == keys[:4]
    assert [flow.checked_key(key) for key in made] == made

    older = "flights/ingest_date=2013-01-01/batch-2013-01-01-aaaaaaaaaaaa.csv"
    bronze = Folder(*((key, "0", then) for key in [older, *made[1:]]))
    corrected = "flights/ingest_date=2013-01-01/batch-2013-01-01-0123456789ab.csv"
    assert days.missing(bronze, "bronze", keys) == [corrected, keys[4]]


@pytest.mark.parametrize("name", ["2013-01-01 (copy).csv", "2013-01-01-ü.csv", "2013-01-01..csv", "2013-01-01[1].csv"])
def test_a_file_that_can_not_be_landed_is_named_and_not_waited_for(shared: Any, monkeypatch: Any, name: str) -> None:
    days, day = shared("days"), dt.date(2013, 1, 1)
    folder = Folder((f"landing/flights/{name}", "0123456789abcdef", dt.datetime(2013, 1, 2, 6, tzinfo=dt.UTC)))
    monkeypatch.syspath_prepend(str(ROOT / "pipelines" / "processors" / "lake"))
    flow = importlib.import_module("lake_objects")
    with pytest.raises(flow.Rejected):
        flow.checked_key(next(flow.landed(folder, "artifacts", "landing/")).bronze_key("flights"))
    with pytest.raises(days.DaysError, match="rename it") as error:
        days.landing(folder, "artifacts", "landing/flights/", day, day)
    assert name in str(error.value)
    after = day + dt.timedelta(days=1)
    assert days.landing(folder, "artifacts", "landing/flights/", after, after) == {}


@pytest.mark.parametrize("name", ["2013-01-01.csv.gz", "2013-01-01.CSV", "2013-01-01.txt"])
def test_a_file_that_no_job_would_read_is_named(shared: Any, name: str) -> None:
    days, day = shared("days"), dt.date(2013, 1, 1)
    folder = Folder((f"landing/flights/{name}", "0123456789abcdef", dt.datetime(2013, 1, 2, 6, tzinfo=dt.UTC)))
    with pytest.raises(days.DaysError, match=rf"{re.escape(name)} would land and not be read: .* \*\.csv only"):
        days.landing(folder, "artifacts", "landing/flights/", day, day)


@pytest.mark.parametrize(
    ("there", "left"),
    [([], [1, 2, 3]), ([2], [1, 3]), ([1, 2, 3], [])],
    ids=["nothing", "some", "all"],
)
def test_what_bronze_lacks_is_found_by_one_listing(shared: Any, there: list[int], left: list[int]) -> None:
    days, asked = shared("days"), list[dict[str, str]]()
    keys = days.bronze_keys({}, "flights", dt.date(2013, 1, 1), dt.date(2013, 1, 3))
    objects = [f"flights/ingest_date=2013-01-0{day}/batch-{part}.csv" for day in there for part in "ab"]
    streamed = "flights/ingest_date=2013-01-03/stream-1.jsonl"

    class S3:
        def get_paginator(self, _call: str) -> S3:
            return self

        def paginate(self, **given: str) -> list[dict[str, Any]]:
            asked.append(given)
            found = [key for key in [*objects, streamed] if key.startswith(given["Prefix"])]
            return [{"Contents": [{"Key": key}]} for key in found] or [{}]

    assert days.missing(S3(), "bronze", keys) == [keys[day - 1] for day in left]
    assert asked == [{"Bucket": "bronze", "Prefix": "flights/ingest_date=2013-01-0"}]
    assert days.missing(S3(), "bronze", []) == []


def test_settings_of_another_type_are_refused(shared: Any) -> None:
    settings = shared("settings")
    assert settings.Settings.of({**SETTINGS, "more": 1}).env == "dev"
    with pytest.raises(settings.SettingsError, match="another type in deadline_minutes"):
        settings.Settings.of({**SETTINGS, "deadline_minutes": "60"})


class Nifi(http.server.BaseHTTPRequestHandler):
    """Says who called, by certificate, and keeps what was asked."""

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        subject = dict(pair[0] for pair in self.connection.getpeercert()["subject"])  # type: ignore[attr-defined]
        self.server.seen.append((self.command, self.path, subject["commonName"], body))  # type: ignore[attr-defined]
        groups = [{"id": "g1", "component": {"name": "flights-batch"}}]
        status, text = (200, json.dumps({"processGroups": groups})) if "root" in self.path else (200, "{}")
        if "forbidden" in self.path:
            status, text = 403, "No applicable policies could be found."
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    do_GET = do_PUT = answer

    def log_message(self, *_arguments: object) -> None:
        pass


@pytest.fixture
def server(authority: Authority, tmp_path: Path) -> Iterator[Any]:
    pem = authority.issue(name(CN="nifi"), "localhost", "127.0.0.1").write(tmp_path / "server.pem")
    (tmp_path / "ca.pem").write_bytes(authority.pem)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(tmp_path / "ca.pem"))
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(pem)
    listening: Any = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Nifi)
    listening.socket = context.wrap_socket(listening.socket, server_side=True, do_handshake_on_connect=False)
    listening.seen = []
    thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    yield listening
    listening.shutdown()
    listening.server_close()
    thread.join()


class Account:
    """STS and Secrets Manager, as far as it takes. Only the role's session may read."""

    def __init__(self, keystore: bytes) -> None:
        self.keystore, self.calls = keystore, list[Any]()

    def client(self, service: str, **given: Any) -> Any:
        self.calls.append((service, given.get("aws_session_token")))
        self.session = given.get("aws_session_token")
        return self

    def assume_role(self, RoleArn: str, RoleSessionName: str) -> dict[str, Any]:
        assert (RoleArn, len(RoleSessionName) <= 64) == (SETTINGS["nifi_trigger_role_arn"], True)
        return {"Credentials": {"AccessKeyId": "a", "SecretAccessKey": "s", "SessionToken": "trigger"}}

    def get_secret_value(self, SecretId: str, VersionId: str = "v1") -> dict[str, Any]:
        assert self.session == "trigger", "Airflow's own role may not read it"
        assert VersionId == "v1"
        values = {"keystore": {"SecretBinary": self.keystore}, "password": {"SecretString": "sesame"}}
        return {"VersionId": "v1", **values[SecretId.removeprefix(SETTINGS["nifi_certificate_prefix"] + "/")]}


def test_nifi_is_called_with_a_certificate_that_is_on_disk_for_a_moment_only(
    shared: Any, server: Any, authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate, api = shared("certificate"), shared("nifi_api")
    issued = authority.issue(name(O="Platform", OU="Services", CN="airflow"))
    key = load_pem_private_key(issued.key_pem, None)
    store = pkcs12.serialize_key_and_certificates(
        b"airflow", key, issued.certificate, [authority.certificate], BestAvailableEncryption(b"sesame")
    )
    monkeypatch.setattr(certificate.boto3, "client", Account(store).client)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))  # what the host trusts
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(certificate.tempfile, "tempdir", str(tmp_path / "tmp"))
    modes = []
    loading = ssl.SSLContext.load_cert_chain

    def load_cert_chain(self: ssl.SSLContext, path: Any, *rest: Any) -> None:
        modes.append(stat.S_IMODE(os.stat(path).st_mode))
        loading(self, path, *rest)

    monkeypatch.setattr(ssl.SSLContext, "load_cert_chain", load_cert_chain)
    arn, prefix = SETTINGS["nifi_trigger_role_arn"], SETTINGS["nifi_certificate_prefix"]
    context = certificate.tls_context(arn, prefix, "eu-central-1", "airflow-" + "x" * 80)
    assert modes == [0o600]
    assert list((tmp_path / "tmp").iterdir()) == []

    nifi = api.NiFi(f"https://localhost:{server.server_address[1]}/", context)
    assert nifi.group("flights-batch")["id"] == "g1"
    nifi.set_state("g1", "RUNNING")
    assert [(method, path, caller) for method, path, caller, _body in server.seen] == [
        ("GET", "/nifi-api/process-groups/root/process-groups", "airflow"),
        ("PUT", "/nifi-api/flow/process-groups/g1", "airflow"),
    ]
    assert json.loads(server.seen[1][3]) == {"id": "g1", "state": "RUNNING"}
    with pytest.raises(api.NiFiError, match="0 process groups named other; deploy-pipelines"):
        nifi.group("other")
    with pytest.raises(api.NiFiError, match="NiFi answers 403: No applicable policies"):
        nifi.set_state("forbidden", "RUNNING")


def test_a_failure_leaves_no_file(shared: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    certificate = shared("certificate")
    monkeypatch.setattr(certificate.tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(certificate.boto3, "client", Account(b"no keystore").client)
    with pytest.raises(ValueError, match=r"(?i)pkcs|parse|deserialize"):
        certificate.tls_context(
            SETTINGS["nifi_trigger_role_arn"], SETTINGS["nifi_certificate_prefix"], "eu-central-1", "s"
        )
    assert list(tmp_path.iterdir()) == []
