resource "aws_cloudwatch_log_group" "flow" {
  #checkov:skip=CKV_AWS_338:How long is a value of the environment
  #checkov:skip=CKV_AWS_158:The key is a value; without one the service encrypts with its own
  name              = "/dataplatform/${var.env}/vpc-flow"
  retention_in_days = var.flow_log_days
  kms_key_id        = var.log_key_arn
}

data "aws_iam_policy_document" "flow_trust" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["vpc-flow-logs.amazonaws.com"]
    }
  }
}

data "aws_iam_policy_document" "flow" {
  statement {
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents", "logs:DescribeLogStreams"]
    resources = ["${aws_cloudwatch_log_group.flow.arn}:*"]
  }

  # Describing log groups knows no resources.
  # https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-iam-role.html
  statement {
    #checkov:skip=CKV_AWS_356:A read-only call that knows no resources
    actions   = ["logs:DescribeLogGroups"]
    resources = ["*"]
  }
}

resource "aws_iam_role" "flow" {
  name               = "${var.env}-vpc-flow-logs"
  description        = "Writes the VPC's flow logs"
  assume_role_policy = data.aws_iam_policy_document.flow_trust.json
}

resource "aws_iam_role_policy" "flow" {
  name   = "write"
  role   = aws_iam_role.flow.id
  policy = data.aws_iam_policy_document.flow.json
}

resource "aws_flow_log" "this" {
  vpc_id          = aws_vpc.this.id
  traffic_type    = "ALL"
  log_destination = aws_cloudwatch_log_group.flow.arn
  iam_role_arn    = aws_iam_role.flow.arn

  tags = { Name = "${var.env}-vpc" }

  depends_on = [aws_iam_role_policy.flow]
}
