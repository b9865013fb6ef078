#!/usr/bin/python
# Copyright: (c) 2026, the data platform provisioner's contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: s3_folder
short_description: Make a folder of a bucket hold what a local folder does
version_added: 0.2.0
author:
  - Data platform team (!UNKNOWN)
description:
  - Uploads files whose content differs and deletes objects that have no file, so that a second run changes nothing.
  - Compares by a SHA-256 in the objects' metadata. ETags are no checksums where a bucket encrypts with a KMS key.
  - For small files, such as DAGs and jobs. Each is read into memory.
options:
  bucket:
    description: Name of the bucket.
    type: str
    required: true
  prefix:
    description: The folder in the bucket, without slashes around it.
    type: str
    required: true
  directory:
    description: The local folder. Folders in it are included, and what Python, test runs and editors leave behind is not.
    type: path
    required: true
  keep:
    description:
      - Patterns of names, relative to O(prefix), of objects that are left alone although they have no file.
    type: list
    elements: str
    default: []
attributes:
  check_mode:
    description: Can run in check_mode and return changed status prediction without modifying target.
    support: full
  diff_mode:
    description: Will return details on what has changed (or possibly needs changing in check_mode), when in diff mode.
    support: full
    details: The difference has the names of what is uploaded and deleted.
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
seealso:
  - module: community.aws.s3_sync
"""

EXAMPLES = r"""
- name: Publish the DAGs
  dataplatform.aws.s3_folder:
    bucket: dataplatform-dev-dags-example
    prefix: dags
    directory: pipelines/dags
    region: eu-central-1
"""

RETURN = r"""
uploaded:
  description: Names of the files that were uploaded, relative to the folder.
  returned: success
  type: list
  elements: str
  sample: [flights_daily.py]
deleted:
  description: Names of the objects that were deleted, relative to the folder.
  returned: success
  type: list
  elements: str
  sample: []
"""

import typing as t
from pathlib import Path

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.dataplatform.aws.plugins.module_utils import _aws, _s3_folder


def ensure(module: AnsibleAWSModule) -> dict[str, t.Any]:
    """Publish; return the module's result."""
    params = module.params
    files = _s3_folder.local_files(Path(params["directory"]))
    prefix = params["prefix"].strip("/") + "/"
    changes = _s3_folder.publish(
        module.client("s3"), params["bucket"], prefix, files, params["keep"], module.check_mode
    )
    address = f"s3://{params['bucket']}/{prefix}"
    before, after = changes.deleted, changes.uploaded
    return {
        "changed": bool(before or after),
        "uploaded": changes.uploaded,
        "deleted": changes.deleted,
        "diff": {
            "before_header": address,
            "after_header": address,
            "before": "".join(f"{name}\n" for name in before),
            "after": "".join(f"{name}\n" for name in after),
        },
    }


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            "bucket": {"type": "str", "required": True},
            "prefix": {"type": "str", "required": True},
            "directory": {"type": "path", "required": True},
            "keep": {"type": "list", "elements": "str", "default": []},
        },
        supports_check_mode=True,
    )
    result: dict[str, t.Any] = {}
    try:
        result = ensure(module)
    except (_aws.AwsError, _s3_folder.FolderError, OSError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
