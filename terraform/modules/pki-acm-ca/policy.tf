# Who may have which template signed by which CA. IAM can limit the template, not the subject: reserved names are refused by
# request validation, the issuer and the edge.
locals {
  template = "arn:${data.aws_partition.this.partition}:acm-pca:::template"
}

data "aws_iam_policy_document" "issue_users" {
  statement {
    sid       = "IssueClientCertificates"
    actions   = ["acm-pca:IssueCertificate"]
    resources = [aws_acmpca_certificate_authority.this["users"].arn]

    condition {
      test     = "StringEquals"
      variable = "acm-pca:TemplateArn"
      values   = ["${local.template}/EndEntityClientAuthCertificate/V1"]
    }
  }

  statement {
    sid = "ReadAndRevoke"
    actions = [
      "acm-pca:DescribeCertificateAuthority",
      "acm-pca:GetCertificate",
      "acm-pca:GetCertificateAuthorityCertificate",
      "acm-pca:RevokeCertificate",
    ]
    resources = [aws_acmpca_certificate_authority.this["users"].arn]
  }
}

data "aws_iam_policy_document" "issue_services" {
  statement {
    sid       = "IssueNodeAndProxyCertificates"
    actions   = ["acm-pca:IssueCertificate"]
    resources = [aws_acmpca_certificate_authority.this["services"].arn]

    condition {
      test     = "StringEquals"
      variable = "acm-pca:TemplateArn"
      values   = ["${local.template}/EndEntityCertificate/V1", "${local.template}/EndEntityClientAuthCertificate/V1"]
    }
  }

  statement {
    sid = "Read"
    actions = [
      "acm-pca:DescribeCertificateAuthority",
      "acm-pca:GetCertificate",
      "acm-pca:GetCertificateAuthorityCertificate",
    ]
    resources = [aws_acmpca_certificate_authority.this["services"].arn]
  }
}
