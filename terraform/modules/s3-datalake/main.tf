data "aws_caller_identity" "this" {}
data "aws_partition" "this" {}

locals {
  layers = {
    bronze = "dl-${var.env}-bronze-${var.bucket_suffix}"
    silver = "dl-${var.env}-silver-${var.bucket_suffix}"
    gold   = "dl-${var.env}-gold-${var.bucket_suffix}"
  }

  buckets = merge(local.layers, {
    certificates = "nifi-${var.env}-certs-${var.bucket_suffix}"
    artifacts    = "dataplatform-${var.env}-artifacts-${var.bucket_suffix}"
    logs         = "dataplatform-${var.env}-logs-${var.bucket_suffix}"
  })

  # A load balancer writes its logs to SSE-S3 buckets only; the certificates bucket holds public data that a balancer and a CA read and write.
  sse_s3 = toset(["logs", "certificates"])

  # From the names, so that a plan shows the policies of buckets that are yet to be made.
  arns = { for name, bucket in local.buckets : name => "arn:${local.partition}:s3:::${bucket}" }

  account_id = data.aws_caller_identity.this.account_id
  partition  = data.aws_partition.this.partition
}

resource "aws_kms_key" "this" {
  description             = "Data at rest of ${var.env}: lake and artifacts"
  enable_key_rotation     = true
  deletion_window_in_days = var.force_destroy ? 7 : 30
  policy                  = data.aws_iam_policy_document.key.json
}

resource "aws_kms_alias" "this" {
  name          = "alias/dataplatform-${var.env}-data"
  target_key_id = aws_kms_key.this.key_id
}

# The account's own IAM policies decide about this key; without this statement nobody could, not even its maker.
data "aws_iam_policy_document" "key" {
  #checkov:skip=CKV_AWS_109:A key policy's resource is the key itself
  #checkov:skip=CKV_AWS_111:A key policy's resource is the key itself
  #checkov:skip=CKV_AWS_356:A key policy's resource is the key itself
  statement {
    sid       = "AccountDecidesByIam"
    actions   = ["kms:*"]
    resources = ["*"]

    principals {
      type        = "AWS"
      identifiers = ["arn:${local.partition}:iam::${local.account_id}:root"]
    }
  }
}

resource "aws_s3_bucket" "this" {
  #checkov:skip=CKV_AWS_144:One region is the platform's promise; replication is a decision of its own
  #checkov:skip=CKV2_AWS_62:Nothing listens to bucket events yet
  for_each = local.buckets

  bucket        = each.value
  force_destroy = var.force_destroy
}

resource "aws_s3_bucket_ownership_controls" "this" {
  for_each = local.buckets

  bucket = aws_s3_bucket.this[each.key].id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_public_access_block" "this" {
  for_each = local.buckets

  bucket                  = aws_s3_bucket.this[each.key].id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_versioning" "this" {
  for_each = local.buckets

  bucket = aws_s3_bucket.this[each.key].id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "this" {
  for_each = local.buckets

  bucket = aws_s3_bucket.this[each.key].id

  rule {
    bucket_key_enabled = !contains(local.sse_s3, each.key)

    apply_server_side_encryption_by_default {
      sse_algorithm     = contains(local.sse_s3, each.key) ? "AES256" : "aws:kms"
      kms_master_key_id = contains(local.sse_s3, each.key) ? null : aws_kms_key.this.arn
    }
  }
}

resource "aws_s3_bucket_logging" "this" {
  for_each = { for name, bucket in local.buckets : name => bucket if name != "logs" }

  bucket        = aws_s3_bucket.this[each.key].id
  target_bucket = aws_s3_bucket.this["logs"].id
  target_prefix = "s3/${each.key}/"

  depends_on = [aws_s3_bucket_policy.this]
}

data "aws_iam_policy_document" "this" {
  for_each = local.buckets

  statement {
    sid       = "TlsOnly"
    effect    = "Deny"
    actions   = ["s3:*"]
    resources = [local.arns[each.key], "${local.arns[each.key]}/*"]

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

  dynamic "statement" {
    for_each = each.key == "logs" ? [1] : []

    content {
      sid       = "S3AccessLogs"
      actions   = ["s3:PutObject"]
      resources = ["${local.arns["logs"]}/s3/*"]

      principals {
        type        = "Service"
        identifiers = ["logging.s3.amazonaws.com"]
      }

      condition {
        test     = "StringEquals"
        variable = "aws:SourceAccount"
        values   = [local.account_id]
      }
    }
  }

  # The path holds the account that owns the balancer: nobody else's balancer can write here.
  # https://docs.aws.amazon.com/elasticloadbalancing/latest/application/enable-access-logging.html
  dynamic "statement" {
    for_each = each.key == "logs" ? [1] : []

    content {
      sid       = "LoadBalancerLogs"
      actions   = ["s3:PutObject"]
      resources = [for prefix in ["alb", "alb-connections"] : "${local.arns["logs"]}/${prefix}/AWSLogs/${local.account_id}/*"]

      principals {
        type        = "Service"
        identifiers = ["logdelivery.elasticloadbalancing.amazonaws.com"]
      }
    }
  }

  # https://docs.aws.amazon.com/privateca/latest/userguide/crl-planning.html#s3-policies
  dynamic "statement" {
    for_each = each.key == "certificates" ? [1] : []

    content {
      sid     = "RevocationLists"
      actions = ["s3:PutObject", "s3:PutObjectAcl", "s3:GetBucketAcl", "s3:GetBucketLocation"]
      resources = [
        local.arns["certificates"],
        "${local.arns["certificates"]}/*",
      ]

      principals {
        type        = "Service"
        identifiers = ["acm-pca.amazonaws.com"]
      }

      condition {
        test     = "StringEquals"
        variable = "aws:SourceAccount"
        values   = [local.account_id]
      }
    }
  }
}

resource "aws_s3_bucket_policy" "this" {
  for_each = local.buckets

  bucket = aws_s3_bucket.this[each.key].id
  policy = data.aws_iam_policy_document.this[each.key].json

  depends_on = [aws_s3_bucket_public_access_block.this]
}
