# Everything on one host, as in DEV; the database may be removed with the rest.
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

module "airflow" {
  source = "../.."

  env                   = "dev"
  region                = "eu-central-1"
  bucket_suffix         = "example-dev"
  vpc_id                = "vpc-0123456789abcdef0"
  vpc_cidr              = "10.20.0.0/16"
  subnet_ids            = ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"]
  listener_arn          = "arn:aws:elasticloadbalancing:eu-central-1:111122223333:listener/app/dev-dataplatform/0123456789abcdef/0123456789abcdef"
  alb_security_group_id = "sg-0123456789abcdef0"
  host                  = "airflow.dev.data.example.com"
  instance_profile_arn  = "arn:aws:iam::111122223333:instance-profile/dev-airflow-instance"
  data_key_arn          = "arn:aws:kms:eu-central-1:111122223333:key/11111111-2222-3333-4444-555555555555"
  logs_bucket           = "dataplatform-dev-logs-example"
  artifacts_bucket      = "dataplatform-dev-artifacts-example"
  dags_directory        = "${path.module}/dags"
  deletion_protection   = false

  groups = {
    all = { components = ["api-server", "scheduler", "dag-processor", "triggerer"], instance_type = "t3.large", min = 1, max = 1, desired = 1 }
  }

  database = { instance_class = "db.t4g.small", backup_days = 1, apply_immediately = true }
}
