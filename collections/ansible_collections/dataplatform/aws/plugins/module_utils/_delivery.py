# Copyright: (c) 2026, the data platform provisioner's contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Handing key and certificate to a user: two secrets that only one principal may read.

``dataplatform/ENV/users/USER/keystore``  PKCS#12, binary
``dataplatform/ENV/users/USER/password``  its password, text

Both secrets' versions carry the same id, made from the certificate's serial: who reads them can tell that they belong
together. Private to this collection. Imports nothing from ansible. `client` is a boto3 client of secretsmanager.
"""

from __future__ import annotations

import json
import typing as t

from ansible_collections.dataplatform.aws.plugins.module_utils import _aws

PARTS = ("keystore", "password")
VERSION_LENGTH = 32  # ClientRequestToken: 32 to 64 characters


class DeliveryError(Exception):
    """A secret that cannot be read or does not fit. The message says what to do."""


def prefix(env: str, user: str) -> str:
    """What the names of a user's secrets begin with."""
    return f"dataplatform/{env}/users/{user}"


def names(env: str, user: str) -> dict[str, str]:
    """Part → name of its secret."""
    return {part: f"{prefix(env, user)}/{part}" for part in PARTS}


def version_of(serial: str) -> str:
    """The version id of the secrets of a certificate."""
    return serial.rjust(VERSION_LENGTH, "0")


def policy(principal: str) -> dict[str, t.Any]:
    """A resource policy: this principal may read the value, and nobody else, whatever their own policies say."""
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "OnlyThePrincipalReads",
                "Effect": "Deny",
                "Principal": "*",
                "Action": "secretsmanager:GetSecretValue",
                "Resource": "*",
                "Condition": {"ArnNotEquals": {"aws:PrincipalArn": principal}},
            },
            {
                "Sid": "ThePrincipalMayRead",
                "Effect": "Allow",
                "Principal": {"AWS": principal},
                "Action": ["secretsmanager:GetSecretValue", "secretsmanager:DescribeSecret"],
                "Resource": "*",
            },
        ],
    }


def describe(client: t.Any, name: str) -> dict[str, t.Any] | None:
    """DescribeSecret; None when there is no such secret, or one that waits for its deletion."""
    try:
        found = _aws.call(client, "describe_secret", SecretId=name)
    except _aws.AwsError as error:
        if error.code == "ResourceNotFoundException":
            return None
        raise
    return None if found.get("DeletedDate") else found


def current_version(described: dict[str, t.Any] | None) -> str | None:
    """The id of the version in use."""
    for version, stages in ((described or {}).get("VersionIdsToStages") or {}).items():
        if "AWSCURRENT" in stages:
            return str(version)
    return None


def get_policy(client: t.Any, name: str) -> dict[str, t.Any] | None:
    """The resource policy of a secret; None without."""
    text = _aws.call(client, "get_resource_policy", SecretId=name).get("ResourcePolicy")
    return json.loads(text) if text else None


def put_policy(client: t.Any, name: str, principal: str) -> None:
    """PutResourcePolicy; AWS refuses it if it let everybody in."""
    _aws.call(
        client,
        "put_resource_policy",
        SecretId=name,
        ResourcePolicy=json.dumps(policy(principal)),
        BlockPublicPolicy=True,
    )


def ensure_secret(client: t.Any, name: str, principal: str, tags: dict[str, str], kms_key_id: str | None) -> None:
    """Make the secret, still empty, and its resource policy: nobody else can read the value that comes next."""
    encryption: dict[str, t.Any] = {"KmsKeyId": kms_key_id} if kms_key_id else {}
    try:
        _aws.call(
            client,
            "create_secret",
            Name=name,
            Description="Client certificate of a platform user; made from a reviewed request",
            Tags=[{"Key": key, "Value": value} for key, value in sorted(tags.items())],
            **encryption,
        )
    except _aws.AwsError as error:
        # The name is taken; the second code also says that its secret waits for its deletion.
        if error.code not in ("ResourceExistsException", "InvalidRequestException"):
            raise
        if _aws.call(client, "describe_secret", SecretId=name).get("DeletedDate"):
            _aws.call(client, "restore_secret", SecretId=name)
    put_policy(client, name, principal)


def put(
    client: t.Any,
    env: str,
    user: str,
    serial: str,
    keystore: bytes,
    password: str,
    principal: str,
    tags: dict[str, str],
    kms_key_id: str | None = None,
) -> None:
    """Write keystore and password of a certificate, readable by the principal only."""
    values: dict[str, dict[str, t.Any]] = {
        "keystore": {"SecretBinary": keystore},
        "password": {"SecretString": password},
    }
    for part, name in names(env, user).items():
        ensure_secret(client, name, principal, tags, kms_key_id)
        _aws.call(client, "put_secret_value", SecretId=name, ClientRequestToken=version_of(serial), **values[part])


def fits(client: t.Any, env: str, user: str, serial: str) -> bool:
    """Whether both secrets are there and hold this certificate."""
    return all(current_version(describe(client, name)) == version_of(serial) for name in names(env, user).values())


def wrong_policies(client: t.Any, env: str, user: str, principal: str) -> list[str]:
    """Names of the user's secrets whose resource policy is not the one wanted."""
    return [name for name in names(env, user).values() if get_policy(client, name) != policy(principal)]


def delete(client: t.Any, env: str, user: str) -> None:
    """Delete both secrets for good: the key belongs to a certificate that is revoked."""
    for name in names(env, user).values():
        try:
            _aws.call(client, "delete_secret", SecretId=name, ForceDeleteWithoutRecovery=True)
        except _aws.AwsError as error:
            if error.code != "ResourceNotFoundException":
                raise


def fetch(client: t.Any, env: str, user: str) -> tuple[bytes, str, str]:
    """Keystore, password and the version id they share.

    :raises DeliveryError: there are none, or this principal may not read them
    """
    wanted = names(env, user)
    try:
        keystore = _aws.call(client, "get_secret_value", SecretId=wanted["keystore"])
        password = _aws.call(client, "get_secret_value", SecretId=wanted["password"], VersionId=keystore["VersionId"])
    except _aws.AwsError as error:
        if error.code in ("ResourceNotFoundException", "InvalidRequestException"):
            raise DeliveryError(
                f"no keystore for {user!r} in {env}: check the name, or issue certificates first; a request with csr "
                "has no keystore, its key is with the user"
            ) from error
        if error.code == "AccessDeniedException":
            raise DeliveryError(
                f"this identity may not read {wanted['keystore']}; use the request's principal or the pickup role"
            ) from error
        raise
    return keystore["SecretBinary"], password["SecretString"], keystore["VersionId"]
