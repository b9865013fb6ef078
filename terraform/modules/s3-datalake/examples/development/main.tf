# Short retention, and buckets that may be destroyed with what is in them.
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

module "lake" {
  source = "../.."

  env           = "dev"
  bucket_suffix = "example-dev"
  force_destroy = true
  retention     = { bronze_days = 30, logs_days = 14 }
}
