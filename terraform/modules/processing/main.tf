data "aws_caller_identity" "this" {}
data "aws_partition" "this" {}

locals {
  account_id = data.aws_caller_identity.this.account_id
  partition  = data.aws_partition.this.partition
  jobs       = "jobs"

  # Iceberg puts a new table below its database's location: so each layer's tables lie in that layer's bucket, with one catalog for all.
  locations = {
    bronze = "s3://${var.buckets["bronze"]}"
    silver = "s3://${var.buckets["silver"]}/warehouse"
    gold   = "s3://${var.buckets["gold"]}/warehouse"
  }

  # What Python, test runs and editors leave behind is no job: the same as module dataplatform.aws.s3_folder leaves out (_s3_folder.py).
  artifacts = toset([
    for path in fileset(var.jobs_directory, "**") : path if !can(regex("(^|/)(__pycache__|\\.[^/]*_cache)/|(\\.pyc|\\.swp|~)$", path))
  ])
}

resource "aws_glue_catalog_database" "this" {
  for_each = local.locations

  name         = "${var.env}_${each.key}"
  description  = "The ${each.key} layer of ${var.env}"
  location_uri = each.value
}

# Without a network configuration jobs reach S3, Glue and CloudWatch of this region, and nothing else: all that they need.
# https://docs.aws.amazon.com/emr/latest/EMR-Serverless-UserGuide/vpc-access.html
resource "aws_emrserverless_application" "this" {
  name          = "${var.env}-spark"
  release_label = var.sizing.release_label
  type          = "spark"
  architecture  = "X86_64"

  # Nothing runs, and nothing is paid, between jobs.
  auto_start_configuration {
    enabled = true
  }

  auto_stop_configuration {
    enabled              = true
    idle_timeout_minutes = var.sizing.idle_minutes
  }

  maximum_capacity {
    cpu    = "${var.sizing.max_vcpu} vCPU"
    memory = "${var.sizing.max_memory_gb} GB"
    # A worker has 20 GB at least: less than that for each would be the limit before vCPU and memory are.
    disk = "${coalesce(var.sizing.max_disk_gb, max(200, ceil(var.sizing.max_vcpu / 4) * 20))} GB"
  }
}

# The content decides what is uploaded, by its hash: an ETag is no MD5 under KMS. A deployment of pipelines alone notes the same hash, and no tags.
resource "aws_s3_object" "job" {
  for_each = local.artifacts

  bucket   = var.buckets["artifacts"]
  key      = "${local.jobs}/${each.key}"
  source   = "${var.jobs_directory}/${each.key}"
  metadata = { sha256 = filesha256("${var.jobs_directory}/${each.key}") }

  override_provider {
    default_tags {
      tags = {}
    }
  }
}
