locals {
  state_bucket = "arn:${local.partition}:s3:::dataplatform-tfstate-${local.account_id}-${var.region}"
  state_key    = "alias/dataplatform-tfstate"
  keys         = "arn:${local.partition}:kms:${var.region}:${local.account_id}:key/*"

  own_buckets = [
    for name in ["dl-${var.env}-*", "nifi-${var.env}-certs-*", "dataplatform-${var.env}-*"] : "arn:${local.partition}:s3:::${name}"
  ]

  own_roles = [
    "arn:${local.partition}:iam::${local.account_id}:role/${var.env}-*",
    "arn:${local.partition}:iam::${local.account_id}:instance-profile/${var.env}-*",
  ]

  # Nothing of these is a secret: settings, names, states. Values of secrets and objects are not among them.
  reads = [
    "acm-pca:Describe*", "acm-pca:Get*", "acm-pca:List*", "acm:Describe*", "acm:List*", "autoscaling:Describe*",
    "cloudwatch:Describe*", "cloudwatch:GetDashboard", "cloudwatch:List*", "ec2:Describe*", "ec2:Get*", "elasticloadbalancing:Describe*",
    "elasticloadbalancing:Get*", "emr-serverless:Get*", "emr-serverless:List*", "glue:GetDatabase", "glue:GetTags", "iam:Get*", "iam:List*", "kms:Describe*", "kms:GetKeyPolicy", "kms:GetKeyRotationStatus",
    "kms:List*", "logs:Describe*", "logs:List*", "rds:Describe*", "rds:ListTagsForResource", "route53:Get*", "route53:List*", "s3:GetAccelerateConfiguration", "s3:GetBucket*",
    "s3:GetEncryptionConfiguration", "s3:GetLifecycleConfiguration", "s3:GetReplicationConfiguration", "s3:ListAllMyBuckets",
    "s3:ListBucket", "sns:Get*", "sns:List*", "ssm:DescribeParameters", "ssm:ListTagsForResource", "sts:GetCallerIdentity",
  ]

  # What the modules make where AWS names the thing only when it is made, or knows no resources for the call.
  writes = [
    "acm-pca:CreateCertificateAuthority", "acm-pca:CreatePermission", "acm-pca:DeleteCertificateAuthority",
    "acm-pca:DeletePermission", "acm-pca:ImportCertificateAuthorityCertificate", "acm-pca:RestoreCertificateAuthority",
    "acm-pca:TagCertificateAuthority", "acm-pca:UntagCertificateAuthority", "acm-pca:UpdateCertificateAuthority",
    "acm:AddTagsToCertificate", "acm:DeleteCertificate", "acm:RequestCertificate",
    "ec2:AllocateAddress", "ec2:Associate*", "ec2:AttachInternetGateway", "ec2:Authorize*", "ec2:Create*", "ec2:Delete*",
    "ec2:DetachInternetGateway", "ec2:Disassociate*", "ec2:ModifyLaunchTemplate", "ec2:ModifySecurityGroupRules",
    "ec2:ModifySubnetAttribute", "ec2:ModifyVpc*", "ec2:ReleaseAddress", "ec2:ReplaceRoute*", "ec2:Revoke*", "ec2:RunInstances",
    "ec2:TerminateInstances", "ec2:UpdateSecurityGroup*",
    "elasticloadbalancing:Add*", "elasticloadbalancing:Create*", "elasticloadbalancing:Delete*", "elasticloadbalancing:Modify*",
    "elasticloadbalancing:RemoveTags", "elasticloadbalancing:Set*",
    "emr-serverless:CancelJobRun", "emr-serverless:CreateApplication", "emr-serverless:DeleteApplication", "emr-serverless:StopApplication",
    "emr-serverless:TagResource", "emr-serverless:UntagResource", "emr-serverless:UpdateApplication",
    "kms:CreateAlias", "kms:CreateGrant", "kms:CreateKey", "kms:DeleteAlias", "kms:EnableKeyRotation", "kms:PutKeyPolicy",
    "kms:ScheduleKeyDeletion", "kms:TagResource", "kms:UntagResource", "kms:UpdateAlias", "kms:UpdateKeyDescription",
    "logs:CreateLogDelivery", "logs:DeleteLogDelivery", "sns:Unsubscribe",
  ]
}

# Reads the state and holds its lock; both roles need that.
data "aws_iam_policy_document" "state" {
  source_policy_documents = [data.aws_iam_policy_document.state_key.json]

  statement {
    sid       = "State"
    actions   = ["s3:GetObject"]
    resources = ["${local.state_bucket}/${var.env}/*", "${local.state_bucket}/bootstrap/*"]
  }

  statement {
    sid       = "StateLock"
    actions   = ["s3:DeleteObject", "s3:PutObject"]
    resources = ["${local.state_bucket}/${var.env}/terraform.tfstate.tflock"]
  }
}

