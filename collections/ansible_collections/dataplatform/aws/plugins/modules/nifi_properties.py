#!/usr/bin/python
# Copyright: (c) 2026, the data platform provisioner's contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: nifi_properties
short_description: Set keys in nifi.properties and other Java properties files
version_added: 0.1.0
author:
  - Data platform team (!UNKNOWN)
description:
  - Sets and removes single keys of a Java properties file, such as C(nifi.properties) or C(bootstrap.conf).
  - The rest of the file stays as the distribution brought it, with its order, its comments and its other keys, so that a new
    version of NiFi brings its own defaults.
  - Values are compared as Java reads them, however they are written in the file.
  - The file is replaced at once, and has its owner and mode before that. Symbolic links are refused.
options:
  path:
    description: The file. It must exist.
    type: path
    required: true
  properties:
    description:
      - Keys and their values. Booleans are written as V(true) and V(false).
      - A key whose value is V(null) is removed.
    type: dict
    default: {}
  secrets:
    description:
      - Keys whose values are secrets, and the file on the host whose one line is the value. Values of these keys are neither
        shown nor returned, and are never part of a task's arguments.
    type: dict
    default: {}
  owner:
    description: Owner of the file, as a name or number. Without it the file keeps the owner it has.
    type: str
  group:
    description: Group of the file, as a name or number. Without it the file keeps the group it has.
    type: str
  mode:
    description: Permission bits of the file in octal, such as V("0640"). Without it the file keeps those it has.
    type: str
attributes:
  check_mode:
    description: Can run in check_mode and return changed status prediction without modifying target.
    support: full
  diff_mode:
    description: Will return details on what has changed (or possibly needs changing in check_mode), when in diff mode.
    support: full
    details: Values of O(secrets), and of keys that are named like a password, are not shown.
notes:
  - In check mode a missing O(path), or a missing file of O(secrets), counts as a change, since an earlier task may bring it.
  - When a key stands in the file more than once, the last one is changed, which is the one that Java reads.
seealso:
  - module: dataplatform.aws.nifi_keystore
"""

EXAMPLES = r"""
- name: Listen on HTTPS, and reload a renewed keystore
  dataplatform.aws.nifi_properties:
    path: /opt/nifi/current/conf/nifi.properties
    properties:
      nifi.web.https.port: 8443
      nifi.security.keystore: /etc/dataplatform/nifi/keystore.p12
      nifi.security.keystoreType: PKCS12
      nifi.security.autoreload.enabled: true
      nifi.web.http.port: ""
    secrets:
      nifi.security.keystorePasswd: /etc/dataplatform/nifi/keystore.password
      nifi.sensitive.props.key: /etc/dataplatform/nifi/sensitive-properties.key
    owner: root
    group: nifi
    mode: "0640"
  notify: Restart NiFi

- name: Take a key out
  dataplatform.aws.nifi_properties:
    path: /opt/nifi/current/conf/bootstrap.conf
    properties:
      java.arg.debug: null
"""

RETURN = r"""
changed_keys:
  description: Names of the keys that were set or removed, sorted.
  returned: success
  type: list
  elements: str
  sample: [nifi.web.https.port]
path:
  description: The file.
  returned: success
  type: str
  sample: /opt/nifi/current/conf/nifi.properties
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.dataplatform.aws.plugins.module_utils import _files, _properties


def values_of(module: AnsibleModule) -> dict[str, str | None]:
    """What each key shall be. In check mode a secret that is not there yet is a mark that equals no value."""
    values = {key: _properties.text_of(key, value) for key, value in module.params["properties"].items()}
    for key, path in module.params["secrets"].items():
        if key in values:
            raise _properties.PropertiesError(f"{key} is in both properties and secrets; leave it in secrets")
        if module.check_mode and _files.read(str(path)) is None:
            values[key] = _properties.MASK
        else:
            values[key] = _files.read_secret(str(path))
            module.no_log_values.add(values[key])
    return values


def ensure(module: AnsibleModule) -> dict[str, t.Any]:
    """Set the keys; return the module's result."""
    path, secret = module.params["path"], list(module.params["secrets"])
    content = _files.read(path)
    if content is None and not module.check_mode:
        raise _files.FileError(f"{path} does not exist; install NiFi first")
    before, after = _properties.Properties(content or b""), _properties.Properties(content or b"")
    keys = _properties.apply(after, values_of(module))
    target = _files.wanted(path, module.params["owner"], module.params["group"], module.params["mode"])
    had = _files.attributes(path)
    changed = bool(keys) or had != target
    if changed and not module.check_mode:
        _files.write(path, bytes(after), target)
    result: dict[str, t.Any] = {"changed": changed, "changed_keys": keys, "path": path}
    if changed:
        result["diff"] = [
            {
                "before_header": path,
                "after_header": path,
                "before": _properties.shown(before, keys, secret),
                "after": _properties.shown(after, keys, secret, "(not shown, changed)"),
            }
        ]
        if had is not None and had != target:
            result["diff"].append({"before": had.described(), "after": target.described()})
    return result


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "required": True},
            "properties": {"type": "dict", "default": {}},
            # files that hold secrets, not secrets
            "secrets": {"type": "dict", "default": {}, "no_log": False},
            "owner": {"type": "str"},
            "group": {"type": "str"},
            "mode": {"type": "str"},
        },
        supports_check_mode=True,
    )
    result: dict[str, t.Any] = {}
    try:
        result = ensure(module)
    except (_files.FileError, _properties.PropertiesError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
