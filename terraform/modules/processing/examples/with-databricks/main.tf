# The same lake and catalog for Databricks: roles for a storage credential and for clusters.
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

data "aws_iam_policy_document" "lake" {
  statement {
    actions   = ["s3:GetObject"]
    resources = ["arn:aws:s3:::example-dev-bronze/*"]
  }
}

module "processing" {
  source = "../.."

  env            = "dev"
  buckets        = { for name in ["bronze", "silver", "gold", "artifacts", "logs"] : name => "example-dev-${name}" }
  jobs_directory = "${path.module}/jobs"
  sizing         = { max_vcpu = 16, max_memory_gb = 64 }
  lake_policy    = data.aws_iam_policy_document.lake.json
  databricks     = { external_id = "11111111-2222-3333-4444-555555555555" }
}
