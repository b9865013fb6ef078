# Copyright: (c) 2026, the data platform provisioner's contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Handing a user's key and certificate over as files. Private to this collection."""

from __future__ import annotations

import os
import typing as t
from collections.abc import Mapping

from ansible_collections.dataplatform.aws.plugins.module_utils import (
    _delivery,
    _pki,
    _private_file,
    _registry,
    _requests,
)


def _fetch(secrets: t.Any, s3: t.Any, options: Mapping[str, t.Any]) -> tuple[dict[str, tuple[str, bytes]], t.Any]:
    """Result key → (file name, content), and the decoded certificate."""
    env, user, bucket = options["env"], options["user"], options["bucket"]
    if not _requests.USER.fullmatch(user):
        raise _requests.RequestError([f"user is {user!r}; give the name as in the request"])
    try:
        keystore, password, version = _delivery.fetch(secrets, env, user)
    except _delivery.DeliveryError:
        published = _registry.get_object(s3, bucket, _registry.certificate_key(user)) if bucket else None
        if published is None:
            raise
        return {"certificate": (f"{user}.pem", published)}, _pki.load_certificate(published)
    _key, certificate, _others = _pki.load_pkcs12(keystore, password)
    if _delivery.version_of(_pki.serial_hex(certificate)) != version:
        raise _delivery.DeliveryError(f"the keystore of {user!r} is being replaced; try again in a minute")
    return {
        "keystore": (f"{user}.p12", keystore),
        "password": (f"{user}.password", password.encode() + b"\n"),
    }, certificate


def export(secrets: t.Any, s3: t.Any, options: Mapping[str, t.Any], check: bool) -> dict[str, t.Any]:
    """Write (in check mode: only compare) the files. Returns the module's result; no secret is in it."""
    wanted, certificate = _fetch(secrets, s3, options)
    if options["ca_bundle"]:
        bundle = _private_file.read(os.path.realpath(options["ca_bundle"]))
        if bundle is None:
            raise _private_file.FileError(f"{options['ca_bundle']} does not exist; give the CA bundle of the balancer")
        wanted["ca"] = ("ca.pem", _pki.join_pem(bundle).encode())
    paths = {part: os.path.join(options["directory"], name) for part, (name, content) in wanted.items()}
    different = [
        part
        for part, (name, content) in wanted.items()
        if _private_file.read(paths[part]) != content or _private_file.mode_of(paths[part]) != 0o600
    ]
    if different and not check:
        _private_file.ensure_directory(options["directory"])
        for part in different:
            _private_file.write(paths[part], wanted[part][1], 0o600)
    facts = _pki.describe(certificate)
    files = {part: paths.get(part) for part in ("keystore", "password", "certificate", "ca")}
    after = {paths[part]: facts["serial"] for part in sorted(paths)}
    return {
        "changed": bool(different),
        "files": files,
        "certificate": facts,
        "diff": {
            "before": {path: value for path, value in after.items() if path not in {paths[p] for p in different}},
            "after": after,
        },
    }
