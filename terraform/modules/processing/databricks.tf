# Databricks works on the same buckets and the same catalog; see docs/databricks.md. Off unless `databricks` is given.
locals {
  databricks = var.databricks == null ? {} : { this = var.databricks }
}

# Unity Catalog assumes the role of a storage credential, which must also be able to assume itself:
# https://docs.databricks.com/aws/en/connect/unity-catalog/cloud-storage/s3/s3-external-location-manual
data "aws_iam_policy_document" "databricks_trust" {
  for_each = local.databricks

  statement {
    sid     = "UnityCatalog"
    actions = ["sts:AssumeRole"]

    principals {
      type        = "AWS"
      identifiers = [each.value.unity_catalog_arn]
    }

    condition {
      test     = "StringEquals"
      variable = "sts:ExternalId"
      values   = [each.value.external_id]
    }
  }

  # A role that is yet to be made can't be a principal of its own trust: the account is, and the condition names the role.
  statement {
    sid     = "Itself"
    actions = ["sts:AssumeRole"]

    principals {
      type        = "AWS"
      identifiers = ["arn:${local.partition}:iam::${local.account_id}:root"]
    }

    condition {
      test     = "ArnEquals"
      variable = "aws:PrincipalArn"
      values   = ["arn:${local.partition}:iam::${local.account_id}:role/${var.env}-databricks"]
    }

    condition {
      test     = "StringEquals"
      variable = "sts:ExternalId"
      values   = [each.value.external_id]
    }
  }
}

data "aws_iam_policy_document" "databricks" {
  for_each = local.databricks

  source_policy_documents = [var.lake_policy]

  statement {
    sid       = "AssumeItself"
    actions   = ["sts:AssumeRole"]
    resources = ["arn:${local.partition}:iam::${local.account_id}:role/${var.env}-databricks"]
  }
}

resource "aws_iam_role" "databricks" {
  for_each = local.databricks

  name               = "${var.env}-databricks"
  description        = "Storage credential of Databricks' Unity Catalog"
  assume_role_policy = data.aws_iam_policy_document.databricks_trust[each.key].json
}

resource "aws_iam_role_policy" "databricks" {
  for_each = local.databricks

  name   = "lake"
  role   = aws_iam_role.databricks[each.key].id
  policy = data.aws_iam_policy_document.databricks[each.key].json
}

# Clusters that use the Glue catalog as their metastore hold an instance profile instead.
data "aws_iam_policy_document" "databricks_clusters_trust" {
  for_each = local.databricks

  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["ec2.amazonaws.com"]
    }
  }
}

resource "aws_iam_role" "databricks_clusters" {
  for_each = local.databricks

  name               = "${var.env}-databricks-clusters"
  description        = "Databricks clusters with the Glue catalog"
  assume_role_policy = data.aws_iam_policy_document.databricks_clusters_trust[each.key].json
}

resource "aws_iam_role_policy" "databricks_clusters" {
  for_each = local.databricks

  name   = "lake"
  role   = aws_iam_role.databricks_clusters[each.key].id
  policy = var.lake_policy
}

resource "aws_iam_instance_profile" "databricks_clusters" {
  for_each = local.databricks

  name = aws_iam_role.databricks_clusters[each.key].name
  role = aws_iam_role.databricks_clusters[each.key].name
}
