# Api-servers apart from schedulers, two of each; a standby database in another zone; missed deadlines are mailed.
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

  env                   = "prod"
  region                = "eu-central-1"
  bucket_suffix         = "example-prod"
  vpc_id                = "vpc-0123456789abcdef0"
  vpc_cidr              = "10.20.0.0/16"
  subnet_ids            = ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"]
  listener_arn          = "arn:aws:elasticloadbalancing:eu-central-1:111122223333:listener/app/prod-dataplatform/0123456789abcdef/0123456789abcdef"
  alb_security_group_id = "sg-0123456789abcdef0"
  host                  = "airflow.prod.data.example.com"
  instance_profile_arn  = "arn:aws:iam::111122223333:instance-profile/prod-airflow-instance"
  data_key_arn          = "arn:aws:kms:eu-central-1:111122223333:key/11111111-2222-3333-4444-555555555555"
  logs_bucket           = "dataplatform-prod-logs-example"
  artifacts_bucket      = "dataplatform-prod-artifacts-example"
  dags_directory        = "${path.module}/dags"
  alarm_email           = "data-platform@example.com"

  groups = {
    web  = { components = ["api-server"], instance_type = "m6i.large", min = 2, max = 2, desired = 2 }
    core = { components = ["scheduler", "dag-processor", "triggerer"], instance_type = "m6i.xlarge", min = 2, max = 2, desired = 2 }
  }

  database = {
    instance_class  = "db.m7g.large"
    storage_gib     = 100
    max_storage_gib = 500
    multi_az        = true
    backup_days     = 30
  }
}
