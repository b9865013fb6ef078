"""S3: bucket policies that know their conditions, and server access logging as its documentation describes it."""

from __future__ import annotations

import json
import time
import uuid
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import quote, urlsplit

from moto.iam.access_control import PermissionResult
from moto.s3.models import FakeBucket, FakeDeleteMarker, FakeKey, S3Backend
from moto.s3.responses import S3Response

from rehearsal.aws import buckets
from rehearsal.aws.patching import replaces, wraps_original

LOGGING = "logging.s3.amazonaws.com"
NAMES = ("Key", "Prefix", "Delimiter", "KeyMarker", "NextKeyMarker")
"""Elements of a listing that are encoded when the caller asks for it."""
LOG_SECONDS = 300.0
"""How long what was asked of a bucket waits until it is written into an object. AWS: a few hours at most."""


@replaces(FakeBucket, "get_permission")
def _get_permission(self: Any, action: str, resource: str) -> PermissionResult:
    """Whether the bucket's policy says something about everybody's `action` on `resource`.

    moto takes a statement whose condition is not met for a denial, and looks at no principal. Here only statements
    about everybody, without a condition, decide: requests of a rehearsal stand for such over TLS, so that the usual
    "deny unless aws:SecureTransport" does not concern them, and other conditions are not judged.
    Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/example-bucket-policies.html
    """
    if self.policy is None:
        return PermissionResult.NEUTRAL
    found = PermissionResult.NEUTRAL
    for statement in buckets.as_list(json.loads(self.policy).get("Statement")):
        if statement.get("Condition") or statement.get("Principal") not in ("*", {"AWS": "*"}, {"AWS": ["*"]}):
            continue
        if not _matches(statement, "Action", action) or not _matches(statement, "Resource", resource):
            continue
        if statement["Effect"] == "Deny":
            return PermissionResult.DENIED
        found = PermissionResult.PERMITTED
    return found


def _matches(statement: dict[str, Any], element: str, value: str) -> bool:
    if element in statement:
        return any(fnmatchcase(value, pattern) for pattern in buckets.as_list(statement[element]))
    return not any(fnmatchcase(value, pattern) for pattern in buckets.as_list(statement.get(f"Not{element}")))


@replaces(FakeBucket, "_log_permissions_enabled_policy")
def _log_permissions_enabled_policy(target_bucket: Any, target_prefix: str | None) -> bool:
    """Whether the target bucket lets S3 write logs below the prefix, in any form that a policy can say it.

    Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/enable-server-access-logging.html
    """
    if not target_bucket.policy:
        return False
    arn = f"arn:aws:s3:::{target_bucket.name}/{target_prefix or ''}log"
    for statement in buckets.as_list(json.loads(target_bucket.policy).get("Statement")):
        principal = statement.get("Principal")
        services = buckets.as_list(principal.get("Service")) if isinstance(principal, dict) else []
        allowed = statement.get("Effect") == "Allow" and LOGGING in services
        if allowed and _matches(statement, "Action", "s3:PutObject") and _matches(statement, "Resource", arn):
            return True
    return False


FakeBucket._log_permissions_enabled_policy = staticmethod(  # type: ignore[method-assign]
    _log_permissions_enabled_policy
)


@replaces(S3Backend, "log_incoming_request")
def _log_incoming_request(self: Any, request: Any, bucket_name: str) -> None:
    """Note what is asked of a bucket that logs, and write it into the target bucket now and then, many requests to an
    object. moto writes an object for each request: a lake in use then fills its log bucket with tens of thousands.

    Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/ServerLogs.html#how-logs-delivered
    """
    bucket = self.buckets.get(bucket_name)
    if bucket is None or not bucket.logging:
        return
    now, waiting = datetime.now(UTC), vars(bucket).setdefault("log_waiting", [])
    client = f"{getattr(request, 'remote_addr', '-')} - {uuid.uuid4().hex[:16].upper()}"
    asked = f'REST.{request.method}.OBJECT - "{request.method} {urlsplit(request.url).path} HTTP/1.1" - - - - - -'
    agent = request.headers.get("User-Agent", "-")
    waiting.append(f'- {bucket_name} [{now:%d/%b/%Y:%H:%M:%S +0000}] {client} {asked} "-" "{agent}" -')
    if time.monotonic() - vars(bucket).setdefault("log_written", time.monotonic()) < LOG_SECONDS:
        return
    bucket.log_written, bucket.log_waiting = time.monotonic(), []
    target = self.buckets.get(bucket.logging["TargetBucket"])
    if target is not None:
        key = f"{bucket.logging.get('TargetPrefix', '')}{now:%Y-%m-%d-%H-%M-%S}-{uuid.uuid4().hex[:16].upper()}"
        self.put_object(target.name, key, value="\n".join(waiting) + "\n")


@wraps_original(FakeBucket, "set_lifecycle")
def _set_lifecycle(original: Any, self: Any, rules: list[dict[str, Any]]) -> None:
    """Keep how many newer versions a rule spares; moto forgets it.

    Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_NoncurrentVersionExpiration.html
    """
    original(self, rules)
    for kept, asked in zip(self.rules, rules, strict=True):
        expiration = asked.get("NoncurrentVersionExpiration") or {}
        kept.newer_noncurrent_versions = expiration.get("NewerNoncurrentVersions")


@wraps_original(S3Response, "get_bucket_lifecycle")
def _get_bucket_lifecycle(original: Any, self: Any) -> Any:
    plain = self.serialized

    def complete(answer: Any) -> Any:
        rules = self.backend.get_bucket_lifecycle(self.bucket_name)
        for described, rule in zip(answer.result["Rules"], rules, strict=True):
            newer = getattr(rule, "newer_noncurrent_versions", None)
            if newer is not None:
                described["NoncurrentVersionExpiration"]["NewerNoncurrentVersions"] = newer
        return plain(answer)

    self.serialized = complete
    try:
        return original(self)
    finally:
        del self.serialized


@wraps_original(S3Response, "list_object_versions")
def _list_object_versions(original: Any, self: Any) -> Any:
    """Encode names when asked to, as the other listings do; moto forgets it here. Who decodes them afterwards, as
    Terraform does when it empties a bucket, takes `+` for a space otherwise, and deletes what is not there for ever.

    Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectVersions.html (encoding-type)
    """
    if self.querystring.get("encoding-type", [None])[0] != "url":
        return original(self)
    plain = self.serialized

    def encoded(answer: Any) -> Any:
        result = answer.result
        for entry in [result, *result["Versions"], *result["DeleteMarkers"], *result.get("CommonPrefixes", [])]:
            entry.update({name: quote(entry[name]) for name in NAMES if entry.get(name)})
        result["EncodingType"] = "url"
        return plain(answer)

    self.serialized = encoded
    try:
        return original(self)
    finally:
        del self.serialized


class ListedKey(FakeKey):
    """A version as listings have it: it shares the content, and so does not close it when it goes."""

    def dispose(self, garbage: bool = False) -> None:
        return None


def _listed(self: FakeKey, memo: dict[int, Any]) -> ListedKey:
    """Instead of a copy of every content in a bucket, for each page of a listing, which moto keeps for ever."""
    listed: ListedKey = object.__new__(ListedKey)
    vars(listed).update(vars(self))
    return listed


FakeKey.__deepcopy__ = _listed  # type: ignore[attr-defined]

# moto ends every version that it deletes, and cannot end a delete marker: removing one by its version id is how a
# versioned bucket is emptied. Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/RemDelMarker.html
FakeDeleteMarker.dispose = lambda self, garbage=False: None  # type: ignore[attr-defined]
