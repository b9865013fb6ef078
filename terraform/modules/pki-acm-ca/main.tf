data "aws_partition" "this" {}

# Two CAs, because whoever holds a certificate of a CA that NiFi trusts can be anybody its name says:
# users are signed by one, nodes and proxies by the other, and NiFi trusts the second only.
locals {
  cas = {
    users    = { name = "${var.env}-acm-pca", mode = "GENERAL_PURPOSE", years = var.users_ca_years }
    services = { name = "${var.env}-acm-pca-services", mode = "SHORT_LIVED_CERTIFICATE", years = var.services_ca_years }
  }
}

resource "aws_acmpca_certificate_authority" "this" {
  for_each = local.cas

  type                            = "ROOT"
  usage_mode                      = each.value.mode
  permanent_deletion_time_in_days = var.deletion_window_days

  certificate_authority_configuration {
    key_algorithm     = "EC_prime256v1"
    signing_algorithm = "SHA256WITHECDSA"

    subject {
      common_name  = each.value.name
      organization = var.organization
    }
  }

  # A short-lived CA writes no lists: its certificates lapse within a week.
  dynamic "revocation_configuration" {
    for_each = each.key == "users" ? [1] : []

    content {
      crl_configuration {
        enabled            = true
        expiration_in_days = var.crl_days
        s3_bucket_name     = var.certificates_bucket
        s3_object_acl      = "BUCKET_OWNER_FULL_CONTROL"
      }
    }
  }

  tags = { Name = each.value.name }
}

resource "aws_acmpca_certificate" "this" {
  for_each = local.cas

  certificate_authority_arn   = aws_acmpca_certificate_authority.this[each.key].arn
  certificate_signing_request = aws_acmpca_certificate_authority.this[each.key].certificate_signing_request
  signing_algorithm           = "SHA256WITHECDSA"
  template_arn                = "arn:${data.aws_partition.this.partition}:acm-pca:::template/RootCACertificate/V1"

  validity {
    type  = "YEARS"
    value = each.value.years
  }
}

resource "aws_acmpca_certificate_authority_certificate" "this" {
  for_each = local.cas

  certificate_authority_arn = aws_acmpca_certificate_authority.this[each.key].arn
  certificate               = aws_acmpca_certificate.this[each.key].certificate
  certificate_chain         = aws_acmpca_certificate.this[each.key].certificate_chain
}

# What the balancer's trust store is made of: public certificates.
resource "aws_s3_object" "users_ca" {
  #checkov:skip=CKV_AWS_186:A public certificate in a bucket that a load balancer reads
  bucket       = var.certificates_bucket
  key          = "trust-store/users-ca.pem"
  content      = aws_acmpca_certificate.this["users"].certificate
  content_type = "application/x-pem-file"

  depends_on = [aws_acmpca_certificate_authority_certificate.this]
}
