"""A checkout with a platform of four resources: everything the driver does with Terraform, in seconds."""

from __future__ import annotations

import shutil
import uuid
from pathlib import Path

from driver.project import Project
from tests.unit.driver.fakes import SOURCE, checkout

MAIN = """
locals {
  name = "small-${var.env}-${var.bucket_suffix}"
}

resource "terraform_data" "slow" {
  triggers_replace = "%(version)s"
  provisioner "local-exec" {
    command     = "touch \\"$STARTED\\"; sleep \\"$SECONDS_TO_SLEEP\\""
    environment = { STARTED = "%(started)s", SECONDS_TO_SLEEP = "%(seconds)d" }
  }
}

# As modules read DAGs and jobs: by the place of the root module.
resource "terraform_data" "dag" {
  for_each = fileset("${path.root}/../../../pipelines/dags", "*.py")
}

resource "aws_s3_bucket" "this" {
  bucket        = local.name
  force_destroy = true
  depends_on    = [terraform_data.slow]
}

resource "aws_ssm_parameter" "document" {
  name = "/dataplatform/${var.env}/platform"
  type = "String"
  value = jsonencode({
    urls    = { nifi = "https://nifi.${var.domain}/nifi/" }
    buckets = { certificates = aws_s3_bucket.this.id }
    nifi    = { asg_name = "none", target_group_arn = "none" }
  })
}
"""
BOOTSTRAP = """
# A key made beforehand: AWS's provider waits long for a new one.
data "aws_kms_key" "state" {
  key_id = "alias/made-beforehand"
}

output "state_key_arn" {
  value = data.aws_kms_key.state.arn
}

resource "aws_s3_bucket" "state" {
  bucket        = "dataplatform-tfstate-${var.account_id}-${var.region}"
  force_destroy = var.force_destroy
}
"""


def make(folder: Path) -> Project:
    """The project's own variables, providers, backends and requests; its own resources replaced by quick ones."""
    project = checkout(folder)
    for env in ("dev", "ppd", "prod"):
        place = project.environment(env)
        (place / "main.tf").write_text(MAIN % {"seconds": 0, "version": "first", "started": "/dev/null"})
        (place / "outputs.tf").unlink()
    (project.bootstrap / "main.tf").write_text(BOOTSTRAP)
    (project.bootstrap / "outputs.tf").unlink()
    (folder / "terraform" / "modules").mkdir()
    (folder / "pipelines" / "dags").mkdir(parents=True)
    (folder / "pipelines" / "dags" / "one.py").touch()
    for name in ("ansible", "collections"):
        if (folder / name).exists():
            shutil.rmtree(folder / name)
        (folder / name).symlink_to(SOURCE / name)
    shutil.copytree(SOURCE / "driver", folder / "driver", ignore=shutil.ignore_patterns("__pycache__"))
    return project


def change_slowly(project: Project, env: str, seconds: int) -> Path:
    """Have the next apply replace one resource, and take this long at least. This file is there once it creates it."""
    version = uuid.uuid4()
    started = project.cache / f"started-{version}"
    filled = MAIN % {"seconds": seconds, "version": version, "started": started}
    (project.environment(env) / "main.tf").write_text(filled)
    return started
