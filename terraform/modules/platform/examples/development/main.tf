# A whole environment, without the remote state and account guard that environments/ adds.
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

module "platform" {
  source = "../.."

  env                   = "dev"
  account_id            = "111122223333"
  region                = "eu-central-1"
  domain                = "dev.data.example.com"
  bucket_suffix         = "example-dev"
  vpc_cidr              = "10.20.0.0/16"
  availability_zones    = ["eu-central-1a", "eu-central-1b"]
  allowed_cidrs         = ["198.51.100.0/24"]
  certificate_arn       = "arn:aws:acm:eu-central-1:111122223333:certificate/11111111-2222-3333-4444-555555555555"
  deletion_protection   = false
  nifi                  = { instance_type = "t3.large", min = 1, max = 1, desired = 1 }
  nifi_archive_url      = "https://archive.apache.org/dist/nifi/2.3.0/nifi-2.3.0-bin.zip"
  nifi_archive_checksum = "sha256:022806e16b7f43db06b148f329499ec5130226c33975119824370717d61474d0"

  airflow    = { groups = { all = { components = ["api-server", "scheduler", "dag-processor", "triggerer"], instance_type = "t3.large", min = 1, max = 1, desired = 1 } } }
  database   = { instance_class = "db.t4g.small" }
  processing = { max_vcpu = 16, max_memory_gb = 64 }

  pipelines_directory = "${path.module}/../../../../../pipelines"
}
