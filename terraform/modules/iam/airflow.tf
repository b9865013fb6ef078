# From the names, so that a plan shows the policies of roles that are yet to be made.
locals {
  nifi_trigger_arn = "arn:${local.partition}:iam::${local.account_id}:role/${var.env}-nifi-trigger"
  spark_arn        = "arn:${local.partition}:iam::${local.account_id}:role/${var.env}-spark-execution"
}

# Airflow hosts: their own secrets, DAGs, the lake to look at, Spark jobs to start, deadlines to tell, logs and metrics, Session Manager.
data "aws_iam_policy_document" "airflow_trust" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "AWS"
      identifiers = [aws_iam_role.airflow.arn]
    }
  }
}

resource "aws_iam_role" "airflow" {
  name               = "${var.env}-airflow-instance"
  description        = "Airflow hosts"
  assume_role_policy = data.aws_iam_policy_document.ec2_trust.json
}

resource "aws_iam_instance_profile" "airflow" {
  name = aws_iam_role.airflow.name
  role = aws_iam_role.airflow.name
}

resource "aws_iam_role_policy" "airflow" {
  name   = "airflow"
  role   = aws_iam_role.airflow.id
  policy = data.aws_iam_policy_document.airflow.json
}

resource "aws_iam_role_policy_attachment" "airflow_ssm" {
  role       = aws_iam_role.airflow.name
  policy_arn = "arn:${local.partition}:iam::aws:policy/AmazonSSMManagedInstanceCore"
}

# What Airflow assumes to trigger NiFi: it logs in through the balancer like everybody, with the certificate of a service request.
resource "aws_iam_role" "nifi_trigger" {
  name               = "${var.env}-nifi-trigger"
  description        = "Airflow: reads the one client certificate with which it calls NiFi"
  assume_role_policy = data.aws_iam_policy_document.airflow_trust.json
}

resource "aws_iam_role_policy" "nifi_trigger" {
  name   = "certificate"
  role   = aws_iam_role.nifi_trigger.id
  policy = data.aws_iam_policy_document.nifi_trigger.json
}

data "aws_iam_policy_document" "nifi_trigger" {
  statement {
    sid       = "OneCertificate"
    actions   = ["secretsmanager:GetSecretValue"]
    resources = ["${local.secrets}/users/airflow/*"]
  }
}

data "aws_iam_policy_document" "airflow" {
  source_policy_documents = [data.aws_iam_policy_document.metrics.json]

  statement {
    sid       = "TriggerNifi"
    actions   = ["sts:AssumeRole"]
    resources = [local.nifi_trigger_arn]
  }

  # Configuration, connections and variables; not the database's master password, and no user's certificate.
  statement {
    sid       = "OwnSecrets"
    actions   = ["secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue"]
    resources = ["${local.secrets}/airflow/*"]
  }

  statement {
    sid     = "Read"
    actions = ["s3:GetObject"]
    resources = concat(
      [for name in ["dags", "bronze", "silver", "gold"] : "${var.bucket_arns[name]}/*"],
      [for prefix in ["agents", "airflow"] : "${var.bucket_arns["artifacts"]}/${prefix}/*"],
    )
  }

  statement {
    sid       = "RevokedSerials"
    actions   = ["s3:GetObject"]
    resources = ["${var.bucket_arns["certificates"]}/revocations/*"]
  }

  statement {
    sid       = "List"
    actions   = ["s3:ListBucket"]
    resources = [for name in ["dags", "bronze", "silver", "gold", "certificates", "artifacts"] : var.bucket_arns[name]]
  }

  statement {
    sid       = "TaskLogsAndBackups"
    actions   = ["s3:GetObject", "s3:PutObject"]
    resources = ["${var.bucket_arns["logs"]}/airflow/*"]
  }

  statement {
    sid       = "ListTaskLogsAndBackups"
    actions   = ["s3:ListBucket"]
    resources = [var.bucket_arns["logs"]]

    condition {
      test     = "StringLike"
      variable = "s3:prefix"
      values   = ["airflow/*"]
    }
  }

  statement {
    sid       = "DataKey"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
    resources = [var.data_key_arn]
  }

  statement {
    sid       = "ReadCatalog"
    actions   = local.glue_reads
    resources = concat([local.glue.catalog], local.glue.read)
  }

  statement {
    sid       = "StartSpark"
    actions   = ["emr-serverless:GetApplication", "emr-serverless:ListJobRuns", "emr-serverless:StartApplication", "emr-serverless:StartJobRun"]
    resources = [var.spark_application_arn]
  }

  statement {
    sid       = "FollowSpark"
    actions   = ["emr-serverless:CancelJobRun", "emr-serverless:GetDashboardForJobRun", "emr-serverless:GetJobRun"]
    resources = ["${var.spark_application_arn}/jobruns/*"]
  }

  statement {
    sid       = "HandRoleToSpark"
    actions   = ["iam:PassRole"]
    resources = [local.spark_arn]

    condition {
      test     = "StringEquals"
      variable = "iam:PassedToService"
      values   = ["emr-serverless.amazonaws.com"]
    }
  }

  statement {
    sid       = "TellDeadlines"
    actions   = ["sns:Publish"]
    resources = [var.deadline_topic_arn]
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
    actions   = ["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:GetLogEvents", "logs:PutLogEvents"]
    resources = ["${local.log_groups}/airflow:*"]
  }
}
