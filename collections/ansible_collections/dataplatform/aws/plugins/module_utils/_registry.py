# Copyright: (c) 2026, the data platform provisioner's contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The registry of issued certificates: public facts only, as JSON objects in the certificates bucket.

``registry/users/USER/SERIAL.json``  one record for each certificate
``registry/pending/USER.json``       an issue that has begun and not ended; what is needed to end it after a kill
``users/USER/certificate.pem``       certificate and chain in use
``revocations/users.txt``            revoked serials, pulled by the edges

Private to this collection. Imports nothing from ansible. `s3` is a boto3 client.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import re
import typing as t
from collections.abc import Iterable
from dataclasses import dataclass

from ansible_collections.dataplatform.aws.plugins.module_utils import _acmpca, _aws, _dn, _pki

RECORDS = "registry/users/"
PENDING = "registry/pending/"
REVOCATIONS = "revocations/users.txt"
RECORD_KEY = re.compile(rf"{RECORDS}(?P<user>[^/]+)/(?P<serial>[0-9a-f]+)\.json")
# A serial stays on the list for a day after its certificate has expired: clocks differ.
KEEP_REVOKED = dt.timedelta(days=1)


class RegistryError(Exception):
    """The registry holds something that cannot be understood. The message names the object."""


@dataclass(frozen=True)
class Record:
    """One issued certificate. Times are RFC 3339 in UTC; serial is lower-case hex without leading zeros.

    delivered_at: when the user could fetch it; withdrawn_at: when key and certificate were taken away again.
    """

    user: str
    kind: str
    dn: str
    serial: str
    certificate_arn: str
    not_before: str
    not_after: str
    request_sha256: str
    delivery: str = "secret"  # secret: key and password in Secrets Manager; certificate: the key is the user's
    delivered_at: str | None = None
    revoked_at: str | None = None
    revocation_reason: str | None = None
    withdrawn_at: str | None = None

    @property
    def key(self) -> str:
        return f"{RECORDS}{self.user}/{self.serial}.json"

    @property
    def expires(self) -> dt.datetime:
        return _pki.parse_rfc3339(self.not_after)

    @property
    def probe(self) -> bool:
        """Whether it belongs to one of the platform's login probes: no request asks for it, it ends within the hour."""
        return self.user.startswith(_dn.PROBE_PREFIX)

    def live(self, now: dt.datetime) -> bool:
        """Whether somebody could log in with it: neither revoked nor expired."""
        return self.revoked_at is None and self.expires > now

    def changed(self, **values: t.Any) -> Record:
        return dataclasses.replace(self, **values)


@dataclass(frozen=True)
class Pending:
    """An issue that has begun: with this request and token, AWS gives the same certificate again for five minutes."""

    user: str
    kind: str
    request_sha256: str
    delivery: str
    csr: str
    expiry_days: int
    token: str
    started_at: str
    certificate_arn: str | None = None

    @property
    def key(self) -> str:
        return f"{PENDING}{self.user}.json"


@dataclass(frozen=True)
class Registry:
    """Everything that is known: records by user (oldest first) and unfinished issues by user."""

    records: dict[str, list[Record]]
    pending: dict[str, Pending]

    def all(self) -> list[Record]:
        return [record for user in sorted(self.records) for record in self.records[user]]


def certificate_key(user: str) -> str:
    """Where the certificate in use lies."""
    return f"users/{user}/certificate.pem"


def make_record(pending: Pending, certificate_pem: str, certificate_arn: str) -> Record:
    """The record of a certificate that was just issued, not yet delivered."""
    facts = _pki.describe(_pki.load_certificate(certificate_pem))
    return Record(
        user=pending.user,
        kind=pending.kind,
        dn=facts["dn"],
        serial=facts["serial"],
        certificate_arn=certificate_arn,
        not_before=facts["not_before"],
        not_after=facts["not_after"],
        request_sha256=pending.request_sha256,
        delivery=pending.delivery,
    )


def _put(s3: t.Any, bucket: str, key: str, body: bytes, content_type: str) -> None:
    _aws.call(s3, "put_object", Bucket=bucket, Key=key, Body=body, ContentType=content_type)


def get_object(s3: t.Any, bucket: str, key: str) -> bytes | None:
    """An object's content; None when there is none."""
    try:
        return t.cast(bytes, _aws.call(s3, "get_object", Bucket=bucket, Key=key)["Body"].read())
    except _aws.AwsError as error:
        if error.code in ("NoSuchKey", "404"):
            return None
        raise


def _parse(kind: type[t.Any], body: bytes | None, where: str) -> t.Any:
    try:
        values = json.loads(body or b"")
        # Keys that a newer version wrote are passed over, so that an older one still runs.
        return kind(**{f.name: values[f.name] for f in dataclasses.fields(kind) if f.name in values})
    except (ValueError, TypeError) as error:
        raise RegistryError(f"{where} is not a record of this registry ({error}); restore an older version") from error


