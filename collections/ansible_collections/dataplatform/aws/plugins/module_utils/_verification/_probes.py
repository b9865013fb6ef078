# Copyright: the data platform provisioner's authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates for the length of one verification; their keys never leave this process's memory."""

from __future__ import annotations

import datetime as dt
import typing as t
import uuid
from dataclasses import dataclass

from ansible_collections.dataplatform.aws.plugins.module_utils import _acmpca, _dn, _pki
from ansible_collections.dataplatform.aws.plugins.module_utils._verification._http import KeyPair

try:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
except ImportError:  # the module says so
    pass

LIFETIME = dt.timedelta(hours=1)
SHORT_LIFETIME = dt.timedelta(minutes=2)


@dataclass(frozen=True)
class Probe:
    """A certificate that stands for a role, or for an attack."""

    pair: KeyPair
    dn: str
    serial: str
    arn: str
    not_before: dt.datetime
    not_after: dt.datetime


def issue(client: t.Any, ca_arn: str, subject: t.Mapping[str, str], lifetime: dt.timedelta = LIFETIME) -> Probe:
    """Have the users' CA sign a new key for ``subject`` (common_name, organizational_unit, organization)."""
    key = _pki.new_key()
    request = _pki.csr(subject, key)
    issued = _acmpca.issue(client, ca_arn, request, _acmpca.CLIENT_AUTH, lifetime, _acmpca.token(str(uuid.uuid4())))
    certificate = _pki.load_certificate(issued.certificate_pem)
    return Probe(
        pair=KeyPair((issued.certificate_pem + issued.chain_pem).encode(), _pki.key_pem(key)),
        dn=_dn.from_certificate(certificate).rfc4514(),
        serial=_pki.serial_hex(certificate),
        arn=issued.arn,
        not_before=certificate.not_valid_before_utc,
        not_after=certificate.not_valid_after_utc,
    )


def self_made(subject: t.Mapping[str, str]) -> KeyPair:
    """The same name, signed by a CA that nobody trusts (itself)."""
    key = _pki.new_key()
    name = _pki.name(subject)
    now = _pki.now()
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + LIFETIME)
        .sign(key, hashes.SHA256())
    )
    return KeyPair(_pki.certificate_pem(certificate).encode(), _pki.key_pem(key))
