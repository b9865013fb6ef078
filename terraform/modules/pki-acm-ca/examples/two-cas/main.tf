# Both CAs of an environment. The bucket's policy must let acm-pca.amazonaws.com write (module s3-datalake makes one).
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

module "pki" {
  source = "../.."

  env                 = "dev"
  certificates_bucket = "nifi-dev-certs-example"
}
