# Three to six nodes that follow the processor's load.
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

  env                   = "prod"
  region                = "eu-central-1"
  vpc_id                = "vpc-0123456789abcdef0"
  vpc_cidr              = "10.40.0.0/16"
  subnet_ids            = ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1", "subnet-0123456789abcdef2"]
  listener_arn          = "arn:aws:elasticloadbalancing:eu-central-1:111122223333:listener/app/prod-dataplatform/0123456789abcdef/0123456789abcdef"
  alb_security_group_id = "sg-0123456789abcdef0"
  host                  = "nifi.data.example.com"
  ingest_host           = "ingest.data.example.com"
  instance_profile_arn  = "arn:aws:iam::111122223333:instance-profile/prod-nifi-instance"
  artifacts_bucket      = "dataplatform-prod-artifacts-example"

  sizing = {
    instance_type      = "m6i.2xlarge"
    data_volume_gib    = 1000
    min                = 3
    max                = 6
    desired            = 3
    target_cpu_percent = 60
  }
}
