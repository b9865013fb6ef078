# DAGs are files in a versioned bucket. Terraform keeps them equal to the folder; a deployment of pipelines alone writes the same files.
locals {
  dags_bucket = "dataplatform-${var.env}-dags-${var.bucket_suffix}"
  dags_arn    = "arn:${local.partition}:s3:::${local.dags_bucket}"
  dags_prefix = "dags"

  # What Python, test runs and editors leave behind is no DAG: the same as module dataplatform.aws.s3_folder leaves out (_s3_folder.py).
  dags = toset([
    for path in fileset(var.dags_directory, "**") : path if !can(regex("(^|/)(__pycache__|\\.[^/]*_cache)/|(\\.pyc|\\.swp|~)$", path))
  ])
}

resource "aws_s3_bucket" "dags" {
  #checkov:skip=CKV_AWS_144:One region is the platform's promise; the files are in git
  #checkov:skip=CKV2_AWS_62:Airflow looks for changes itself
  bucket        = local.dags_bucket
  force_destroy = !var.deletion_protection
}

resource "aws_s3_bucket_ownership_controls" "dags" {
  bucket = aws_s3_bucket.dags.id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_public_access_block" "dags" {
  bucket                  = aws_s3_bucket.dags.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_versioning" "dags" {
  bucket = aws_s3_bucket.dags.id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "dags" {
  bucket = aws_s3_bucket.dags.id

  rule {
    bucket_key_enabled = true

    apply_server_side_encryption_by_default {
      sse_algorithm     = "aws:kms"
      kms_master_key_id = var.data_key_arn
    }
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "dags" {
  bucket = aws_s3_bucket.dags.id

  rule {
    id     = "old-versions-and-broken-uploads"
    status = "Enabled"

    filter {}

    noncurrent_version_expiration {
      noncurrent_days = var.noncurrent_version_days
    }

    abort_incomplete_multipart_upload {
      days_after_initiation = 7
    }
  }

  depends_on = [aws_s3_bucket_versioning.dags]
}

resource "aws_s3_bucket_logging" "dags" {
  bucket        = aws_s3_bucket.dags.id
  target_bucket = var.logs_bucket
  target_prefix = "s3/dags/"
}

data "aws_iam_policy_document" "dags" {
  statement {
    sid       = "TlsOnly"
    effect    = "Deny"
    actions   = ["s3:*"]
    resources = [local.dags_arn, "${local.dags_arn}/*"]

    principals {
      type        = "*"
      identifiers = ["*"]
    }

    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }
}

resource "aws_s3_bucket_policy" "dags" {
  bucket = aws_s3_bucket.dags.id
  policy = data.aws_iam_policy_document.dags.json

  depends_on = [aws_s3_bucket_public_access_block.dags]
}

# The content decides what is uploaded, by its hash: an ETag is no MD5 under KMS. A deployment of pipelines alone notes the same hash, and no tags.
resource "aws_s3_object" "dag" {
  for_each = local.dags

  bucket   = aws_s3_bucket.dags.id
  key      = "${local.dags_prefix}/${each.key}"
  source   = "${var.dags_directory}/${each.key}"
  metadata = { sha256 = filesha256("${var.dags_directory}/${each.key}") }

  override_provider {
    default_tags {
      tags = {}
    }
  }

  depends_on = [aws_s3_bucket_versioning.dags, aws_s3_bucket_server_side_encryption_configuration.dags]
}

# Airflow's bundle wants its prefix to exist, even before there is a DAG.
resource "aws_s3_object" "prefix" {
  bucket  = aws_s3_bucket.dags.id
  key     = "${local.dags_prefix}/.keep"
  content = "Airflow reads this prefix.\n"

  override_provider {
    default_tags {
      tags = {}
    }
  }

  depends_on = [aws_s3_bucket_versioning.dags, aws_s3_bucket_server_side_encryption_configuration.dags]
}
