# Retention by layer. Old versions go everywhere: versioning guards against mistakes, not forever.
locals {
  expire_days = {
    bronze = var.retention.bronze_days
    logs   = var.retention.logs_days
  }

  archive_days = {
    silver = var.retention.silver_archive_days
    gold   = var.retention.gold_archive_days
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "this" {
  for_each = local.buckets

  bucket = aws_s3_bucket.this[each.key].id

  rule {
    id     = "old-versions-and-broken-uploads"
    status = "Enabled"

    filter {}

    noncurrent_version_expiration {
      # The SSM connection passes what tasks send through the artifacts bucket, and deletes it: a day later its versions are gone too.
      noncurrent_days = each.key == "artifacts" ? 1 : var.retention.noncurrent_version_days
    }

    abort_incomplete_multipart_upload {
      days_after_initiation = 7
    }
  }

  dynamic "rule" {
    for_each = contains(keys(local.expire_days), each.key) ? [local.expire_days[each.key]] : []

    content {
      id     = "expire"
      status = "Enabled"

      filter {}

      expiration {
        days = rule.value
      }
    }
  }

  # Flows land what is in the landing folder and not in bronze: it must be gone when bronze has forgotten it.
  dynamic "rule" {
    for_each = each.key == "artifacts" ? [local.expire_days.bronze] : []

    content {
      id     = "expire-landing"
      status = "Enabled"

      filter {
        prefix = "landing/"
      }

      expiration {
        days = rule.value
      }
    }
  }

  dynamic "rule" {
    for_each = contains(keys(local.archive_days), each.key) ? [local.archive_days[each.key]] : []

    content {
      id     = "archive"
      status = "Enabled"

      filter {}

      transition {
        days          = rule.value
        storage_class = "GLACIER_IR"
      }
    }
  }

  depends_on = [aws_s3_bucket_versioning.this]
}
