# Two roles, because a plan runs code of a change that nobody has approved yet: it may look, and never touch. The operator (operator.tf) is
# trusted in the same way.
locals {
  # GitHub puts the environment of a job into the token's subject; which branches may use an environment is decided there.
  # https://docs.github.com/en/actions/reference/security/oidc
  github = var.github_repository == null ? {} : {
    plan    = "repo:${var.github_repository}:environment:${var.env}-plan"
    apply   = "repo:${var.github_repository}:environment:${var.env}"
    operate = "repo:${var.github_repository}:environment:${var.env}-operate"
  }
}

data "aws_iam_policy_document" "deployer_trust" {
  for_each = toset(["plan", "apply", "operate"])

  source_policy_documents = [data.aws_iam_policy_document.account_trust.json]

  dynamic "statement" {
    for_each = contains(keys(local.github), each.key) ? [local.github[each.key]] : []

    content {
      actions = ["sts:AssumeRoleWithWebIdentity"]

      principals {
        type        = "Federated"
        identifiers = ["arn:${local.partition}:iam::${local.account_id}:oidc-provider/token.actions.githubusercontent.com"]
      }

      condition {
        test     = "StringEquals"
        variable = "token.actions.githubusercontent.com:aud"
        values   = ["sts.amazonaws.com"]
      }

      condition {
        test     = "StringEquals"
        variable = "token.actions.githubusercontent.com:sub"
        values   = [statement.value]
      }
    }
  }
}

resource "aws_iam_role" "deployer" {
  for_each = toset(["plan", "apply"])

  name               = "${var.env}-deployer-${each.key}"
  description        = each.key == "plan" ? "Reads what Terraform declares, changes nothing" : "Builds and changes the platform"
  assume_role_policy = data.aws_iam_policy_document.deployer_trust[each.key].json
}

resource "aws_iam_role_policy" "deployer" {
  for_each = {
    plan  = data.aws_iam_policy_document.plan.json
    apply = data.aws_iam_policy_document.apply.json
  }

  name   = each.key
  role   = aws_iam_role.deployer[each.key].id
  policy = each.value
}
