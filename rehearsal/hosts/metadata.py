"""The instance metadata service: who asks is told by the address it asks from.

Paths and rules: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-categories.html and
https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/configuring-instance-metadata-service.html
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import time
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler
from typing import Any

Json = Mapping[str, Any]
Host = Mapping[str, Any]
Credentials = Callable[[Host], Json]
"""Gives temporary credentials of the host's role: AccessKeyId, SecretAccessKey, SessionToken, Expiration."""

TOKEN_SECONDS = 21600
VERSION = re.compile(r"^/(latest|\d{4}-\d{2}-\d{2}|1\.0)(?=/|$)")


class Tokens:
    """Session tokens that hold for one address and a time; nothing is kept but the key."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def issue(self, address: str, seconds: int, now: float | None = None) -> str:
        """A token for `address` that lapses after `seconds`."""
        ends = int((time.time() if now is None else now) + seconds)
        return f"{ends:x}-{self._sign(address, ends)}"

    def left(self, token: str, address: str, now: float | None = None) -> int | None:
        """Seconds a token has left, None when it is not one of ours for this address, or lapsed."""
        ends_hex, _, signature = token.partition("-")
        try:
            ends = int(ends_hex, 16)
        except ValueError:
            return None
        remaining = ends - int(time.time() if now is None else now)
        genuine = hmac.compare_digest(signature.encode(), self._sign(address, ends).encode())
        return remaining if genuine and remaining > 0 else None

    def _sign(self, address: str, ends: int) -> str:
        return hmac.new(self._key, f"{address} {ends}".encode(), hashlib.sha256).hexdigest()


def document(host: Host) -> str:
    """The instance identity document, as AWS formats it."""
    return json.dumps(
        {
            "accountId": host["account_id"],
            "architecture": "x86_64",
            "availabilityZone": host["zone"],
            "imageId": host["image_id"],
            "instanceId": host["instance_id"],
            "instanceType": host["kind"],
            "pendingTime": host.get("started", "1970-01-01T00:00:00Z"),
            "privateIp": host["address"],
            "region": host["region"],
            "version": "2017-09-30",
        },
        indent=2,
    )


def tree(host: Host, credentials: Credentials) -> dict[str, Any]:
    """Everything below /latest: a nested dictionary; leaves are text, bytes or functions that give text."""
    meta: dict[str, Any] = {
        "ami-id": host["image_id"],
        "hostname": host["name"],
        "instance-id": host["instance_id"],
        "instance-life-cycle": "on-demand",
        "instance-type": host["kind"],
        "local-hostname": host["name"],
        "local-ipv4": host["address"],
        "mac": host["mac"],
        "network": {"interfaces": {"macs": {host["mac"]: _interface(host)}}},
        "placement": {"availability-zone": host["zone"], "region": host["region"]},
        "security-groups": "\n".join(host["group_names"]),
        "services": {"domain": "amazonaws.com", "partition": "aws"},
    }
    if host.get("role_arn"):
        name = host["role_arn"].rsplit("/", 1)[-1]
        meta["iam"] = {
            "info": lambda: _profile(host),
            "security-credentials": {name: lambda: _credentials(credentials(host))},
        }
    if host.get("metadata_tags"):
        meta["tags"] = {"instance": dict(host["tags"])}
    top: dict[str, Any] = {
        "meta-data": meta,
        "dynamic": {"instance-identity": {"document": document(host)}},
    }
    if host.get("user_data"):
        top["user-data"] = host["user_data"]
    return top


def _interface(host: Host) -> dict[str, Any]:
    return {
        "device-number": "0",
        "local-hostname": host["name"],
        "local-ipv4s": host["address"],
        "mac": host["mac"],
        "owner-id": host["account_id"],
        "security-group-ids": "\n".join(host["groups"]),
        "security-groups": "\n".join(host["group_names"]),
        "subnet-id": host["subnet_id"],
        "vpc-id": host["vpc_id"],
        "vpc-ipv4-cidr-block": host["vpc_cidr"],
    }


def _profile(host: Host) -> str:
    return json.dumps({"Code": "Success", "LastUpdated": _now(), "InstanceProfileArn": host["profile"]}, indent=2)


def _credentials(given: Json) -> str:
    return json.dumps(
        {
            "Code": "Success",
            "LastUpdated": _now(),
            "Type": "AWS-HMAC",
            "AccessKeyId": given["AccessKeyId"],
            "SecretAccessKey": given["SecretAccessKey"],
            "Token": given["SessionToken"],
            "Expiration": given["Expiration"],
        },
        indent=2,
    )


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def look_up(top: Mapping[str, Any], path: str) -> str | bytes | None:
    """The answer to a path below /latest: a leaf's text, or what a folder holds, one name a line."""
    node: Any = top
    for part in [part for part in path.split("/") if part]:
        if not isinstance(node, Mapping) or part not in node:
            return None
        node = node[part]
    if isinstance(node, Mapping):
        # a folder's name ends with a slash; roles are listed bare, they are asked for by their name
        return "\n".join(f"{name}/" if isinstance(child, Mapping) else name for name, child in sorted(node.items()))
    return node() if callable(node) else node


class Handler(BaseHTTPRequestHandler):
    """Answers one host's request. `hosts`, `tokens` and `credentials` are set on a subclass."""

    protocol_version = "HTTP/1.1"
    server_version = "EC2ws"
    sys_version = ""
    timeout = 30
    hosts: Callable[[], Mapping[str, Host]]
    tokens: Tokens
    credentials: Credentials

    def do_PUT(self) -> None:
        host = self._host()
        if host is None:
            return
        seconds = self.headers.get("X-aws-ec2-metadata-token-ttl-seconds", "")
        if VERSION.sub("", self.path) != "/api/token":
            self._answer(404)
        elif self.headers.get("X-Forwarded-For"):
            self._answer(403)
        elif not seconds.isdigit() or not 1 <= int(seconds) <= TOKEN_SECONDS:
            self._answer(400)
        else:
            token = self.tokens.issue(self.client_address[0], int(seconds))
            self._answer(200, token, {"X-aws-ec2-metadata-token-ttl-seconds": seconds})

    def do_GET(self) -> None:
        host = self._host()
        if host is None:
            return
        token = self.headers.get("X-aws-ec2-metadata-token")
        left = self.tokens.left(token, self.client_address[0]) if token else None
        if left is None and (token or host["token_required"]):
            self._answer(401)
            return
        path = self.path.split("?", 1)[0]
        versioned = VERSION.match(path)
        if path == "/":
            self._answer(200, "latest")
            return
        try:
            found = look_up(tree(host, type(self).credentials), path[versioned.end() :]) if versioned else None
        except Exception as problem:
            self._answer(500, json.dumps({"Code": "Failed", "Message": str(problem)}))
            return
        if found is None:
            self._answer(404)
        else:
            self._answer(200, found, {"X-aws-ec2-metadata-token-ttl-seconds": str(left)} if left else {})

    do_HEAD = do_GET

    def _host(self) -> Host | None:
        """Who asks; answers by itself when it may not."""
        host = type(self).hosts().get(self.client_address[0])
        if host is None:
            self._answer(404)
        elif not host["metadata_enabled"]:
            self._answer(403)
            return None
        return host

    def _answer(self, status: int, content: str | bytes = b"", headers: Mapping[str, str] | None = None) -> None:
        body = content.encode() if isinstance(content, str) else content
        self.send_response(status)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(body)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """No line for every request; and none with a token in it."""
