#!/usr/bin/python
# Copyright: (c) 2026, the data platform provisioner's contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: managed_files
short_description: Write all the files of a service in one go
version_added: 0.1.0
author:
  - Data platform team (!UNKNOWN)
description:
  - Makes folders and writes files, each with its owner and mode, in one execution on the host. A role with thirty small files
    takes a second with it, and half a minute with one task for each.
  - A file is replaced at once, and has its owner and mode before that. Symbolic links are refused.
options:
  directories:
    description: Folders, made in this order before the files. Parents must come first.
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description: The folder.
        type: path
        required: true
      owner:
        description: Its owner, as a name or number.
        type: str
        default: root
      group:
        description: Its group, as a name or number.
        type: str
        default: root
      mode:
        description: Its permission bits in octal.
        type: str
        default: "0755"
  files:
    description: Files and their content.
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description: The file.
        type: path
        required: true
      content:
        description: Its whole content. Not for secrets, since a difference is shown.
        type: str
        required: true
      owner:
        description: Its owner, as a name or number.
        type: str
        default: root
      group:
        description: Its group, as a name or number.
        type: str
        default: root
      mode:
        description: Its permission bits in octal.
        type: str
        default: "0644"
      once:
        description: Write it only when it does not exist, and leave its content to others afterwards.
        type: bool
        default: false
attributes:
  check_mode:
    description: Can run in check_mode and return changed status prediction without modifying target.
    support: full
  diff_mode:
    description: Will return details on what has changed (or possibly needs changing in check_mode), when in diff mode.
    support: full
notes:
  - In check mode an owner or group that does not exist yet counts as a change, since an earlier task may bring it.
seealso:
  - module: ansible.builtin.template
  - module: dataplatform.aws.nifi_properties
"""

EXAMPLES = r"""
- name: Write the service and its settings
  dataplatform.aws.managed_files:
    directories:
      - path: /etc/example
    files:
      - path: /etc/example/settings.json
        content: "{{ settings | to_nice_json }}\n"
        group: example
        mode: "0640"
      - path: /etc/systemd/system/example.service
        content: "{{ lookup('ansible.builtin.template', 'example.service.j2') }}"
"""

RETURN = r"""
changed_paths:
  description: Folders and files that were made, written, or given another owner or mode.
  returned: success
  type: list
  elements: str
  sample: [/etc/example/settings.json]
"""

import os
import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.dataplatform.aws.plugins.module_utils import _files

Entry = dict[str, t.Any]


def target_of(entry: Entry, check_mode: bool) -> _files.Attributes | None:
    """Owner and mode that the entry shall have; None when they cannot be known yet."""
    try:
        return _files.wanted(entry["path"], entry["owner"], entry["group"], entry["mode"])
    except _files.FileError:
        if check_mode:
            return None
        raise


def ensure_directory(entry: Entry, target: _files.Attributes | None, check_mode: bool) -> bool:
    """Make the folder, or give it its owner and mode. Returns whether that changed anything."""
    path = entry["path"]
    if os.path.islink(path) or (os.path.lexists(path) and not os.path.isdir(path)):
        raise _files.FileError(f"{path} is no folder; remove it")
    exists = os.path.isdir(path)
    if exists and _files.attributes(path) == target:
        return False
    if not check_mode and target is not None:
        try:
            if not exists:
                os.mkdir(path, 0o700)
            os.chown(path, target.uid, target.gid)
            os.chmod(path, target.mode)
        except OSError as error:
            raise _files.FileError(f"{path} cannot be made: {error.strerror}") from error
    return True


def ensure_file(entry: Entry, target: _files.Attributes | None, check_mode: bool) -> dict[str, str] | None:
    """Write the file. Returns the difference, or None when there is none."""
    path, content = entry["path"], entry["content"].encode("utf-8")
    before = _files.read(path)
    if entry["once"] and before is not None:
        content = before
    if target is not None and not _files.differs(path, content, target):
        return None
    if not check_mode and target is not None:
        _files.write(path, content, target)
    return {
        "before_header": path,
        "after_header": path,
        "before": (before or b"").decode("utf-8", "replace"),
        "after": content.decode("utf-8"),
    }


def ensure(module: AnsibleModule) -> dict[str, t.Any]:
    """Make everything; return the module's result."""
    changed_paths, diff = [], []
    for entry in module.params["directories"]:
        if ensure_directory(entry, target_of(entry, module.check_mode), module.check_mode):
            changed_paths.append(entry["path"])
    for entry in module.params["files"]:
        difference = ensure_file(entry, target_of(entry, module.check_mode), module.check_mode)
        if difference is not None:
            changed_paths.append(entry["path"])
            diff.append(difference)
    return {"changed": bool(changed_paths), "changed_paths": changed_paths, "diff": diff}


def main() -> None:
    owner = {"type": "str", "default": "root"}
    module = AnsibleModule(
        argument_spec={
            "directories": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "path": {"type": "path", "required": True},
                    "owner": owner,
                    "group": owner,
                    "mode": {"type": "str", "default": "0755"},
                },
            },
            "files": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "path": {"type": "path", "required": True},
                    "content": {"type": "str", "required": True},
                    "owner": owner,
                    "group": owner,
                    "mode": {"type": "str", "default": "0644"},
                    "once": {"type": "bool", "default": False},
                },
            },
        },
        supports_check_mode=True,
        # The content of thirty files is nothing for the host's journal.
        no_log=True,
    )
    result: dict[str, t.Any] = {}
    try:
        result = ensure(module)
    except _files.FileError as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
