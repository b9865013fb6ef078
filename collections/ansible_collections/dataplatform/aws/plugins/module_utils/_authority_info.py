# Copyright: (c) 2026, the data platform provisioner's contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a private CA is and what it issued. Private to this collection."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping

from ansible_collections.dataplatform.aws.plugins.module_utils import _acmpca, _aws, _pki, _registry


def revocation_list(s3: t.Any, described: Mapping[str, t.Any]) -> dict[str, t.Any] | None:
    """End and serials (→ when they were revoked) of the CA's list; None when it has written none."""
    location = _acmpca.crl_location(dict(described))
    body = _registry.get_object(s3, *location) if location else None
    if not body:
        return None
    crl = _pki.load_crl(body)
    ends = crl.next_update_utc
    return {
        "next_update": _pki.rfc3339(ends) if ends else None,
        "serials": {serial: _pki.rfc3339(when) for serial, when in sorted(_pki.crl_serials(crl).items())},
    }


def look(pca: t.Any, s3: t.Any, options: Mapping[str, t.Any]) -> dict[str, t.Any]:
    """The module's result: authority, certificates and, when asked for, revocation_list."""
    ca_arn = options["certificate_authority_arn"]
    described = _acmpca.describe_authority(pca, ca_arn)
    certificate, chain = _acmpca.authority_certificates(pca, ca_arn)
    facts = _pki.describe(_pki.load_certificate(certificate))
    revoked = revocation_list(s3, described) if options["revoked"] else None
    serials = (revoked or {}).get("serials", {})

    def one(arn: str) -> dict[str, t.Any]:
        issued = _acmpca.get(pca, ca_arn, arn)
        found = _pki.describe(_pki.load_certificate(issued.certificate_pem))
        return {"arn": arn, "pem": issued.certificate_pem, **found, "revoked_at": serials.get(found["serial"])}

    result: dict[str, t.Any] = {
        "authority": {
            "arn": ca_arn,
            "status": described.get("Status"),
            "usage_mode": described.get("UsageMode", "GENERAL_PURPOSE"),
            "signing_algorithm": described["CertificateAuthorityConfiguration"]["SigningAlgorithm"],
            "certificate": certificate,
            "chain": chain,
            "dn": facts["dn"],
            "not_after": facts["not_after"],
        },
        "certificates": _aws.in_parallel(one, options["certificate_arns"]),
    }
    if options["revoked"]:
        result["revocation_list"] = revoked
    return result
