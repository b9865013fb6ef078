# Spark jobs: what they may do is decided by layer. Bronze is what came in and stays as it came; silver and gold are made here.
locals {
  glue_arn = "arn:${local.partition}:glue:${var.region}:${local.account_id}"

  glue = {
    catalog = "${local.glue_arn}:catalog"
    read    = flatten([for layer in ["bronze", "silver", "gold"] : local.glue_layer[layer]])
    write   = flatten([for layer in ["silver", "gold"] : local.glue_layer[layer]])
  }

  glue_layer = { for layer in ["bronze", "silver", "gold"] : layer => [
    "${local.glue_arn}:database/${var.env}_${layer}", "${local.glue_arn}:table/${var.env}_${layer}/*",
  ] }

  glue_reads = ["glue:GetDatabase", "glue:GetDatabases", "glue:GetPartition", "glue:GetPartitions", "glue:GetTable", "glue:GetTables"]
}

data "aws_iam_policy_document" "spark_trust" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["emr-serverless.amazonaws.com"]
    }

    # Nobody else's application gets this role.
    # https://docs.aws.amazon.com/emr/latest/EMR-Serverless-UserGuide/security-iam-confused-deputy.html
    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.account_id]
    }

    condition {
      test     = "ArnLike"
      variable = "aws:SourceArn"
      values   = ["arn:${local.partition}:emr-serverless:${var.region}:${local.account_id}:/applications/*"]
    }
  }
}

resource "aws_iam_role" "spark" {
  name               = "${var.env}-spark-execution"
  description        = "Spark jobs on EMR Serverless"
  assume_role_policy = data.aws_iam_policy_document.spark_trust.json
}

resource "aws_iam_role_policy" "spark" {
  name   = "spark"
  role   = aws_iam_role.spark.id
  policy = data.aws_iam_policy_document.spark.json
}

# What anybody needs who processes data on this lake.
data "aws_iam_policy_document" "lake" {
  statement {
    sid       = "ReadBronze"
    actions   = ["s3:GetObject"]
    resources = ["${var.bucket_arns["bronze"]}/*"]
  }

  statement {
    sid       = "WriteSilverAndGold"
    actions   = ["s3:AbortMultipartUpload", "s3:DeleteObject", "s3:GetObject", "s3:PutObject"]
    resources = [for layer in ["silver", "gold"] : "${var.bucket_arns[layer]}/*"]
  }

  statement {
    sid       = "ListLayers"
    actions   = ["s3:GetBucketLocation", "s3:ListBucket"]
    resources = [for layer in ["bronze", "silver", "gold"] : var.bucket_arns[layer]]
  }

  statement {
    sid       = "LakeKey"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
    resources = [var.data_key_arn]
  }

  # Spark looks for the database `default` when it starts, whether it uses it or not.
  statement {
    sid       = "ReadCatalog"
    actions   = local.glue_reads
    resources = concat([local.glue.catalog, "${local.glue_arn}:database/default"], local.glue.read)
  }

  statement {
    sid = "WriteCatalog"
    actions = [
      "glue:BatchCreatePartition", "glue:BatchDeletePartition", "glue:BatchGetPartition", "glue:CreateTable", "glue:DeleteTable",
      "glue:UpdatePartition", "glue:UpdateTable",
    ]
    resources = concat([local.glue.catalog], local.glue.write)
  }
}

data "aws_iam_policy_document" "spark" {
  source_policy_documents = [data.aws_iam_policy_document.lake.json]

  statement {
    sid       = "Jobs"
    actions   = ["s3:GetObject"]
    resources = ["${var.bucket_arns["artifacts"]}/jobs/*"]
  }

  statement {
    sid       = "Logs"
    actions   = ["s3:PutObject"]
    resources = ["${var.bucket_arns["logs"]}/emr-serverless/*"]
  }
}
