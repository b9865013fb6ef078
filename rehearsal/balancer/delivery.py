"""Follows HAProxy's log and puts it into the buckets that the load balancers' attributes name."""

from __future__ import annotations

import gzip
import json
import secrets
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from rehearsal.balancer.logformat import REFUSED, REQUEST
from rehearsal.balancer.logs import access_line, connection_line, refused_line
from rehearsal.balancer.model import LoadBalancer

DELIVERY_SECONDS = 10.0
"""Time between deliveries (five minutes on AWS)."""

PRINCIPALS = ("logdelivery.elasticloadbalancing.amazonaws.com", "054676820928", "delivery.logs.amazonaws.com")
"""Who delivers an ALB's logs: the service, or its account in eu-central-1 (user guide, "Enable access logs")."""


@dataclass
class Pending:
    """Lines of one load balancer that wait for delivery."""

    access: list[str] = field(default_factory=list)
    connections: list[str] = field(default_factory=list)


class Collector:
    """Follows HAProxy's log file and delivers it. How far it was delivered is kept in the folder."""

    def __init__(self, folder: Path, log: Path) -> None:
        self._log = log
        self._state = folder / "logs.json"
        self._pending: dict[str, Pending] = {}
        self._last = time.monotonic()
        self._offset = self._read_offset()
        self.refused: dict[str, str] = {}

    def _read_offset(self) -> int:
        try:
            return int(json.loads(self._state.read_text())["delivered"])
        except (OSError, ValueError, KeyError):
            return 0

    def collect(self, balancers: Iterable[LoadBalancer], certificates: Mapping[str, str]) -> None:
        """Read what HAProxy wrote since the last call. `certificates`: serial (hex) → ACM ARN."""
        known = {balancer.key: balancer for balancer in balancers}
        size = self._log.stat().st_size if self._log.exists() else 0
        if size < self._offset:  # somebody emptied the file
            self._offset = 0
        if size <= self._offset:
            return
        with self._log.open("rb") as stream:
            stream.seek(self._offset)
            content = stream.read()
        complete = content[: content.rfind(b"\n") + 1]
        self._offset += len(complete)
        for line in complete.decode(errors="replace").splitlines():
            self._take(line, known, certificates)

    def _take(self, line: str, known: Mapping[str, LoadBalancer], certificates: Mapping[str, str]) -> None:
        parts = line.lstrip("\0").split("\t")
        names = {"A": REQUEST, "C": REFUSED}.get(parts[0])
        if names is None or len(parts) != len(names):
            return
        row = dict(zip(names, parts, strict=True))
        balancer = known.get(row["lb"])
        if balancer is None:
            return
        pending = self._pending.setdefault(row["lb"], Pending())
        if row["kind"] == "C":
            pending.connections.append(refused_line(row))
            return
        pending.access.append(access_line(row, balancer, certificates))
        if row["first"] == "first" and row["protocol"] not in ("", "-"):
            pending.connections.append(connection_line(row))

    def deliver(self, balancers: Iterable[LoadBalancer], s3: Callable[[str], Any], now: bool = False) -> int:
        """Put what waits into the buckets, at most every DELIVERY_SECONDS unless `now`; number of objects put.

        `s3` gives an account's S3 client by its id. Logs that AWS could not deliver either are dropped and named in
        `refused` (bucket → reason). Raises what boto3 raises; what waits is kept then.
        """
        if not now and time.monotonic() - self._last < DELIVERY_SECONDS:
            return 0
        self._last = time.monotonic()
        put = 0
        for balancer in balancers:
            pending = self._pending.get(balancer.key)
            if pending is None:
                continue
            for kind, name, lines in (
                ("access_logs", "", pending.access),
                ("connection_logs", "conn_log.", pending.connections),
            ):
                if lines and balancer.flag(f"{kind}.s3.enabled"):
                    put += self._put(s3(balancer.account_id), balancer, kind, name, lines)
                lines.clear()
        self._pending = {key: one for key, one in self._pending.items() if one.access or one.connections}
        if not self._pending:
            self._done()
        return put

    def _put(self, s3: Any, balancer: LoadBalancer, kind: str, name: str, lines: list[str]) -> int:
        bucket = balancer.attribute(f"{kind}.s3.bucket")
        key = object_key(balancer, balancer.attribute(f"{kind}.s3.prefix"), name, datetime.now(UTC))
        reason = refusal(s3, bucket, key)
        self.refused.pop(bucket, None)
        if reason:
            self.refused[bucket] = reason
            return 0
        s3.put_object(Bucket=bucket, Key=key, Body=gzip.compress(("\n".join(lines) + "\n").encode()))
        return 1

    def _done(self) -> None:
        """Everything up to the offset is delivered: remember that and free the file's space behind it."""
        if self._read_offset() == self._offset:
            return
        self._state.write_text(json.dumps({"delivered": self._offset}))
        if self._offset >= 1 << 20:  # HAProxy appends to the file for as long as it lives: it cannot be rotated
            command = ["fallocate", "--punch-hole", "--offset", "0", "--length", str(self._offset), str(self._log)]
            subprocess.run(command, check=False, capture_output=True)


def object_key(balancer: LoadBalancer, prefix: str, kind: str, at: datetime) -> str:
    """Key of a log object; `kind` is "" or "conn_log."."""
    account, region = balancer.account_id, balancer.region
    folder = f"AWSLogs/{account}/elasticloadbalancing/{region}/{at:%Y/%m/%d}/"
    name = balancer.resource_id.replace("/", ".")
    address = balancer.addresses[0] if balancer.addresses else "-"
    file = f"{kind}{account}_elasticloadbalancing_{region}_{name}_{at:%Y%m%dT%H%MZ}_{address}_{secrets.token_hex(4)}"
    return (f"{prefix.strip('/')}/" if prefix else "") + folder + file + ".log.gz"


def refusal(s3: Any, bucket: str, key: str) -> str:
    """Why AWS would not deliver a log to `bucket`, "" when it would: encryption by KMS, or a policy without leave."""
    try:
        rules = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]
        chosen = [rule.get("ApplyServerSideEncryptionByDefault", {}).get("SSEAlgorithm", "") for rule in rules]
    except s3.exceptions.ClientError:
        chosen = []
    if any(algorithm.startswith("aws:kms") for algorithm in chosen):
        return "the bucket encrypts with KMS; load balancers write to SSE-S3 buckets only"
    try:
        statements = json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"])["Statement"]
    except s3.exceptions.ClientError:
        statements = []
    wanted = f"arn:aws:s3:::{bucket}/{key}"
    for statement in statements if isinstance(statements, list) else [statements]:
        principal = json.dumps(statement.get("Principal", ""))
        if (
            statement.get("Effect") == "Allow"
            and any(name in principal for name in PRINCIPALS)
            and any(action in ("s3:PutObject", "s3:*", "*") for action in _listed(statement.get("Action")))
            and any(fnmatchcase(wanted, pattern) for pattern in _listed(statement.get("Resource")))
        ):
            return ""
    return f"its policy does not let {PRINCIPALS[0]} put {key.rsplit('/', 1)[0]}/*"


def _listed(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value or [])
