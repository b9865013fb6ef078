# One node, as in DEV; the SSM agent comes from the artifacts bucket.
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

module "nifi" {
  source = "../.."

  env                   = "dev"
  region                = "eu-central-1"
  vpc_id                = "vpc-0123456789abcdef0"
  vpc_cidr              = "10.20.0.0/16"
  subnet_ids            = ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"]
  listener_arn          = "arn:aws:elasticloadbalancing:eu-central-1:111122223333:listener/app/dev-dataplatform/0123456789abcdef/0123456789abcdef"
  alb_security_group_id = "sg-0123456789abcdef0"
  host                  = "nifi.dev.data.example.com"
  ingest_host           = "ingest.dev.data.example.com"
  instance_profile_arn  = "arn:aws:iam::111122223333:instance-profile/dev-nifi-instance"
  artifacts_bucket      = "dataplatform-dev-artifacts-example"
  sizing                = { instance_type = "t3.large", min = 1, max = 1, desired = 1 }

  agents = {
    amazon-ssm-agent = {
      key    = "agents/amazon-ssm-agent.deb"
      sha256 = "0000000000000000000000000000000000000000000000000000000000000000" # of the package you put there
    }
  }
}
