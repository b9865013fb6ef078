"""The flows of this checkout on a real NiFi: deployed as the module does it, nothing lost on the way into bronze."""

from __future__ import annotations

import json
import os
import socket
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.dataplatform.aws.plugins.module_utils import (
    _nifi,
    _nifi_access,
    _nifi_flow_deploy,
    _nifi_reconcile,
)

from tests.integration.pipelines import nifi_server
from tests.integration.pipelines.nifi_server import ROOT, Nifi, wait_for
from tests.integration.pipelines.storage import Storage
from tests.support.pki import Authority, name
from tests.support.ports import free_port

FLOWS = ROOT / "pipelines" / "flows"
AWAY_SECONDS = 60


def definition(name: str) -> dict[str, Any]:
    return dict(json.loads((FLOWS / f"{name}.json").read_text()))


class Flows:
    """The two flows, with the test's buckets."""

    def __init__(self, nifi: Nifi, storage: Storage) -> None:
        self.nifi, self.storage, self.port = nifi, storage, free_port()
        for bucket in ("landing", "bronze"):
            storage.make(bucket)
        self.parameters = {
            "flights-batch": {"landing.bucket": "landing", "landing.prefix": "landing/flights/"},
            "flights-stream": {
                "listen.host": "127.0.0.1",
                "listen.port": str(self.port),
                "merge.seconds": "1 sec",
                "spool.folder": str(nifi.home / "spool"),
            },
        }
        for values in self.parameters.values():
            values |= {"bronze.bucket": "bronze", "bronze.prefix": "flights"}

    def deploy(self, name: str, state: str, *, flow: Any = None, check: bool = False) -> _nifi_flow_deploy.Outcome:
        wanted = _nifi_flow_deploy.Flow(name, flow or definition(name), self.parameters[name], state)
        with _nifi.Client(self.nifi.login) as client:
            _nifi_flow_deploy.grant(client, check=False)
            return _nifi_flow_deploy.Deployment(client, wanted, check, 90).ensure()

    def land(self, name: str, content: bytes) -> None:
        self.storage.s3.put_object(Bucket="landing", Key=f"landing/flights/{name}", Body=content)

    def push(self, body: bytes | None, path: str = "/flights", method: str = "POST") -> int:
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", data=body, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code

    def listens(self) -> bool:
        """Whether records can be pushed: NiFi listens a moment after the flow runs."""
        try:
            socket.create_connection(("127.0.0.1", self.port), 10).close()
        except ConnectionRefusedError:
            return False
        return True

    def batches(self) -> Counter[bytes]:
        keys = [key for key in self.storage.keys("bronze", "flights/") if "/batch-" in key]
        return Counter(self.storage.read("bronze", key) for key in keys)

    def records(self) -> Counter[int]:
        """Numbers of the pushed records that are in bronze."""
        keys = [key for key in self.storage.keys("bronze", "flights/") if "/stream-" in key]
        lines = [line for key in keys for line in self.storage.read("bronze", key).splitlines()]
        return Counter(json.loads(line)["number"] for line in lines)


@pytest.fixture(scope="module")
def flows(nifi: Nifi, storage: Storage) -> Flows:
    return Flows(nifi, storage)


def test_nobody_deploys_without_policies_and_the_initial_admin_gives_them_to_itself(nifi: Nifi) -> None:
    with _nifi.Client(nifi.login) as client:
        wanted = _nifi_flow_deploy.Flow("flights-batch", None, {}, "absent")
        with pytest.raises(_nifi.Refused, match="403"):
            _nifi_flow_deploy.Deployment(client, wanted, True, 5).ensure()
        planned = _nifi_flow_deploy.grant(client, check=True)
        assert "policy write /process-groups/root for user " + nifi_server.ADMIN in planned
        assert _nifi_flow_deploy.grant(client, check=False) == planned
        assert _nifi_flow_deploy.grant(client, check=False) == []


def test_a_flow_is_made_once_and_drift_is_put_right(flows: Flows) -> None:
    dry = flows.deploy("flights-batch", "present", check=True)
    assert (dry.actions, dry.id) == (["create parameters", "create"], "")
    made = flows.deploy("flights-batch", "present")
    assert made.actions == dry.actions
    assert made.state == "stopped"
    assert flows.deploy("flights-batch", "present").actions == []

    changed = definition("flights-batch")
    changed["flowContents"]["processors"][0]["comments"] = "somebody's note"
    assert flows.deploy("flights-batch", "present", flow=changed).actions == ["replace"]
    found = flows.deploy("flights-batch", "present", check=True)
    assert found.actions == ["replace"]
    assert "somebody's note" in found.before
    assert "somebody's note" not in found.after
    assert flows.deploy("flights-batch", "present").actions == ["replace"]
    assert flows.deploy("flights-batch", "running").actions == ["start"]
    assert flows.deploy("flights-batch", "running").actions == []