data "aws_iam_policy_document" "plan" {
  #checkov:skip=CKV_AWS_356:Describing knows no resources, or is needed for all of them
  source_policy_documents = [data.aws_iam_policy_document.state.json]

  statement {
    sid       = "ReadSettings"
    actions   = local.reads
    resources = ["*"]
  }

  # What Terraform puts there itself: public certificates, packages, code.
  statement {
    sid     = "ReadOwnObjects"
    actions = ["s3:GetObject", "s3:GetObjectTagging", "s3:GetObjectVersion"]
    resources = concat(
      ["${var.bucket_arns["certificates"]}/trust-store/*", "${var.bucket_arns["dags"]}/*"],
      [for prefix in ["agents", "jobs"] : "${var.bucket_arns["artifacts"]}/${prefix}/*"],
    )
  }

  statement {
    sid       = "ReadEncryptedObjects"
    actions   = ["kms:Decrypt"]
    resources = [var.data_key_arn]
  }

  statement {
    sid       = "ReadParameters"
    actions   = ["ssm:GetParameter", "ssm:GetParameters"]
    resources = ["${local.parameters}/*", "arn:${local.partition}:ssm:${var.region}::parameter/aws/service/*"]
  }
}

data "aws_iam_policy_document" "apply" {
  #checkov:skip=CKV_AWS_109:Limited to the environment's names, the region and calls without resources
  #checkov:skip=CKV_AWS_110:It makes the platform's roles; a GitHub environment with approval stands before it
  #checkov:skip=CKV_AWS_111:Limited to the environment's names, the region and calls without resources
  #checkov:skip=CKV_AWS_356:Limited to the environment's names, the region and calls without resources
  source_policy_documents = [data.aws_iam_policy_document.plan.json, data.aws_iam_policy_document.run_lease.json]

  # Below plans/ it marks each approved plan as used.
  statement {
    sid       = "WriteState"
    actions   = ["s3:PutObject"]
    resources = [for key in ["terraform.tfstate", "plans/*"] : "${local.state_bucket}/${var.env}/${key}"]
  }

  statement {
    sid       = "WriteEncryptedObjects"
    actions   = ["kms:GenerateDataKey"]
    resources = [var.data_key_arn]
  }

  statement {
    sid       = "MakeInThisRegion"
    actions   = local.writes
    resources = ["*"]

    condition {
      test     = "StringEquals"
      variable = "aws:RequestedRegion"
      values   = [var.region]
    }
  }

  statement {
    sid       = "SelfSignTheCas"
    actions   = ["acm-pca:IssueCertificate"]
    resources = ["arn:${local.partition}:acm-pca:${var.region}:${local.account_id}:certificate-authority/*"]

    condition {
      test     = "StringEquals"
      variable = "acm-pca:TemplateArn"
      values   = ["arn:${local.partition}:acm-pca:::template/RootCACertificate/V1"]
    }
  }

  # The provider revokes a certificate before it forgets it; of a root it takes AWS's refusal, of a missing permission not.
  statement {
    sid       = "ReplaceTheirCertificates"
    actions   = ["acm-pca:RevokeCertificate"]
    resources = ["arn:${local.partition}:acm-pca:${var.region}:${local.account_id}:certificate-authority/*"]
  }

  statement {
    sid = "Buckets"
    actions = [
      "s3:CreateBucket", "s3:DeleteBucket", "s3:DeleteBucketPolicy", "s3:DeleteObject", "s3:DeleteObjectVersion",
      "s3:ListBucketVersions", "s3:PutBucket*", "s3:PutEncryptionConfiguration", "s3:PutLifecycleConfiguration", "s3:PutObject",
      "s3:PutObjectTagging",
    ]
    resources = concat(local.own_buckets, [for arn in local.own_buckets : "${arn}/*"])
  }

  statement {
    sid = "HostGroups"
    actions = [
      "autoscaling:AttachLoadBalancerTargetGroups", "autoscaling:CancelInstanceRefresh", "autoscaling:CreateAutoScalingGroup",
      "autoscaling:CreateOrUpdateTags", "autoscaling:DeleteAutoScalingGroup", "autoscaling:DeleteTags",
      "autoscaling:DetachLoadBalancerTargetGroups", "autoscaling:DisableMetricsCollection", "autoscaling:EnableMetricsCollection",
      "autoscaling:ResumeProcesses", "autoscaling:SetInstanceProtection", "autoscaling:StartInstanceRefresh",
      "autoscaling:SuspendProcesses", "autoscaling:UpdateAutoScalingGroup",
    ]
    resources = [
      "arn:${local.partition}:autoscaling:${var.region}:${local.account_id}:autoScalingGroup:*:autoScalingGroupName/${var.env}-*",
    ]
  }

  statement {
    sid = "LogsAlarmsParameters"
    actions = [
      "cloudwatch:DeleteAlarms", "cloudwatch:DeleteDashboards", "cloudwatch:PutDashboard", "cloudwatch:PutMetricAlarm",
      "cloudwatch:TagResource", "cloudwatch:UntagResource",
      "logs:AssociateKmsKey", "logs:CreateLogGroup", "logs:DeleteLogGroup", "logs:PutRetentionPolicy", "logs:TagResource",
      "logs:UntagResource", "sns:CreateTopic", "sns:DeleteTopic", "sns:SetTopicAttributes", "sns:Subscribe", "sns:TagResource",
      "sns:UntagResource", "ssm:AddTagsToResource", "ssm:DeleteParameter", "ssm:PutParameter",
      "ssm:RemoveTagsFromResource",
    ]
    resources = [
      "arn:${local.partition}:cloudwatch:${var.region}:${local.account_id}:alarm:${var.env}-*",
      "arn:${local.partition}:cloudwatch::${local.account_id}:dashboard/${var.env}-*",
      "${local.log_groups}/*",
      "arn:${local.partition}:logs:${var.region}:${local.account_id}:log-group:/aws/rds/instance/${var.env}-*",
      "arn:${local.partition}:sns:${var.region}:${local.account_id}:${var.env}-*",
      "${local.parameters}/*",
    ]
  }

  statement {
    sid = "Database"
    actions = [
      "rds:AddTagsToResource", "rds:CreateDBInstance", "rds:CreateDBParameterGroup", "rds:CreateDBSnapshot", "rds:CreateDBSubnetGroup",
      "rds:DeleteDBInstance", "rds:DeleteDBParameterGroup", "rds:DeleteDBSubnetGroup", "rds:ModifyDBInstance",
      "rds:ModifyDBParameterGroup", "rds:ModifyDBSubnetGroup", "rds:RebootDBInstance", "rds:RemoveTagsFromResource",
      "rds:ResetDBParameterGroup",
    ]
    resources = concat(
      [for kind in ["db", "pg", "snapshot", "subgrp"] : "arn:${local.partition}:rds:${var.region}:${local.account_id}:${kind}:${var.env}-*"],
      ["arn:${local.partition}:rds:${var.region}:${local.account_id}:og:default*"],
    )
  }

  # RDS makes the master password's secret on the caller's behalf; reading it is another permission.
  # https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/rds-secrets-manager.html
  statement {
    sid       = "DatabaseSecret"
    actions   = ["secretsmanager:CreateSecret", "secretsmanager:TagResource"]
    resources = ["arn:${local.partition}:secretsmanager:${var.region}:${local.account_id}:secret:rds!*"]
  }

  statement {
    sid     = "Catalog"
    actions = ["glue:CreateDatabase", "glue:DeleteDatabase", "glue:TagResource", "glue:UntagResource", "glue:UpdateDatabase"]
    resources = [
      local.glue.catalog, "${local.glue_arn}:database/${var.env}_*", "${local.glue_arn}:table/${var.env}_*/*",
      "${local.glue_arn}:userDefinedFunction/${var.env}_*/*",
    ]
  }

  statement {
    sid       = "Names"
    actions   = ["route53:ChangeResourceRecordSets"]
    resources = ["arn:${local.partition}:route53:::hostedzone/*"]
  }

  # An interface endpoint with private names comes with a hosted zone, which EC2 associates on the caller's behalf.
  statement {
    sid       = "EndpointNames"
    actions   = ["route53:AssociateVPCWithHostedZone"]
    resources = ["*"]
  }

  statement {
    sid = "Roles"
    actions = [
      "iam:AddRoleToInstanceProfile", "iam:CreateInstanceProfile", "iam:CreateRole", "iam:DeleteInstanceProfile", "iam:DeleteRole",
      "iam:DeleteRolePolicy", "iam:PutRolePolicy", "iam:RemoveRoleFromInstanceProfile", "iam:TagInstanceProfile", "iam:TagRole",
      "iam:UntagInstanceProfile", "iam:UntagRole", "iam:UpdateAssumeRolePolicy", "iam:UpdateRole", "iam:UpdateRoleDescription",
    ]
    resources = local.own_roles
  }

  # Of AWS's own policies only the one the modules use: not AdministratorAccess.
  statement {
    sid       = "AttachSessionManager"
    actions   = ["iam:AttachRolePolicy", "iam:DetachRolePolicy"]
    resources = local.own_roles

    condition {
      test     = "ArnEquals"
      variable = "iam:PolicyARN"
      values   = ["arn:${local.partition}:iam::aws:policy/AmazonSSMManagedInstanceCore"]
    }
  }

  statement {
    sid       = "HandRolesToServices"
    actions   = ["iam:PassRole"]
    resources = local.own_roles

    condition {
      test     = "StringEquals"
      variable = "iam:PassedToService"
      values   = ["ec2.amazonaws.com", "vpc-flow-logs.amazonaws.com"]
    }
  }

  statement {
    sid       = "ServicesOwnRoles"
    actions   = ["iam:CreateServiceLinkedRole"]
    resources = ["arn:${local.partition}:iam::${local.account_id}:role/aws-service-role/*"]

    condition {
      test     = "StringEquals"
      variable = "iam:AWSServiceName"
      values = [
        "autoscaling.amazonaws.com", "elasticloadbalancing.amazonaws.com", "ops.emr-serverless.amazonaws.com", "rds.amazonaws.com",
      ]
    }
  }
}
