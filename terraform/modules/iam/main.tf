data "aws_caller_identity" "this" {}
data "aws_partition" "this" {}

locals {
  account_id = data.aws_caller_identity.this.account_id
  partition  = data.aws_partition.this.partition
  secrets    = "arn:${local.partition}:secretsmanager:${var.region}:${local.account_id}:secret:dataplatform/${var.env}"
  parameters = "arn:${local.partition}:ssm:${var.region}:${local.account_id}:parameter/dataplatform/${var.env}"
  log_groups = "arn:${local.partition}:logs:${var.region}:${local.account_id}:log-group:/dataplatform/${var.env}"
}

data "aws_iam_policy_document" "ec2_trust" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["ec2.amazonaws.com"]
    }
  }
}

# People and pipelines of this account; who may assume what is the account's own IAM.
data "aws_iam_policy_document" "account_trust" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "AWS"
      identifiers = ["arn:${local.partition}:iam::${local.account_id}:root"]
    }
  }
}

# NiFi hosts: their own certificates and keystore, their archive, the lake's bronze layer, logs and metrics, Session Manager.
resource "aws_iam_role" "nifi" {
  name               = "${var.env}-nifi-instance"
  description        = "NiFi hosts"
  assume_role_policy = data.aws_iam_policy_document.ec2_trust.json
}

resource "aws_iam_instance_profile" "nifi" {
  name = aws_iam_role.nifi.name
  role = aws_iam_role.nifi.name
}

resource "aws_iam_role_policy" "nifi" {
  name   = "nifi"
  role   = aws_iam_role.nifi.id
  policy = data.aws_iam_policy_document.nifi.json
}

resource "aws_iam_role_policy" "nifi_certificates" {
  name   = "services-certificates"
  role   = aws_iam_role.nifi.id
  policy = var.issue_services_policy
}

resource "aws_iam_role_policy_attachment" "nifi_ssm" {
  role       = aws_iam_role.nifi.name
  policy_arn = "arn:${local.partition}:iam::aws:policy/AmazonSSMManagedInstanceCore"
}

# Issues, renews and revokes user certificates. May write secrets and not read them.
resource "aws_iam_role" "issuer" {
  name               = "${var.env}-certificate-issuer"
  description        = "Issues and revokes user certificates"
  assume_role_policy = data.aws_iam_policy_document.account_trust.json
}

resource "aws_iam_role_policy" "issuer" {
  name   = "issue"
  role   = aws_iam_role.issuer.id
  policy = data.aws_iam_policy_document.issuer.json
}

# Hands a user's keystore over, where the request names no principal of its own.
resource "aws_iam_role" "pickup" {
  name               = "${var.env}-certificate-pickup"
  description        = "Reads issued keystores to hand them over"
  assume_role_policy = data.aws_iam_policy_document.account_trust.json
}

resource "aws_iam_role_policy" "pickup" {
  name   = "pickup"
  role   = aws_iam_role.pickup.id
  policy = data.aws_iam_policy_document.pickup.json
}
