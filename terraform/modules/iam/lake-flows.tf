# What NiFi's flows may do: take in what landed, and write it to bronze. The hosts assume it and hand flows its credentials, never their own.
resource "aws_iam_role" "nifi_lake" {
  name               = "${var.env}-nifi-lake"
  description        = "NiFi flows: read what landed, write to bronze"
  assume_role_policy = data.aws_iam_policy_document.nifi_lake_trust.json
}

resource "aws_iam_role_policy" "nifi_lake" {
  name   = "lake"
  role   = aws_iam_role.nifi_lake.id
  policy = data.aws_iam_policy_document.nifi_lake.json
}

data "aws_iam_policy_document" "nifi_lake_trust" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "AWS"
      identifiers = [aws_iam_role.nifi.arn]
    }
  }
}

data "aws_iam_policy_document" "nifi_lake" {
  statement {
    sid       = "Landing"
    actions   = ["s3:GetObject"]
    resources = ["${var.bucket_arns["artifacts"]}/landing/*"]
  }

  statement {
    sid       = "ListLanding"
    actions   = ["s3:ListBucket"]
    resources = [var.bucket_arns["artifacts"]]

    condition {
      test     = "StringLike"
      variable = "s3:prefix"
      values   = ["landing/*"]
    }
  }

  statement {
    sid       = "Bronze"
    actions   = ["s3:AbortMultipartUpload", "s3:GetObject", "s3:ListMultipartUploadParts", "s3:PutObject"]
    resources = ["${var.bucket_arns["bronze"]}/*"]
  }

  statement {
    sid       = "ListBronze"
    actions   = ["s3:ListBucket"]
    resources = [var.bucket_arns["bronze"]]
  }

  statement {
    sid       = "DataKey"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
    resources = [var.data_key_arn]
  }
}
