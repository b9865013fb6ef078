# Roles of one environment; a repository's workflows may plan and apply.
terraform {
  required_version = ">= 1.11.1"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.100"
    }
  }
}

provider "aws" {
  region = "eu-central-1"
}

locals {
  buckets = { for name in ["bronze", "silver", "gold", "certificates", "artifacts", "logs", "dags"] : name => "arn:aws:s3:::example-dev-${name}" }
  allow_nothing = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Deny", Action = "acm-pca:IssueCertificate", Resource = "arn:aws:acm-pca:eu-central-1:111122223333:certificate-authority/*" }]
  })
}

module "iam" {
  source = "../.."

  env                   = "dev"
  region                = "eu-central-1"
  bucket_arns           = local.buckets
  data_key_arn          = "arn:aws:kms:eu-central-1:111122223333:key/11111111-2222-3333-4444-555555555555"
  trust_store_arn       = "arn:aws:elasticloadbalancing:eu-central-1:111122223333:truststore/dev-users/0123456789abcdef"
  spark_application_arn = "arn:aws:emr-serverless:eu-central-1:111122223333:/applications/00f1r1ex2mpl3001"
  deadline_topic_arn    = "arn:aws:sns:eu-central-1:111122223333:dev-airflow-deadlines"
  database_secret_arn   = "arn:aws:secretsmanager:eu-central-1:111122223333:secret:rds!db-11111111-2222-3333-4444-555555555555-AbCdEf"
  issue_users_policy    = local.allow_nothing
  issue_services_policy = local.allow_nothing
  github_repository     = "example/data-platform"
}
