"""Airflow and the lake after the first run: what was checked, and what two people see in a browser."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.dataplatform.aws.plugins.module_utils import _acmpca, _pki, _registry
from ansible_collections.dataplatform.aws.plugins.module_utils._verification import _probes
from ansible_collections.dataplatform.aws.plugins.module_utils._verification._http import Refused

from tests.e2e.browser import browser
from tests.e2e.person import DNS, PICTURES
from tests.support.airflow import endpoint, write_p12
from tests.support.rehearsal import Rehearsal, wait_for

FLIGHTS = 336_776
PASSWORD = "of-a-throwaway-file"
PATCH = "/api/v2/dags/flights_daily?update_mask=is_paused"
REVOCATION = 120  # seconds: the edge pulls its list every minute


@pytest.fixture(scope="module")
def url(dev) -> str:
    return dev.platform()["urls"]["airflow"]


def test_every_check_of_the_pipelines_passed(dev):
    """Acceptance 1."""
    checks = {check["name"]: check for check in dev.verified()["checks"] if check["name"].startswith("pipeline:")}
    assert [check for check in checks.values() if check["status"] not in ("passed", "computed")] == []
    wanted = (
        "health", "started", "dag-visible", "deadline-alert", "dag-removed", "nifi-refused", "nifi-role-needed",
        "dag-read", "import-errors", "nifi-triggered", "run", "bronze", "silver", "gold", "gold-checksum",
    )  # fmt: skip
    assert {f"pipeline:{name}" for name in wanted} <= set(checks)


def test_all_flights_went_through_to_gold(dev):
    """Acceptance 1: counts by layer, and gold's checksum as it was computed independently."""
    lake = dev.verified()["lake"]
    assert lake["bronze"]["rows"] == FLIGHTS
    assert 0 < lake["gold"]["rows"] < lake["silver"]["rows"] <= FLIGHTS
    assert lake["checksum"]["observed"] == lake["checksum"]["expected"]
    assert lake["last_run"]["state"] == "success"


def test_status_shows_airflow_and_the_lake(dev):
    wait_for(dev.is_healthy, 120, "all is healthy")  # on a busy machine a heartbeat comes late
    status = dev.status()
    assert len(status["airflow"]["nodes"]) == 1
    assert {"scheduler", "triggerer", "dag_processor", "metadatabase"} == set(status["airflow"]["components"])
    assert status["lake"]["bronze"]["objects"] >= 365
    assert {"dev_silver.flights", "dev_gold.daily_carrier_delays"} <= {t["name"] for t in status["lake"]["tables"]}
    text = dev.run("status").stdout
    assert "scheduler healthy" in text
    assert "last run:" in text


def patched(person: Any, url: str, **more: Any) -> dict[str, Any]:
    """What comes of changing a DAG to what it is already, from within Airflow's own page."""
    write = {"fetch": {"path": PATCH, "method": "PATCH", "body": {"is_paused": False}}}
    seen = person.airflow(url, write, **more)
    assert "error" not in seen, seen
    return seen


def test_alice_sees_the_run_and_may_change_dags(dev, people, url):
    """Acceptance 3. The pages in docs/ are what she saw."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    run_id = dev.verified()["lake"]["last_run"]["run_id"]
    page = {"go": {"path": f"/dags/flights_daily/runs/{run_id}", "text": "silver_to_gold"}}
    seen = people["alice"].airflow(url, page, screenshot=PICTURES / "alice-dag-run.png")
    assert "error" not in seen, seen
    assert seen["user"] == DNS["alice"]
    assert patched(people["alice"], url, screenshot=PICTURES / "alice-airflow.png")["fetched"]["status"] == 200


def test_bob_looks_and_cannot_change(people, url):
    """Acceptance 3."""
    seen = patched(people["bob"], url)
    assert seen["user"] == DNS["bob"]
    assert seen["fetched"]["status"] == 403
    look = {"fetch": {"path": "/api/v2/dags/flights_daily"}}
    assert people["bob"].airflow(url, look)["fetched"]["status"] == 200


class Stranger:
    """A certificate that the CA gave out outside of any request."""

    def __init__(self, rehearsal: Rehearsal, unit: str, ca: Any, folder: Any) -> None:
        self.rehearsal, self.platform, self.ca = rehearsal, rehearsal.platform(), ca
        subject = {"common_name": "carol", "organizational_unit": unit, "organization": "Platform"}
        self.acmpca = rehearsal.client("acm-pca")
        self.probe = _probes.issue(self.acmpca, self.platform["pki"]["users_ca_arn"], subject)
        self.p12 = write_p12(self.probe.pair, folder / "carol.p12", PASSWORD)

    def browse(self, url: str, *steps: Any) -> dict[str, Any]:
        return browser.run(["open", *steps], url, ca=self.ca, p12=self.p12, password=PASSWORD)

    def revoke(self) -> None:
        record = _registry.Record(
            user="probe-carol",
            kind="probe",
            dn=self.probe.dn,
            serial=self.probe.serial,
            certificate_arn=self.probe.arn,
            not_before=_pki.rfc3339(self.probe.not_before),
            not_after=_pki.rfc3339(self.probe.not_after),
            request_sha256="",
            delivery="none",
        )
        reason = "CESSATION_OF_OPERATION"
        _acmpca.revoke(self.acmpca, self.platform["pki"]["users_ca_arn"], self.probe.serial, reason)
        s3 = self.rehearsal.client("s3")
        _registry.record_revoked(s3, self.platform["buckets"]["certificates"], record, reason)


def test_an_unknown_subject_is_told_that_it_has_no_access(dev, people, url, tmp_path):
    """Acceptance 3: a good certificate whose subject no rule knows."""
    seen = Stranger(dev, "Visitors", people["alice"].ca, tmp_path).browse(url, "text")
    assert seen["status"] == 403, seen
    assert "No access to Airflow" in seen["text"]
    assert "CN=carol,OU=Visitors,O=Platform" in seen["text"]


def test_a_revoked_certificate_is_refused(dev, people, url, tmp_path):
    """Acceptance 3: it worked, and does not any more."""
    carol = Stranger(dev, "DataEng", people["alice"].ca, tmp_path)
    assert carol.browse(url, "airflow")["user"] == carol.probe.dn
    carol.revoke()
    door = endpoint(dev, "airflow")

    def refused() -> bool:
        return door.request("GET", "/", pair=carol.probe.pair).status == 403

    wait_for(refused, REVOCATION, "the edge refuses the revoked certificate", every=2)
    assert carol.browse(url)["status"] == 403

    dev.run("--yes", "--only", "certificates")  # which tells the balancer

    def unwelcome() -> bool:
        try:
            door.request("GET", "/", pair=carol.probe.pair)
        except Refused:
            return True
        return False

    wait_for(unwelcome, REVOCATION, "the balancer refuses the revoked certificate", every=2)