def load(s3: t.Any, bucket: str) -> Registry:
    """Read all records and unfinished issues."""
    keys = [entry["Key"] for entry in _aws.pages(s3, "list_objects_v2", "Contents", Bucket=bucket, Prefix="registry/")]
    wanted = [key for key in keys if RECORD_KEY.fullmatch(key) or key.startswith(PENDING)]
    found = _aws.in_parallel(lambda key: get_object(s3, bucket, key), wanted)
    registry = Registry({}, {})
    for key, body in zip(wanted, found, strict=True):
        if body is None:  # removed since it was listed
            continue
        if key.startswith(PENDING):
            pending = _parse(Pending, body, f"s3://{bucket}/{key}")
            registry.pending[pending.user] = pending
        else:
            record = _parse(Record, body, f"s3://{bucket}/{key}")
            registry.records.setdefault(record.user, []).append(record)
    for records in registry.records.values():
        records.sort(key=lambda record: (record.not_before, record.not_after, record.serial))
    return registry


def save(s3: t.Any, bucket: str, entry: Record | Pending) -> None:
    """Write a record or an unfinished issue."""
    values = {key: value for key, value in dataclasses.asdict(entry).items() if value is not None}
    _put(s3, bucket, entry.key, json.dumps(values, indent=2, sort_keys=True).encode() + b"\n", "application/json")


def forget(s3: t.Any, bucket: str, pending: Pending) -> None:
    """Remove an unfinished issue that has ended."""
    _aws.call(s3, "delete_object", Bucket=bucket, Key=pending.key)


def prune(s3: t.Any, bucket: str, records: Iterable[Record], now: dt.datetime) -> None:
    """Remove the records of probes that expired more than a day ago; those of users and services are kept."""
    for record in records:
        if record.probe and record.expires + KEEP_REVOKED < now:
            _aws.call(s3, "delete_object", Bucket=bucket, Key=record.key)


def put_certificate(s3: t.Any, bucket: str, user: str, issued: _acmpca.Issued) -> None:
    """Write certificate and chain in use."""
    body = (issued.certificate_pem + issued.chain_pem).encode()
    _put(s3, bucket, certificate_key(user), body, "application/x-pem-file")


def published(s3: t.Any, bucket: str) -> frozenset[str]:
    """Users whose certificate in use lies where certificate_key says."""
    entries = _aws.pages(s3, "list_objects_v2", "Contents", Bucket=bucket, Prefix="users/")
    keys = {entry["Key"] for entry in entries}
    return frozenset(user for user in (key.split("/")[1] for key in keys) if certificate_key(user) in keys)


def delete_certificate(s3: t.Any, bucket: str, user: str) -> None:
    """Remove certificate and chain of a user who has none any more."""
    _aws.call(s3, "delete_object", Bucket=bucket, Key=certificate_key(user))


def revoked_serials(records: Iterable[Record], now: dt.datetime) -> set[str]:
    """Serials that must be on the list: revoked, and not long expired."""
    return {record.serial for record in records if record.revoked_at and record.expires + KEEP_REVOKED > now}


def expired_serials(records: Iterable[Record], now: dt.datetime) -> set[str]:
    """Serials that need not be on the list any more, revoked or not."""
    return {record.serial for record in records if record.expires + KEEP_REVOKED <= now}


def read_revocations(s3: t.Any, bucket: str) -> set[str] | None:
    """The serials on the list as it is; None when there is no list."""
    body = get_object(s3, bucket, REVOCATIONS)
    if body is None:
        return None
    return {line for line in body.decode("ascii").splitlines() if line and not line.startswith("#")}


def publish_revocations(s3: t.Any, bucket: str, serials: Iterable[str], now: dt.datetime | None = None) -> str:
    """Write the list with the time of now; edges refuse everybody when they could not read it for too long.

    Returns the time written, RFC 3339.
    """
    updated = _pki.rfc3339(now or _pki.now())
    text = "".join(f"{line}\n" for line in [f"# updated {updated}", *sorted(set(serials))])
    _put(s3, bucket, REVOCATIONS, text.encode("ascii"), "text/plain; charset=us-ascii")
    return updated


def record_revoked(s3: t.Any, bucket: str, record: Record, reason: str) -> Record:
    """Note a revocation made elsewhere (such as a probe's) and put its serial on the list at once. Returns the record."""
    revoked = record.changed(revoked_at=_pki.rfc3339(_pki.now()), revocation_reason=reason)
    save(s3, bucket, revoked)
    publish_revocations(s3, bucket, (read_revocations(s3, bucket) or set()) | {record.serial})
    return revoked
