# Spark and the catalog, as in DEV.
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

module "processing" {
  source = "../.."

  env            = "dev"
  buckets        = { for name in ["bronze", "silver", "gold", "artifacts", "logs"] : name => "example-dev-${name}" }
  jobs_directory = "${path.module}/jobs"
  sizing         = { max_vcpu = 16, max_memory_gb = 64 }
}
