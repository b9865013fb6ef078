# Alarms that are mailed to a team.
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

module "monitoring" {
  source = "../.."

  env             = "dev"
  alarm_email     = "data-platform@example.com"
  alb_suffix      = "app/dev-dataplatform/0123456789abcdef"
  certificate_arn = "arn:aws:acm:eu-central-1:111122223333:certificate/11111111-2222-3333-4444-555555555555"
  users_ca_arn    = "arn:aws:acm-pca:eu-central-1:111122223333:certificate-authority/11111111-2222-3333-4444-555555555555"

  nifi = {
    asg_name                   = "dev-nifi"
    target_group_suffix        = "targetgroup/dev-nifi/0123456789abcdef"
    ingest_target_group_suffix = "targetgroup/dev-ingest/0123456789abcdef"
  }

  airflow = {
    asg_names           = ["dev-airflow-all"]
    target_group_suffix = "targetgroup/dev-airflow/0123456789abcdef"
    deadline_topic_name = "dev-airflow-deadlines"
  }

  database          = { instance_id = "dev-airflow", storage_gib = 20 }
  spark_application = { id = "00f1r1ex2mpl3001", name = "dev-spark" }
}
