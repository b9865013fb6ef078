# Copyright: (c) 2026, the data platform provisioner's contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One certificate in one file: issue, renew, revoke. Private to this collection."""

from __future__ import annotations

import datetime as dt
import typing as t
from collections.abc import Mapping

from ansible_collections.dataplatform.aws.plugins.module_utils import _acmpca, _pki, _private_file


def why_issue(current: bytes | None, csr: t.Any, authority: t.Any, now: dt.datetime, renew_before: dt.timedelta) -> str:
    """Why a new certificate is needed; empty when the file's will do.

    :param current: what the file holds, or None
    :param csr: the decoded request
    :param authority: the CA's decoded certificate
    """
    if current is None:
        return "there is no certificate"
    try:
        certificate = _pki.load_certificate(current)
    except _pki.PkiError:
        return "the file holds no certificate"
    if _pki.spki_sha256(certificate) != _pki.spki_sha256(csr):
        return "the certificate belongs to another key"
    if certificate.subject != csr.subject:
        return "the certificate has another subject"
    if not _pki.issued_by(certificate, authority):
        return "the certificate comes from another CA"
    if _pki.alternative_names(certificate) != _pki.alternative_names(csr):
        return "the certificate has other alternative names"
    lifetime = certificate.not_valid_after_utc - certificate.not_valid_before_utc
    if now >= certificate.not_valid_after_utc - min(renew_before, lifetime / 3):
        return f"the certificate expires {_pki.rfc3339(certificate.not_valid_after_utc)}"
    return ""


def ensure(client: t.Any, options: Mapping[str, t.Any], check: bool) -> dict[str, t.Any]:
    """Make the file hold a valid certificate for the request. Returns the module's result."""
    ca_arn, path = options["certificate_authority_arn"], options["path"]
    request = _pki.load_csr(options["csr"])
    _pki.check_public_key(request.public_key())
    current = _private_file.read(path)
    authority = _pki.load_certificate(_acmpca.authority_certificates(client, ca_arn)[0])
    renew_before = dt.timedelta(days=options["renew_before_days"])
    reason = why_issue(current, request, authority, _pki.now(), renew_before)
    before = _facts(current)
    result: dict[str, t.Any] = {"changed": bool(reason), "reason": reason, "certificate": before}
    if reason and check:
        result["certificate"] = {}
    elif reason:
        issued = _acmpca.issue(client, ca_arn, options["csr"], options["template"], options["validity_days"])
        text = issued.certificate_pem + issued.chain_pem
        _private_file.write(path, text.encode(), 0o644)
        result.update(certificate=_facts(text.encode()), certificate_arn=issued.arn)
    after = result["certificate"] or {"dn": request.subject.rfc4514_string(), "reason": reason}
    result["diff"] = {"before": before, "after": after}
    return result


def revoke(client: t.Any, options: Mapping[str, t.Any], check: bool) -> dict[str, t.Any]:
    """Revoke the certificate with the serial, or the one in the file. Returns the module's result."""
    facts: dict[str, t.Any] = {}
    serial = options["serial"]
    if not serial:
        content = _private_file.read(options["path"])
        if content is None:
            raise _private_file.FileError(f"{options['path']} does not exist; give the serial instead")
        facts = _pki.describe(_pki.load_certificate(content))
        serial = facts["serial"]
    serial = _pki.normal_serial(serial)
    changed = True
    if not check:
        changed = _acmpca.revoke(client, options["certificate_authority_arn"], serial, options["revocation_reason"])
    reason = options["revocation_reason"] if changed else ""
    return {
        "changed": changed,
        "reason": reason,
        "certificate": {**facts, "serial": serial},
        "diff": {"before": {"serial": serial, "revoked": not changed}, "after": {"serial": serial, "revoked": True}},
    }


def _facts(content: bytes | None) -> dict[str, t.Any]:
    try:
        return _pki.describe(_pki.load_certificate(content)) if content else {}
    except _pki.PkiError:
        return {}
