"""The gateway of a VPC, without a network."""

from __future__ import annotations

import json
import queue
from pathlib import Path

import pytest

from rehearsal.hosts import gateway


def test_a_hosts_credentials_are_there_before_it_asks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An SDK waits for them one second, once: botocore's metadata_service_timeout and metadata_service_num_attempts."""
    asked: queue.Queue[tuple[str, str]] = queue.Queue()
    monkeypatch.setattr(
        gateway.Roles, "credentials", lambda _self, host, account: asked.put((host["instance_id"], account))
    )
    hosts = {
        "10.0.0.5": {"instance_id": "i-none", "role_arn": ""},
        "10.0.0.6": {"instance_id": "i-nifi", "role_arn": "arn:aws:iam::111122223333:role/nifi"},
    }
    state = {"gateways": [], "mirrors": [], "hosts": hosts, "account": "one"}
    (tmp_path / gateway.STATE).write_text(json.dumps(state))
    gateway.Gateway(tmp_path).follow()
    assert asked.get(timeout=10) == ("i-nifi", "one")
    assert asked.empty()
