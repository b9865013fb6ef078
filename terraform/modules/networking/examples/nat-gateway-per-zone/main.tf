# Three zones, each with its own way out; the certificate is requested and validated in a Route 53 zone.
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

  env                = "prod"
  domain             = "data.example.com"
  vpc_cidr           = "10.40.0.0/16"
  availability_zones = ["eu-central-1a", "eu-central-1b", "eu-central-1c"]
  nat_gateway_mode   = "per-az"
  allowed_cidrs      = ["198.51.100.0/24", "203.0.113.0/24"]
  hosted_zone_id     = "Z0000000EXAMPLE"
  trust_store_bundle = { bucket = "nifi-prod-certs-example", key = "trust-store/users-ca.pem" }
  logs_bucket        = "dataplatform-prod-logs-example"
  flow_log_days      = 365
}
