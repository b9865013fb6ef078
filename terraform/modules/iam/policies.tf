data "aws_iam_policy_document" "nifi" {
  source_policy_documents = [data.aws_iam_policy_document.metrics.json]

  statement {
    sid       = "Archives"
    actions   = ["s3:GetObject"]
    resources = ["${var.bucket_arns["artifacts"]}/nifi/*", "${var.bucket_arns["artifacts"]}/agents/*"]
  }

  statement {
    sid       = "RevokedSerials"
    actions   = ["s3:GetObject"]
    resources = ["${var.bucket_arns["certificates"]}/revocations/*"]
  }

  statement {
    sid       = "Truststore"
    actions   = ["s3:GetObject", "s3:PutObject"]
    resources = ["${var.bucket_arns["certificates"]}/nifi/*"]
  }

  statement {
    sid       = "ListOwnBuckets"
    actions   = ["s3:ListBucket"]
    resources = [var.bucket_arns["artifacts"], var.bucket_arns["certificates"]]
  }

  # Flows reach the lake with a role of their own: whoever builds one runs code as NiFi, which must not issue certificates.
  statement {
    sid       = "HandLakeRoleToFlows"
    actions   = ["sts:AssumeRole"]
    resources = ["arn:${local.partition}:iam::${local.account_id}:role/${var.env}-nifi-lake"]
  }

  statement {
    sid       = "DataKey"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
    resources = [var.data_key_arn]
  }

  # A host's copy of its own keystore, and of no other's: the secret's tag must name the instance that asks. EC2 makes the instance's id
  # part of aws:userid (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html#policy-vars-infotouse).
  statement {
    sid       = "OwnKeystore"
    actions   = [for action in ["DescribeSecret", "GetSecretValue", "PutSecretValue", "TagResource"] : "secretsmanager:${action}"]
    resources = ["${local.secrets}/nifi/*"]

    condition {
      test     = "StringLike"
      variable = "aws:userid"
      values   = ["*:&{aws:ResourceTag/InstanceId}"]
    }
  }

  # Secrets Manager takes the tags of a request to create a secret for the secret's own
  # (https://docs.aws.amazon.com/IAM/latest/UserGuide/tutorial_attribute-based-access-control.html): no condition asks that it has none.
  statement {
    sid       = "MakeOwnKeystore"
    actions   = ["secretsmanager:CreateSecret"]
    resources = ["${local.secrets}/nifi/*"]

    condition {
      test     = "StringLike"
      variable = "aws:userid"
      values   = ["*:&{aws:RequestTag/InstanceId}"]
    }
  }

  # Nobody takes over a secret that has an owner by tagging it anew.
  statement {
    sid       = "TagOwnKeystore"
    actions   = ["secretsmanager:TagResource"]
    resources = ["${local.secrets}/nifi/*"]

    condition {
      test     = "StringLike"
      variable = "aws:userid"
      values   = ["*:&{aws:RequestTag/InstanceId}"]
    }

    condition {
      test     = "Null"
      variable = "aws:ResourceTag/InstanceId"
      values   = ["true"]
    }
  }

  # For the dimension with the group's name: the agent reads its instance's tags, and sends nothing without. DescribeTags knows no resources.
  statement {
    #checkov:skip=CKV_AWS_356:A read-only call that knows no resources
    sid       = "OwnTags"
    actions   = ["ec2:DescribeTags"]
    resources = ["*"]
  }

  statement {
    sid       = "Logs"
    actions   = ["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"]
    resources = ["${local.log_groups}/nifi:*"]
  }
}

data "aws_iam_policy_document" "issuer" {
  # Metrics: for how long the revocation list still lasts.
  source_policy_documents = [
    var.issue_users_policy, data.aws_iam_policy_document.metrics.json, data.aws_iam_policy_document.state_key.json,
    data.aws_iam_policy_document.run_lease.json,
  ]

  statement {
    sid       = "Registry"
    actions   = ["s3:DeleteObject", "s3:GetObject", "s3:PutObject"]
    resources = [for prefix in ["crl", "registry", "revocations", "trust-store", "users"] : "${var.bucket_arns["certificates"]}/${prefix}/*"]
  }

  statement {
    sid       = "ListRegistry"
    actions   = ["s3:ListBucket"]
    resources = [var.bucket_arns["certificates"], local.state_bucket]
  }

  # Whether Terraform is at work. Without ListBucket an object that is not there is a refusal.
  statement {
    sid       = "SeeStateLock"
    actions   = ["s3:GetObject"]
    resources = ["${local.state_bucket}/${var.env}/terraform.tfstate.tflock"]
  }

  statement {
    sid = "WriteKeystores"
    actions = [
      "secretsmanager:CreateSecret",
      "secretsmanager:DeleteSecret",
      "secretsmanager:DescribeSecret",
      "secretsmanager:GetResourcePolicy",
      "secretsmanager:PutResourcePolicy",
      "secretsmanager:PutSecretValue",
      "secretsmanager:RestoreSecret",
      "secretsmanager:TagResource",
    ]
    resources = ["${local.secrets}/users/*"]
  }

  # Describing trust stores knows no resources (Elastic Load Balancing, service authorization reference).
  statement {
    #checkov:skip=CKV_AWS_356:Read-only calls that know no resources
    sid = "ReadTrustStore"
    actions = [
      "elasticloadbalancing:DescribeTrustStores",
      "elasticloadbalancing:DescribeTrustStoreRevocations",
    ]
    resources = ["*"]
  }

  # The inventory asks EC2, whatever the playbook; the record of a run says which nodes serve.
  statement {
    #checkov:skip=CKV_AWS_356:Read-only calls that know no resources
    sid       = "Inventory"
    actions   = ["autoscaling:DescribeAutoScalingGroups", "ec2:DescribeInstances", "elasticloadbalancing:DescribeTargetHealth"]
    resources = ["*"]
  }

  statement {
    sid = "ReplaceRevocationList"
    actions = [
      "elasticloadbalancing:AddTrustStoreRevocations",
      "elasticloadbalancing:GetTrustStoreRevocationContent",
      "elasticloadbalancing:RemoveTrustStoreRevocations",
    ]
    resources = [var.trust_store_arn]
  }

  statement {
    sid       = "PlatformDocument"
    actions   = ["ssm:GetParameter"]
    resources = ["${local.parameters}/platform"]
  }
}

data "aws_iam_policy_document" "pickup" {
  statement {
    sid       = "ReadKeystores"
    actions   = ["secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue"]
    resources = ["${local.secrets}/users/*"]
  }

  statement {
    sid       = "ReadCertificates"
    actions   = ["s3:GetObject"]
    resources = ["${var.bucket_arns["certificates"]}/trust-store/*", "${var.bucket_arns["certificates"]}/users/*"]
  }

  # The inventory asks EC2, whatever the playbook.
  statement {
    #checkov:skip=CKV_AWS_356:A read-only call that knows no resources
    sid       = "Inventory"
    actions   = ["ec2:DescribeInstances"]
    resources = ["*"]
  }

  statement {
    sid       = "PlatformDocument"
    actions   = ["ssm:GetParameter"]
    resources = ["${local.parameters}/platform"]
  }
}
