# Statements that several roles hold.

# PutMetricData knows no resources: the namespace is the limit (CloudWatch, service authorization reference).
data "aws_iam_policy_document" "metrics" {
  #checkov:skip=CKV_AWS_111:Limited by namespace
  #checkov:skip=CKV_AWS_356:Limited by namespace
  statement {
    sid       = "Metrics"
    actions   = ["cloudwatch:PutMetricData"]
    resources = ["*"]

    condition {
      test     = "StringEquals"
      variable = "cloudwatch:namespace"
      values   = ["DataPlatform/${var.env}"]
    }
  }
}

# States and what lies beside them are encrypted with the account's own key.
data "aws_iam_policy_document" "state_key" {
  statement {
    sid       = "StateKey"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
    resources = [local.keys]

    condition {
      test     = "ForAnyValue:StringEquals"
      variable = "kms:ResourceAliases"
      values   = [local.state_key]
    }
  }
}

# Who runs the runner (driver/lease.py).
data "aws_iam_policy_document" "run_lease" {
  statement {
    sid       = "RunLease"
    actions   = ["s3:DeleteObject", "s3:GetObject", "s3:PutObject"]
    resources = ["${local.state_bucket}/${var.env}/run.json"]
  }
}
