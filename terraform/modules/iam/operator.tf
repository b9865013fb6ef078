# Everything after stage infrastructure, on hosts that are there: what a scheduler runs, and who configures, publishes, verifies and rotates. It
# builds nothing.
resource "aws_iam_role" "operator" {
  name               = "${var.env}-operator"
  description        = "Configures the hosts that are there: certificates, access, pipelines, verification, rotation"
  assume_role_policy = data.aws_iam_policy_document.deployer_trust["operate"].json
}

resource "aws_iam_role_policy" "operator" {
  name   = "operate"
  role   = aws_iam_role.operator.id
  policy = data.aws_iam_policy_document.operator.json
}

data "aws_iam_policy_document" "operator" {
  source_policy_documents = [data.aws_iam_policy_document.issuer.json, data.aws_iam_policy_document.operator_stages.json]

  # Ansible's connection: a session, and an object below the instance's id for each file that a task sends or fetches.
  # https://docs.aws.amazon.com/systems-manager/latest/userguide/getting-started-restrict-access-examples.html
  statement {
    sid       = "ReachHosts"
    actions   = ["ssm:StartSession"]
    resources = ["arn:${local.partition}:ec2:${var.region}:${local.account_id}:instance/*"]

    condition {
      test     = "StringEquals"
      variable = "ssm:resourceTag/Environment"
      values   = [var.env]
    }
  }

  statement {
    sid       = "SessionSettings"
    actions   = ["ssm:StartSession"]
    resources = ["arn:${local.partition}:ssm:${var.region}:${local.account_id}:document/SSM-SessionManagerRunShell"]
  }

  statement {
    sid       = "EndOwnSessions"
    actions   = ["ssm:ResumeSession", "ssm:TerminateSession"]
    resources = ["arn:${local.partition}:ssm:${var.region}:${local.account_id}:session/*"]

    condition {
      test     = "StringLike"
      variable = "ssm:resourceTag/aws:ssmmessages:session-id"
      values   = ["&{aws:userid}"]
    }
  }

  # session-manager-plugin signs this call since 1.2.764.0. The session's id begins with the session's name, not with the user's id.
  statement {
    sid       = "SessionData"
    actions   = ["ssmmessages:OpenDataChannel"]
    resources = ["arn:${local.partition}:ssm:${var.region}:${local.account_id}:session/*"]
  }

  statement {
    sid       = "PassFiles"
    actions   = ["s3:DeleteObject", "s3:GetObject", "s3:PutObject"]
    resources = ["${var.bucket_arns["artifacts"]}/i-*/*"]
  }

  statement {
    sid       = "ListBuckets"
    actions   = ["s3:GetBucketLocation", "s3:ListBucket"]
    resources = [for name in ["artifacts", "dags", "bronze", "silver", "gold"] : var.bucket_arns[name]]
  }

  statement {
    sid       = "DataKey"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
    resources = [var.data_key_arn]
  }
}
