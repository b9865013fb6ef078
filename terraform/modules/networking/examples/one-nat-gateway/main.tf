# Two zones, one NAT gateway, a certificate that exists already.
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

module "networking" {
  source = "../.."

  env                 = "dev"
  domain              = "dev.data.example.com"
  vpc_cidr            = "10.20.0.0/16"
  availability_zones  = ["eu-central-1a", "eu-central-1b"]
  allowed_cidrs       = ["198.51.100.0/24"]
  certificate_arn     = "arn:aws:acm:eu-central-1:111122223333:certificate/11111111-2222-3333-4444-555555555555"
  trust_store_bundle  = { bucket = "nifi-dev-certs-example", key = "trust-store/users-ca.pem" }
  logs_bucket         = "dataplatform-dev-logs-example"
  deletion_protection = false
}
