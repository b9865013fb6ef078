#!/usr/bin/python
# Copyright: (c) 2026, the data platform provisioner's contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: nifi_keystore
short_description: Write a PKCS#12 keystore from a key and certificate on the host
version_added: 0.1.0
author:
  - Data platform team (!UNKNOWN)
description:
  - Writes a keystore with one private key, its certificate and the CA certificates above it, for NiFi or another Java server.
  - Key and password are read from files on the host and never leave it.
  - Compares what the file holds, not its bytes, and replaces it at once, so that NiFi can reload it without a restart.
options:
  path:
    description: The keystore. Symbolic links are refused.
    type: path
    required: true
  key_path:
    description: A file on the host with the unencrypted private key in PEM, EC or RSA.
    type: path
    required: true
  certificate_path:
    description: A file on the host with the certificate in PEM, followed by those of the CAs above it.
    type: path
    required: true
  chain_path:
    description: A file on the host with further CA certificates in PEM.
    type: path
  friendly_name:
    description: Alias of the key.
    type: str
    default: nifi
  password:
    description:
      - Password of the keystore.
      - Exactly one of O(password) and O(password_path) is required. Prefer the latter.
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
    details: Shows certificates, never the key.
requirements:
  - cryptography >= 42
seealso:
  - module: dataplatform.aws.nifi_truststore
"""

EXAMPLES = r"""
- name: Pack this node's key and certificate
  dataplatform.aws.nifi_keystore:
    path: /etc/dataplatform/nifi/keystore.p12
    key_path: /etc/dataplatform/nifi/node.key
    certificate_path: /etc/dataplatform/nifi/node.pem
    password_path: /etc/dataplatform/nifi/keystore.password
    owner: root
    group: nifi
    mode: "0640"
"""

RETURN = r"""
path:
  description: The keystore.
  returned: success
  type: str
  sample: /etc/dataplatform/nifi/keystore.p12
certificates:
  description: The certificate of the key first, then those above it.
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
    - dn: CN=ip-10-20-1-10.eu-central-1.compute.internal,OU=Platform-Nodes,O=Platform
      serial: 3f9a0c
      not_after: "2026-01-08T00:00:00Z"
      fingerprint_sha256: 5d3a1c8e
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule, missing_required_lib
from ansible_collections.dataplatform.aws.plugins.module_utils import _dn, _files, _keystore, _pki, _store


def ensure(module: AnsibleModule) -> dict[str, t.Any]:
    """Write the keystore when it must change; return the module's result."""
    params = module.params
    key = _store.key(params["key_path"])
    leaf, *above = _store.certificates(None, params["certificate_path"])
    if params["chain_path"]:
        above += [one for one in _store.certificates(None, params["chain_path"]) if one not in [leaf, *above]]
    if _pki.spki_sha256(key) != _pki.spki_sha256(leaf):
        raise _keystore.KeystoreError(
            f"the key in {params['key_path']} is not that of the certificate in {params['certificate_path']}"
        )
    password = _store.password(params["password"], params["password_path"])
    data = _files.read(params["path"])
    now = _store.kept(data, password)
    if not _keystore.keystore_equal(data, password, key, leaf, above):
        data = _pki.pkcs12(key, leaf, above, password, params["friendly_name"])
    result = _store.put(module, data or b"", now, _store.summary([leaf, *above]))
    return {**result, "certificates": _store.summary([leaf, *above])}


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **_store.argument_spec,
            # a path, not the key itself
            "key_path": {"type": "path", "required": True, "no_log": False},
            "certificate_path": {"type": "path", "required": True},
            "chain_path": {"type": "path"},
            "friendly_name": {"type": "str", "default": "nifi"},
        },
        required_one_of=[("password", "password_path")],
        mutually_exclusive=[("password", "password_path")],
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