def test_files_land_once_also_when_they_are_larger_than_fits_through_python(flows: Flows) -> None:
    wanted = Counter({f"day,{day}\n".encode(): 1 for day in range(1, 21)})
    for day, content in enumerate(wanted, start=1):
        flows.land(f"2013-01-{day:02d}.csv", content)
    large = b"0123456789abcde\n" * (18 << 16)
    flows.land("2013-02-01.csv", large)
    wanted[large] = 1
    flows.deploy("flights-batch", "running")
    wait_for(
        lambda: len(flows.batches()) == len(wanted), 60, lambda: f"{len(flows.batches())} files\n{flows.nifi.log_end()}"
    )
    # A correction lands beside the first delivery, and a restart fetches nothing again.
    flows.land("2013-01-01.csv", b"day,1 corrected\n")
    wanted[b"day,1 corrected\n"] = 1
    flows.deploy("flights-batch", "stopped")
    flows.deploy("flights-batch", "running")
    wait_for(lambda: len(flows.batches()) == len(wanted), 60, flows.nifi.log_end)
    assert flows.batches() == wanted
    first = flows.storage.keys("bronze", "flights/ingest_date=2013-01-01/")
    assert len(first) == 2


def test_records_are_pushed_and_what_is_no_json_is_refused(flows: Flows) -> None:
    flows.deploy("flights-stream", "running")
    wait_for(flows.listens, 60, flows.nifi.log_end)
    assert flows.push(b'[{"number": 1, "carrier": null}, {"number": 2, "carrier": "UA"}]') == 200
    assert flows.push(b'{"number": 3}\n{"number": 4}\n') == 200
    assert flows.push(b"[]") == 200  # nothing to keep is no reason to let the producer wait
    assert flows.push(b"") == 200
    assert flows.push(b"{not json") == 400
    assert flows.push(b"{}", "/verification") == 404
    assert flows.push(None, method="GET") == 405
    filler = "x" * 1000
    assert (
        flows.push("\n".join(json.dumps({"number": n, "filler": filler}) for n in range(100, 17_500)).encode()) == 200
    )
    wanted = Counter([1, 2, 3, 4, *range(100, 17_500)])
    wait_for(
        lambda: flows.records() == wanted, 60, lambda: f"{flows.records().total()} records\n{flows.nifi.log_end()}"
    )
    assert not list((flows.nifi.home / "spool").iterdir())


def test_parameters_change_while_the_flow_runs(flows: Flows) -> None:
    parameters = flows.parameters["flights-stream"]
    parameters |= {"merge.seconds": "2 sec", "not.used": "x"}
    assert flows.deploy("flights-stream", "running").actions == ["set parameters"]
    del parameters["not.used"]
    assert flows.deploy("flights-stream", "running").actions == ["remove parameters"]
    assert flows.deploy("flights-stream", "running").actions == []
    assert flows.push(b'{"number": 30000}') == 200
    wait_for(lambda: flows.records()[30_000] == 1, 60, flows.nifi.log_end)


def test_nothing_is_lost_or_doubled_when_storage_is_away_and_nifi_is_killed(flows: Flows, nifi: Nifi) -> None:
    batches, records = flows.batches(), flows.records()
    away = time.monotonic()
    flows.storage.door.close()
    for number in range(20_000, 20_050):
        assert flows.push(json.dumps({"number": number}).encode()) == 200
        records[number] = 1
    for day in range(1, 11):
        content = f"away,{day}\n".encode()
        flows.land(f"2013-03-{day:02d}.csv", content)
        batches[content] = 1
    # A flow is replaced in place while its queues hold what could not be written.
    changed = definition("flights-stream")
    changed["flowContents"]["comments"] += " Changed."
    assert flows.deploy("flights-stream", "running", flow=changed).actions == ["replace"]
    nifi.kill()
    nifi.start()
    wait_for(flows.listens, 60, nifi.log_end)
    for number in range(20_050, 20_100):
        assert flows.push(json.dumps({"number": number}).encode()) == 200
        records[number] = 1
    wait_for(lambda: time.monotonic() - away >= AWAY_SECONDS, AWAY_SECONDS, "a minute")
    assert not flows.records().keys() & set(range(20_000, 20_100))
    flows.storage.door.open()
    wait_for(
        lambda: flows.records().keys() == records.keys(), 120, lambda: f"{flows.records().total()}\n{nifi.log_end()}"
    )
    wait_for(
        lambda: flows.batches().keys() == batches.keys(), 120, lambda: f"{flows.batches().total()}\n{nifi.log_end()}"
    )
    assert flows.records() == records
    assert flows.batches() == batches
    assert not flows.storage.keys("bronze", "quarantine/")


