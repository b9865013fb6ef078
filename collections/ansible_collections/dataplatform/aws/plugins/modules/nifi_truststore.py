#!/usr/bin/python
# Copyright: (c) 2026, the data platform provisioner's contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: nifi_truststore
short_description: Write a PKCS#12 truststore that Java trusts
version_added: 0.1.0
author:
  - Data platform team (!UNKNOWN)
description:
  - Writes a truststore with CA certificates, marked as trusted in the way that Java wants. Java reads a PKCS#12 file whose
    certificates are not marked as empty.
  - Compares what the file holds, not its bytes, and replaces it at once, so that NiFi can reload it without a restart.
options:
  path:
    description: The truststore. Symbolic links are refused.
    type: path
    required: true
  certificates:
    description:
      - CA certificates in PEM. Each text may hold several.
      - Exactly one of O(certificates) and O(certificates_path) is required.
    type: list
    elements: str
  certificates_path:
    description: A file on the host with CA certificates in PEM.
    type: path
  password:
    description:
      - Password of the truststore. It guards against mistakes only, since the certificates in it are public.
      - Exactly one of O(password) and O(password_path) is required.
    type: str
  password_path:
    description: A file on the host whose one line is the password.
    type: path
  owner:
    description: Owner of the file, as a name or number. Without it the file keeps the owner it has.
    type: str
  group:
    description: Group of the file, as a name or number. Without it the file keeps the group it has.
    type: str
  mode:
    description:
      - Permission bits of the file in octal, such as V("0640"). Without it the file keeps those it has, and a new one gets
        V("0600").
    type: str
attributes:
  check_mode:
    description: Can run in check_mode and return changed status prediction without modifying target.
    support: full
  diff_mode:
    description: Will return details on what has changed (or possibly needs changing in check_mode), when in diff mode.
    support: full
requirements:
  - cryptography >= 42
seealso:
  - module: dataplatform.aws.nifi_keystore
"""

EXAMPLES = r"""
- name: Trust the services CA only
  dataplatform.aws.nifi_truststore:
    path: /etc/dataplatform/nifi/truststore.p12
    certificates_path: /etc/dataplatform/services-ca.pem
    password: changeit
    owner: root
    group: nifi
    mode: "0640"
"""

RETURN = r"""
path:
  description: The truststore.
  returned: success
  type: str
  sample: /etc/dataplatform/nifi/truststore.p12
certificates:
  description: What it trusts.
  returned: success
  type: list
  elements: dict
  contains:
    dn:
      description: Subject as RFC 4514 text.
      type: str
    serial:
      description: Serial number in hexadecimal.
      type: str
    not_after:
      description: End of validity, in UTC.
      type: str
    fingerprint_sha256:
      description: SHA-256 fingerprint in hexadecimal.
      type: str
  sample:
    - dn: CN=dev-acm-pca-services,O=Platform
      serial: 3f9a0c
      not_after: "2036-01-01T00:00:00Z"
      fingerprint_sha256: 5d3a1c8e
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule, missing_required_lib
from ansible_collections.dataplatform.aws.plugins.module_utils import _dn, _files, _keystore, _pki, _store


def ensure(module: AnsibleModule) -> dict[str, t.Any]:
    """Write the truststore when it must change; return the module's result."""
    params = module.params
    authorities = _store.certificates(params["certificates"], params["certificates_path"])
    password = _store.password(params["password"], params["password_path"])
    data = _files.read(params["path"])
    now = _store.trusted(data, password)
    if not _keystore.truststore_equal(data, password, authorities):
        data = _keystore.truststore(authorities, password)
    result = _store.put(module, data or b"", now, _store.summary(authorities))
    return {**result, "certificates": _store.summary(authorities)}


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **_store.argument_spec,
            "certificates": {"type": "list", "elements": "str"},
            "certificates_path": {"type": "path"},
        },
        required_one_of=[("certificates", "certificates_path"), ("password", "password_path")],
        mutually_exclusive=[("certificates", "certificates_path"), ("password", "password_path")],
        supports_check_mode=True,
    )
    if not _pki.HAS_CRYPTOGRAPHY:
        module.fail_json(msg=missing_required_lib("cryptography"))
    result: dict[str, t.Any] = {}
    try:
        result = ensure(module)
    except (_dn.DnError, _files.FileError, _keystore.KeystoreError, _pki.PkiError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
