output "users_ca_arn" {
  description = "ARN of the CA that signs users."
  value       = aws_acmpca_certificate_authority.this["users"].arn

  depends_on = [aws_acmpca_certificate_authority_certificate.this]
}

output "services_ca_arn" {
  description = "ARN of the CA that signs nodes and proxies (at most 7 days)."
  value       = aws_acmpca_certificate_authority.this["services"].arn

  depends_on = [aws_acmpca_certificate_authority_certificate.this]
}

output "trust_store_bundle" {
  description = "Where the users' CA certificate lies for the balancer's trust store: bucket, key, version."
  value = {
    bucket  = aws_s3_object.users_ca.bucket
    key     = aws_s3_object.users_ca.key
    version = aws_s3_object.users_ca.version_id
  }
}

output "crl" {
  description = "Where the users' revocation list lies: bucket and key prefix."
  value       = { bucket = var.certificates_bucket, prefix = "crl/" }
}

output "issue_users_policy" {
  description = "IAM policy (JSON) of whoever issues user certificates."
  value       = data.aws_iam_policy_document.issue_users.json
}

output "issue_services_policy" {
  description = "IAM policy (JSON) of hosts that issue their own node and proxy certificates."
  value       = data.aws_iam_policy_document.issue_services.json
}
