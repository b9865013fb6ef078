"""The client certificate with which Airflow calls NiFi: fetched for each use, on disk for a moment only.

NiFi is reached as by everybody, through the load balancer, which asks for a certificate of the users' CA. Airflow's own
role may not read it: a role of its own may, and nothing else.
"""

from __future__ import annotations

import contextlib
import os
import ssl
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, pkcs12


def tls_context(role_arn: str, secret_prefix: str, region: str, session_name: str) -> ssl.SSLContext:
    """TLS with the certificate in the secrets `PREFIX/keystore` (PKCS#12) and `PREFIX/password`, read as the role.

    The server is checked with the CAs that the host trusts.
    """
    keystore, password = _secrets(role_arn, secret_prefix, region, session_name)
    context = ssl.create_default_context()
    with _pem(keystore, password) as path:
        context.load_cert_chain(path)
    return context


def _secrets(role_arn: str, secret_prefix: str, region: str, session_name: str) -> tuple[bytes, str]:
    # names of sessions have 64 characters at most (STS, AssumeRole)
    role = boto3.client("sts", region_name=region).assume_role(RoleArn=role_arn, RoleSessionName=session_name[:64])
    given = role["Credentials"]
    client: Any = boto3.client(
        "secretsmanager",
        region_name=region,
        aws_access_key_id=given["AccessKeyId"],
        aws_secret_access_key=given["SecretAccessKey"],
        aws_session_token=given["SessionToken"],
    )
    keystore = client.get_secret_value(SecretId=f"{secret_prefix}/keystore")
    # Both secrets carry the same version id: the password is that of this keystore, also while they are renewed.
    password = client.get_secret_value(SecretId=f"{secret_prefix}/password", VersionId=keystore["VersionId"])
    return keystore["SecretBinary"], password["SecretString"]


@contextlib.contextmanager
def _pem(keystore: bytes, password: str) -> Iterator[Path]:
    """Key and certificates in a file of this user's only; Python's TLS reads them from nowhere else."""
    content = pkcs12.load_pkcs12(keystore, password.encode())
    if content.key is None or content.cert is None:
        raise ValueError("the keystore holds no key with its certificate")
    pem = content.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    for one in (content.cert, *content.additional_certs):
        pem += one.certificate.public_bytes(Encoding.PEM)
    # 0600 from the start (tempfile.mkstemp), and gone whatever happens
    handle, name = tempfile.mkstemp(suffix=".pem")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(pem)
        yield Path(name)
    finally:
        os.unlink(name)
