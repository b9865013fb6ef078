output "application" {
  description = "EMR Serverless application: id, name, ARN, release label."
  value = {
    name          = aws_emrserverless_application.this.name
    id            = aws_emrserverless_application.this.id
    arn           = aws_emrserverless_application.this.arn
    release_label = aws_emrserverless_application.this.release_label
  }
}

output "jobs_prefix" {
  description = "Where job artifacts lie in the artifacts bucket."
  value       = local.jobs
}

output "logs_uri" {
  description = "Where jobs write their logs."
  value       = "s3://${var.buckets["logs"]}/emr-serverless/"
}

output "databases" {
  description = "Glue databases by layer."
  value       = { for layer, database in aws_glue_catalog_database.this : layer => database.name }
}

output "warehouses" {
  description = "Where a layer's tables lie: silver, gold."
  value       = { for layer in ["silver", "gold"] : layer => local.locations[layer] }
}

output "databricks" {
  description = "Role of the storage credential and instance profile of clusters for Databricks; null when there is none."
  value = var.databricks == null ? null : {
    role_arn             = aws_iam_role.databricks["this"].arn
    instance_profile_arn = aws_iam_instance_profile.databricks_clusters["this"].arn
  }
}