def ansible(nifi: Nifi, module: str, check: bool = False, **arguments: Any) -> dict[str, Any]:
    """Run a module of the collection as Ansible does; its result."""
    login = nifi.login
    arguments |= {"url": login.url, "client_cert": login.client_cert, "ca_path": login.ca_path}
    command = [sys.executable, "-m", "ansible", "adhoc", "localhost", "-m", f"dataplatform.aws.{module}", "--diff"]
    command += ["-a", json.dumps(arguments), *(["--check"] if check else [])]
    environment = {
        **os.environ,
        "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "collections"),
        "ANSIBLE_HOME": str(nifi.home / "ansible"),
        "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json",
        "ANSIBLE_LOAD_CALLBACK_PLUGINS": "true",
        "ANSIBLE_PYTHON_INTERPRETER": sys.executable,
    }
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    output = done.stdout[done.stdout.index("{") :]
    return dict(json.loads(output)["plays"][0]["tasks"][0]["hosts"]["localhost"])


TRIGGER = "CN=airflow, OU=Services, O=Platform"
# What access.yml gives the role `trigger`.
TRIGGER_POLICIES = [
    {"resource": "/flow", "actions": ["read"]},
    {"resource": "/process-groups/root", "actions": ["read"]},
    {"resource": "/operation/process-groups/root", "actions": ["write"]},
]


def test_airflow_starts_and_stops_a_flow_and_may_do_no_more(
    flows: Flows, nifi: Nifi, authority: Authority, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "pipelines" / "dags"))
    from dataplatform_operators.nifi_api import NiFi, NiFiError

    pem = authority.issue(name(O="Platform", OU="Services", CN="airflow")).write(tmp_path / "airflow.pem")
    context = ssl.create_default_context(cafile=nifi.login.ca_path)
    context.load_cert_chain(pem)
    airflow = NiFi(f"https://localhost:{nifi.port}", context)
    with pytest.raises(NiFiError, match="403"):
        airflow.group("flights-batch")
    with _nifi.Client(nifi.login) as client:
        policies = [{**policy, "users": [TRIGGER]} for policy in TRIGGER_POLICIES]
        wanted = _nifi_access.declared([], [], policies) | _nifi_reconcile.read(client).facts
        _nifi_reconcile.reconcile(client, wanted, [])
    group = airflow.group("flights-batch")["id"]
    for state in ("STOPPED", "RUNNING"):
        airflow.set_state(group, state)  # NiFi answers before it is done
        wait_for(lambda: flows.deploy("flights-batch", "present").state == state.lower(), 30, nifi.log_end)  # noqa: B023
    with pytest.raises(NiFiError, match="403"):
        airflow._call("PUT", f"/process-groups/{group}", {"revision": {"version": 0}, "component": {"id": group}})


def test_the_modules_deploy_tell_and_give_back_what_nifi_runs(flows: Flows, nifi: Nifi) -> None:
    wanted = {"name": "flights-batch", "parameters": flows.parameters["flights-batch"], "grant": True}
    changed = definition("flights-batch")
    changed["flowContents"]["comments"] = "by hand"
    done = ansible(nifi, "nifi_flow", **wanted, definition=changed)
    assert (done["changed"], done["actions"]) == (True, ["replace"])
    planned = ansible(nifi, "nifi_flow", check=True, **wanted, definition=definition("flights-batch"))
    assert (planned["changed"], planned["actions"]) == (True, ["replace"])
    assert '"comments": "by hand"' in planned["diff"]["before"]
    assert ansible(nifi, "nifi_flow_info", name="flights-batch")["definition"]["flowContents"]["comments"] == "by hand"
    ansible(nifi, "nifi_flow", **wanted, definition=definition("flights-batch"))
    assert ansible(nifi, "nifi_flow", **wanted, definition=definition("flights-batch"))["changed"] is False
    failed = ansible(nifi, "nifi_flow", **{**wanted, "parameters": {}}, definition=definition("flights-batch"))
    assert "uses parameters without a value: bronze.bucket" in failed["msg"]
    assert ansible(nifi, "nifi_flow_info", name="nothing")["exists"] is False


def test_a_flow_is_removed_when_it_is_empty(flows: Flows) -> None:
    for flow in ("flights-batch", "flights-stream"):
        flows.deploy(flow, "stopped")
        assert flows.deploy(flow, "absent").actions == ["remove"]
        assert flows.deploy(flow, "absent").actions == []
