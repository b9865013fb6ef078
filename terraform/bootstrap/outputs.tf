output "state_bucket" {
  description = "Bucket of all Terraform states of this account."
  value       = aws_s3_bucket.state.id
}

output "state_key_arn" {
  description = "KMS key that encrypts them."
  value       = aws_kms_key.state.arn
}
