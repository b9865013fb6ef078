"""What a pipeline survives: killed processes, a store that is away. Each day is in bronze once, and gold is right."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import signal
import time
from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.dataplatform.aws.plugins.module_utils import _aws
from ansible_collections.dataplatform.aws.plugins.module_utils._pipelines import _data

from rehearsal import session
from rehearsal.accounts import API_PORT
from rehearsal.hosts import network
from tests.e2e.person import Person
from tests.support.airflow import airflow, endpoint, wait_for_task
from tests.support.rehearsal import Rehearsal, wait_for

pytestmark = pytest.mark.slow
DAG = "flights_daily"
DAYS = [f"2013-01-{day:02}" for day in range(1, 8)]
AWAY = 60.0  # seconds
AWAY_FILTER = f"""
table ip away {{
  chain output {{
    type filter hook output priority -50
    tcp dport {API_PORT} drop
  }}
}}
"""
WORKING = ("running", "deferred", "queued", "up_for_retry")
END = 900.0  # seconds until a run that was hurt has to have succeeded
RECORDS = 40


class Lake:
    """The lake of DEV, looked at through AWS's own interfaces."""

    def __init__(self, dev: Rehearsal) -> None:
        self.platform = dev.platform()
        self.s3, self.glue = dev.client("s3"), dev.client("glue")
        self.bronze = self.platform["buckets"]["bronze"]

    def tables(self) -> dict[str, tuple[int, str | None]]:
        """Rows and checksum by layer."""
        found = _data.gold_and_silver(self.s3, self.glue, self.platform["processing"]["databases"])
        return {layer: (table.rows, _data.checksum(table)) for layer, table in found.items()}

    def rows(self, days: list[str]) -> dict[str, list[int]]:
        """The rows of each object of these days."""
        return _data.bronze(self.s3, self.bronze, "flights", days)

    def forget(self, days: list[str]) -> None:
        """Take these days out of bronze: NiFi has to land them again."""
        for day, key, _ in _data.batches(self.s3, self.bronze, "flights"):
            if day in days:
                self.s3.delete_object(Bucket=self.bronze, Key=key)

    def streamed(self) -> list[Any]:
        """Every record that producers pushed and that has arrived in bronze."""
        found = []
        for entry in _aws.pages(self.s3, "list_objects_v2", "Contents", Bucket=self.bronze, Prefix="flights/"):
            if "/stream-" in entry["Key"]:
                body = self.s3.get_object(Bucket=self.bronze, Key=entry["Key"])["Body"].read()
                found += [json.loads(line) for line in body.splitlines() if line.strip()]
        return found


@pytest.fixture(scope="module")
def lake(dev) -> Lake:
    found = Lake(dev)
    if not all(found.rows(DAYS).values()):
        dev.run("--yes")  # lands them, where nothing has verified this platform yet
    return found


@contextlib.contextmanager
def aws_is_away(dev: Rehearsal) -> Iterator[None]:
    """The time in which NiFi's host gets no answer from AWS: its packets vanish, as they do in a broken network."""
    instance = dev.nodes("nifi")[0]["instance_id"]
    process = session.status()["hosts"][instance]
    network.inside(process, "nft", "-f", "-", text=AWAY_FILTER)
    try:
        yield
    finally:
        network.inside(process, "nft", "delete", "table", "ip", "away")


def kill(dev: Rehearsal, role: str, unit: str) -> None:
    """Every process of a unit, without a chance to say goodbye."""
    dev.ssh(dev.nodes(role)[0]["private_ip"], f"systemctl kill --signal=KILL {unit}")


def kill_database(dev: Rehearsal) -> None:
    """PostgreSQL's first process; the others go with it."""
    identifier = dev.platform()["airflow"]["database"]["instance_id"]
    os.kill(session.status()["databases"][identifier]["pid"], signal.SIGKILL)


def test_a_run_survives_kills_of_all_that_has_a_part_in_it(dev, people, lake):
    """Acceptance 4: NiFi while S3 is away, then the scheduler, then database and api-server."""
    before, rows = lake.tables(), lake.rows(DAYS)
    lake.forget(DAYS)
    alice, run_id = airflow(dev, people["alice"].pair()), f"kills-{secrets.token_hex(4)}"
    with aws_is_away(dev):
        began = time.monotonic()
        alice.start(DAG, run_id, {"first_day": DAYS[0], "last_day": DAYS[-1]})
        wait_for_task(alice, DAG, run_id, "land_with_nifi", 120, *WORKING)
        wait_for(lambda: time.monotonic() - began > AWAY / 2, AWAY, "half of the outage is over")
        kill(dev, "nifi", "nifi.service")
        wait_for(lambda: time.monotonic() - began > AWAY, AWAY, "the outage is over")
        assert not any(lake.rows(DAYS).values())
    wait_for_task(alice, DAG, run_id, "bronze_to_silver", 420, *WORKING)
    kill(dev, "airflow", "airflow-scheduler.service")
    wait_for_task(alice, DAG, run_id, "check_quality", 420, *WORKING)
    kill_database(dev)
    kill(dev, "airflow", "airflow-api-server.service")
    wait_for(lambda: alice.run(DAG, run_id)["state"] in ("success", "failed"), END, "the run ends", every=3)
    assert alice.run(DAG, run_id)["state"] == "success", alice.tasks(DAG, run_id)
    assert lake.rows(DAYS) == rows
    assert lake.tables() == before


def test_nothing_that_was_accepted_is_lost_while_s3_is_away(dev, lake, tmp_path):
    """Acceptance 4: a producer is told that a record is kept, and it is."""
    producer = Person(dev, "flights-producer", tmp_path / "producer")
    door, mark = endpoint(dev, "ingest"), secrets.token_hex(4)
    kept = []
    with aws_is_away(dev):
        began = time.monotonic()
        for number in range(RECORDS):
            record = {"id": f"{mark}-{number}", "carrier": "ZZ"}
            if door.request("POST", "/flights", pair=producer.pair(), body=record).status == 200:
                kept.append(record["id"])
        wait_for(lambda: time.monotonic() - began > AWAY, AWAY + 1, "the outage is over")
    assert len(kept) == RECORDS

    def arrived() -> set[str]:
        return {record.get("id") for record in lake.streamed()} & set(kept)

    wait_for(lambda: arrived() == set(kept), 180, "every record is in bronze", every=3)
