"""What the other services' emulations need from the emulated S3: read, write, and may a service write here."""

from __future__ import annotations

import json
from fnmatch import fnmatchcase
from typing import Any

from moto.s3.exceptions import S3ClientError
from moto.s3.models import s3_backends


def _bucket(account_id: str, name: str) -> Any:
    return s3_backends[account_id]["aws"].get_bucket(name)


def read(account_id: str, bucket: str, key: str, version: str | None = None) -> bytes | None:
    """The content of an object, or None when bucket, key or version is not there."""
    try:
        found = s3_backends[account_id]["aws"].get_object(bucket, key, version_id=version)
    except S3ClientError:
        return None
    return None if found is None or not hasattr(found, "value") else bytes(found.value)


def put(account_id: str, bucket: str, key: str, content: bytes) -> None:
    """Write an object, like a service does on the account's behalf; a bucket that is gone is no error."""
    try:
        s3_backends[account_id]["aws"].put_object(bucket, key, content)
    except S3ClientError:
        return


def why_not_writable(account_id: str, name: str, service: str, action: str) -> str | None:
    """Say why a service principal may not do `action` on a bucket's objects, or None when its policy allows it.

    Only what the policy says about that principal is read; conditions are not.
    """
    try:
        bucket = _bucket(account_id, name)
    except S3ClientError:
        return f"there is no bucket {name}"
    policy = bucket.policy
    if not policy:
        return f"the bucket {name} has no policy that lets {service} do {action}"
    for statement in json.loads(policy).get("Statement", []):
        principal = statement.get("Principal")
        principals = as_list(principal.get("Service")) if isinstance(principal, dict) else []
        actions = as_list(statement.get("Action"))
        if statement["Effect"] == "Allow" and service in principals and any(fnmatchcase(action, a) for a in actions):
            return None
    return f"the policy of the bucket {name} does not let {service} do {action}"


def blocks_public_acls(account_id: str, name: str) -> bool:
    """Whether the bucket's public access block refuses public ACLs."""
    block = getattr(_bucket(account_id, name), "public_access_block", None)
    return block is not None and str(block.block_public_acls).lower() == "true"


def as_list(value: Any) -> list[Any]:
    """What a policy gives as one value or as a list of them."""
    if value is None:
        return []
    return list(value) if isinstance(value, list) else [value]
