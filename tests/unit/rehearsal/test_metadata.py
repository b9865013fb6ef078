"""The instance metadata service, spoken to over HTTP."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from typing import Any

import pytest

from rehearsal.hosts import metadata

HOST = {
    "account_id": "111122223333",
    "address": "127.0.0.1",
    "group_names": ["nifi"],
    "groups": ["sg-1"],
    "image_id": "ami-1",
    "instance_id": "i-1",
    "kind": "t3.large",
    "mac": "02:00:00:00:00:01",
    "metadata_enabled": True,
    "metadata_tags": False,
    "name": "ip-10-20-1-4.eu-central-1.compute.internal",
    "profile": "arn:aws:iam::111122223333:instance-profile/dev-nifi",
    "region": "eu-central-1",
    "role_arn": "arn:aws:iam::111122223333:role/platform/dev-nifi",
    "subnet_id": "subnet-1",
    "tags": {"Role": "nifi"},
    "token_required": True,
    "vpc_cidr": "10.20.0.0/16",
    "vpc_id": "vpc-1",
    "zone": "eu-central-1b",
}
KEYS = {"AccessKeyId": "A", "SecretAccessKey": "S", "SessionToken": "T", "Expiration": "2030-01-01T00:00:00Z"}


class Service:
    """The service, asked from 127.0.0.1."""

    def __init__(self) -> None:
        self.hosts: dict[str, Any] = {"127.0.0.1": dict(HOST)}
        handler = type(
            "Handler",
            (metadata.Handler,),
            {
                "hosts": staticmethod(lambda: self.hosts),
                "tokens": metadata.Tokens(b"key"),
                "credentials": staticmethod(lambda host: KEYS),
            },
        )
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def ask(self, path: str, method: str = "GET", **headers: str) -> tuple[int, str]:
        connection = http.client.HTTPConnection("127.0.0.1", self.server.server_port, timeout=5)
        connection.request(method, path, headers={name.replace("_", "-"): value for name, value in headers.items()})
        answer = connection.getresponse()
        found = answer.status, answer.read().decode()
        connection.close()
        return found

    def token(self, seconds: str = "60") -> str:
        status, token = self.ask("/latest/api/token", "PUT", X_aws_ec2_metadata_token_ttl_seconds=seconds)
        assert status == 200
        return token

    def get(self, path: str) -> str:
        status, text = self.ask(path, X_aws_ec2_metadata_token=self.token())
        assert status == 200, path
        return text


@pytest.fixture
def service() -> Iterator[Service]:
    made = Service()
    yield made
    made.server.shutdown()
    made.server.server_close()


def test_without_a_token_nothing_is_told(service: Service) -> None:
    assert service.ask("/latest/meta-data/instance-id")[0] == 401
    assert service.ask("/latest/meta-data/instance-id", X_aws_ec2_metadata_token="made-up")[0] == 401


def test_without_a_token_where_none_is_required(service: Service) -> None:
    service.hosts["127.0.0.1"]["token_required"] = False
    assert service.ask("/latest/meta-data/instance-id") == (200, "i-1")


@pytest.mark.parametrize("seconds", ["0", "21601", "x", ""])
def test_a_token_lasts_one_second_to_six_hours(service: Service, seconds: str) -> None:
    assert service.ask("/latest/api/token", "PUT", X_aws_ec2_metadata_token_ttl_seconds=seconds)[0] == 400


def test_no_token_through_a_proxy(service: Service) -> None:
    headers = {"X_aws_ec2_metadata_token_ttl_seconds": "60", "X_Forwarded_For": "203.0.113.1"}
    assert service.ask("/latest/api/token", "PUT", **headers)[0] == 403


def test_a_token_holds_for_its_time_and_host_only() -> None:
    tokens = metadata.Tokens(b"key")
    token = tokens.issue("10.20.1.4", 60, now=1000)
    assert tokens.left(token, "10.20.1.4", now=1059) == 1
    assert tokens.left(token, "10.20.1.4", now=1060) is None
    assert tokens.left(token, "10.20.1.5", now=1001) is None
    assert metadata.Tokens(b"other").left(token, "10.20.1.4", now=1001) is None


def test_what_boto3_and_ansible_ask(service: Service) -> None:
    assert service.get("/latest/meta-data/placement/availability-zone") == "eu-central-1b"
    assert service.get("/latest/meta-data/placement/region") == "eu-central-1"
    assert service.get("/latest/meta-data/iam/security-credentials/") == "dev-nifi"
    found = json.loads(service.get("/latest/meta-data/iam/security-credentials/dev-nifi"))
    assert (found["Code"], found["AccessKeyId"], found["Token"]) == ("Success", "A", "T")
    document = json.loads(service.get("/latest/dynamic/instance-identity/document"))
    assert (document["accountId"], document["region"]) == ("111122223333", "eu-central-1")
    assert service.get("/2021-07-15/meta-data/instance-id") == "i-1"


def test_folders_list_what_they_hold(service: Service) -> None:
    assert service.get("/latest/meta-data/placement/").splitlines() == ["availability-zone", "region"]
    assert "iam/" in service.get("/latest/meta-data/").splitlines()
    assert service.get("/") == "latest"


def test_tags_only_where_they_are_enabled(service: Service) -> None:
    path, token = "/latest/meta-data/tags/instance/Role", service.token()
    assert service.ask(path, X_aws_ec2_metadata_token=token)[0] == 404
    service.hosts["127.0.0.1"]["metadata_tags"] = True
    assert service.get(path) == "nifi"


def test_no_role_no_credentials(service: Service) -> None:
    service.hosts["127.0.0.1"]["role_arn"] = None
    token = service.token()
    assert service.ask("/latest/meta-data/iam/security-credentials/", X_aws_ec2_metadata_token=token)[0] == 404


def test_strangers_and_disabled_hosts_get_nothing(service: Service) -> None:
    service.hosts["127.0.0.1"]["metadata_enabled"] = False
    assert service.ask("/latest/api/token", "PUT", X_aws_ec2_metadata_token_ttl_seconds="60")[0] == 403
    service.hosts.clear()
    assert service.ask("/latest/meta-data/instance-id")[0] == 404
