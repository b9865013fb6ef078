# What the operator's stages and rotations ask of AWS on the machine that runs them, beside certificates (policies.tf) and sessions (operator.tf).
# What hosts ask for themselves is their own roles' business.
locals {
  queues = "arn:${local.partition}:sqs:${var.region}:${local.account_id}:dataplatform-${var.env}-verification-*"
}

data "aws_iam_policy_document" "operator_stages" {
  # Configuration and rotation: Airflow's keys and its login. Pipelines: the DAGs' settings.
  statement {
    sid = "AirflowSecrets"
    actions = [
      for action in [
        "CreateSecret", "DescribeSecret", "GetResourcePolicy", "GetSecretValue", "PutSecretValue", "RestoreSecret", "TagResource",
        "UntagResource", "UpdateSecret",
      ] : "secretsmanager:${action}"
    ]
    resources = ["${local.secrets}/airflow/*"]
  }

  # Makes Airflow's login in the database, and gives it another password.
  statement {
    sid       = "DatabaseAdministrator"
    actions   = ["secretsmanager:GetSecretValue"]
    resources = [var.database_secret_arn]
  }

  # Pipelines, and the DAG that a verification puts there for a moment.
  statement {
    sid       = "PublishCode"
    actions   = ["s3:DeleteObject", "s3:GetObject", "s3:PutObject"]
    resources = ["${var.bucket_arns["dags"]}/*", "${var.bucket_arns["artifacts"]}/jobs/*"]
  }

  # Configuration: Airflow's wheels, whose tags amazon.aws.s3_object reads. Verification: files that land.
  statement {
    sid       = "PublishWheelsAndData"
    actions   = ["s3:GetObject", "s3:GetObjectTagging", "s3:PutObject"]
    resources = [for prefix in ["airflow", "landing"] : "${var.bucket_arns["artifacts"]}/${prefix}/*"]
  }

  # Verification counts the rows of what landed, and reads those of the tables from their metadata.
  statement {
    sid     = "CountRows"
    actions = ["s3:GetObject"]
    resources = concat(
      ["${var.bucket_arns["bronze"]}/*"],
      [for layer in ["silver", "gold"] : "${var.bucket_arns[layer]}/warehouse/*/metadata/*"],
    )
  }

  statement {
    sid       = "ListTables"
    actions   = ["glue:GetTables"]
    resources = concat([local.glue.catalog], local.glue.read)
  }

  # Verification hears the alert of a late run with a queue of its own, and sees that it hears nobody else's.
  statement {
    sid = "OwnQueue"
    actions = [
      for action in ["CreateQueue", "DeleteQueue", "GetQueueAttributes", "ReceiveMessage", "SetQueueAttributes"] : "sqs:${action}"
    ]
    resources = [local.queues]
  }

  statement {
    sid       = "HearDeadlines"
    actions   = ["sns:Subscribe"]
    resources = [var.deadline_topic_arn]

    condition {
      test     = "StringLike"
      variable = "sns:Endpoint"
      values   = [local.queues]
    }
  }

  statement {
    sid       = "SeeWhoHears"
    actions   = ["sns:ListSubscriptionsByTopic"]
    resources = [var.deadline_topic_arn]
  }

  # Neither call knows resources. https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonsns.html, list_amazonsqs.html
  statement {
    #checkov:skip=CKV_AWS_111:Calls that know no resources, in this region only
    #checkov:skip=CKV_AWS_356:Calls that know no resources, in this region only
    sid       = "RemoveQueues"
    actions   = ["sns:Unsubscribe", "sqs:ListQueues"]
    resources = ["*"]

    condition {
      test     = "StringEquals"
      variable = "aws:RequestedRegion"
      values   = [var.region]
    }
  }

  # Verification sees by IAM's policies that Airflow needs its trigger role.
  statement {
    sid = "ReadAirflowsRoles"
    actions = [
      for action in [
        "GetInstanceProfile", "GetPolicy", "GetPolicyVersion", "GetRole", "GetRolePolicy", "ListAttachedRolePolicies", "ListRolePolicies",
      ] : "iam:${action}"
    ]
    resources = concat(
      [for name in ["role/${var.env}-airflow-instance", "role/${var.env}-nifi-trigger", "instance-profile/${var.env}-airflow-instance"] :
      "arn:${local.partition}:iam::${local.account_id}:${name}"],
      ["arn:${local.partition}:iam::aws:policy/AmazonSSMManagedInstanceCore"],
    )
  }

  # Configuration waits for the balancer; verification reads who may reach which port. (elb_target_group_info asks for attributes and tags too.)
  statement {
    #checkov:skip=CKV_AWS_356:Read-only calls that know no resources
    sid = "LookAtTargetsAndPorts"
    actions = [
      "ec2:DescribeSecurityGroupRules", "elasticloadbalancing:DescribeTags", "elasticloadbalancing:DescribeTargetGroupAttributes",
      "elasticloadbalancing:DescribeTargetGroups",
    ]
    resources = ["*"]
  }
}
