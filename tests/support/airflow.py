"""Talks to a rehearsal's services as somebody with a certificate does: Airflow's API, the ingest door."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible_collections.dataplatform.aws.plugins.module_utils._pipelines._airflow import Airflow
from ansible_collections.dataplatform.aws.plugins.module_utils._verification._http import Endpoint, KeyPair
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
    pkcs12,
)
from cryptography.x509 import load_pem_x509_certificates

from tests.support.rehearsal import Rehearsal, wait_for

OUTAGE = 240.0  # seconds for which a service may be away while a test talks to it


def key_pair(p12: Path, password: str) -> KeyPair:
    """Certificate, chain and key of an exported file."""
    key, certificate, others = pkcs12.load_key_and_certificates(p12.read_bytes(), password.encode())
    assert key is not None
    assert certificate is not None
    chain = b"".join(one.public_bytes(Encoding.PEM) for one in [certificate, *others])
    return KeyPair(chain, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


def write_p12(pair: KeyPair, path: Path, password: str) -> Path:
    """The other way round: a file for a browser, from a pair that is in memory."""
    certificate, *others = load_pem_x509_certificates(pair.certificate)
    key: Any = load_pem_private_key(pair.key, None)
    encryption = BestAvailableEncryption(password.encode())
    path.touch(mode=0o600)
    path.write_bytes(pkcs12.serialize_key_and_certificates(b"test", key, certificate, others, encryption))
    return path


def endpoint(rehearsal: Rehearsal, service: str) -> Endpoint:
    """A service's public name. Its certificate is the rehearsal's own."""
    return Endpoint(f"{service}.{rehearsal.env}.rehearsal.localhost", ca_path=str(rehearsal.ca_bundle()))


def airflow(rehearsal: Rehearsal, pair: KeyPair) -> Airflow:
    """Airflow, as whoever has that certificate. A restart of it is waited out."""
    return Airflow(endpoint(rehearsal, "airflow"), pair, OUTAGE)


def wait_for_task(session: Airflow, dag_id: str, run_id: str, task_id: str, seconds: float, *states: str) -> str:
    """The task's state, once it is one of those (or the run has ended). The run must not fail meanwhile."""

    def reached() -> str | None:
        run = session.run(dag_id, run_id)
        assert run is not None
        assert run["state"] != "failed", session.tasks(dag_id, run_id)
        found = {task["task_id"]: task["state"] for task in session.tasks(dag_id, run_id)}
        return found.get(task_id) if found.get(task_id) in states or run["state"] == "success" else None

    return str(wait_for(reached, seconds, f"{task_id} is {' or '.join(states)}", every=1))
