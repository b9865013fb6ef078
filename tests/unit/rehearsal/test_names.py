"""Which names the hosts of a VPC can look up."""

from __future__ import annotations

from pathlib import Path

from rehearsal.accounts import Opened
from rehearsal.hosts import names
from rehearsal.hosts.model import Snapshot, Vpc
from tests.unit.rehearsal.test_database_settings import database
from tests.unit.rehearsal.test_firewall import instance

ACCOUNT = "111122223333"
OPENED = {ACCOUNT: Opened("dev", ACCOUNT, "eu-central-1", "dev.rehearsal.localhost")}
ALB = "internal-Dev-1.eu-central-1.elb.amazonaws.com"


def snapshot(**values: object) -> Snapshot:
    return Snapshot(ACCOUNT, "eu-central-1", (Vpc("vpc-1", ACCOUNT, "10.20.0.0/16"),), **values)  # type: ignore[arg-type]


def test_services_lead_to_the_load_balancer() -> None:
    lines = names.records([snapshot(balancers={ALB: ("10.20.0.9", "10.20.4.9")})], OPENED)
    assert f"10.20.0.9 {ALB.lower()}" in lines
    for service in ("nifi", "airflow", "ingest"):
        assert f"10.20.0.9 {service}.dev.rehearsal.localhost" in lines
        assert f"10.20.4.9 {service}.dev.rehearsal.localhost" in lines


def test_without_a_load_balancer_there_is_no_service() -> None:
    assert names.records([snapshot()], OPENED) == []


def test_hosts_are_known_by_their_private_names() -> None:
    here = (instance("sg-1"), instance("sg-1", instance_id="i-2", address="10.20.1.5", name="gone", state="terminated"))
    assert names.records([snapshot(instances=here)], OPENED) == ["10.20.1.4 ip-10-20-1-4.eu-central-1.compute.internal"]


def test_nothing_is_asked_outside() -> None:
    text = names.settings(["10.20.0.1", "10.30.0.1"], Path("/x/names.hosts"))
    lines = text.splitlines()
    assert {"no-resolv", "no-hosts", "local=/#/"} <= set(lines)
    assert [line for line in lines if line.startswith("listen")] == [
        "listen-address=10.20.0.1",
        "listen-address=10.30.0.1",
    ]
    assert not [line for line in lines if line.startswith("server=")]


def test_a_databases_endpoint_leads_to_its_interface() -> None:
    one = database(endpoint="dev-airflow.C1.eu-central-1.rds.amazonaws.com", address="10.20.1.9")
    made = database(state="creating", endpoint="")
    lines = names.records([snapshot(databases=(one, made))], OPENED)
    assert lines == ["10.20.1.9 dev-airflow.c1.eu-central-1.rds.amazonaws.com"]
