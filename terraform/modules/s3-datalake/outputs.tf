output "buckets" {
  description = "Bucket names by purpose: bronze, silver, gold, certificates, artifacts, logs."
  value       = { for name, bucket in aws_s3_bucket.this : name => bucket.id }

  # Whoever writes into a bucket has to find its policy in place (CRLs, access logs).
  depends_on = [aws_s3_bucket_policy.this, aws_s3_bucket_server_side_encryption_configuration.this]
}

output "bucket_arns" {
  description = "Bucket ARNs by purpose."
  value       = local.arns
}

output "data_key_arn" {
  description = "ARN of the KMS key for data at rest."
  value       = aws_kms_key.this.arn
}
