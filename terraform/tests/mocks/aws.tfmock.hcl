# What AWS would answer, for tests that talk to nobody. Only what other resources check the form of.
mock_data "aws_caller_identity" {
  defaults = { account_id = "111122223333" }
}

mock_data "aws_partition" {
  defaults = { partition = "aws" }
}

mock_data "aws_region" {
  defaults = { name = "eu-central-1" }
}

mock_data "aws_iam_policy_document" {
  defaults = { json = "{\"Version\":\"2012-10-17\",\"Statement\":[]}" }
}

mock_data "aws_ssm_parameter" {
  defaults = { value = "ami-00000000000000001" }
}

mock_resource "aws_kms_key" {
  defaults = { arn = "arn:aws:kms:eu-central-1:111122223333:key/00000000-0000-0000-0000-000000000001" }
}

mock_resource "aws_iam_role" {
  defaults = { arn = "arn:aws:iam::111122223333:role/mock" }
}

mock_resource "aws_iam_instance_profile" {
  defaults = { arn = "arn:aws:iam::111122223333:instance-profile/mock" }
}

mock_resource "aws_s3_bucket" {
  defaults = { arn = "arn:aws:s3:::mock" }
}

mock_resource "aws_cloudwatch_log_group" {
  defaults = { arn = "arn:aws:logs:eu-central-1:111122223333:log-group:mock" }
}

mock_resource "aws_sns_topic" {
  defaults = { arn = "arn:aws:sns:eu-central-1:111122223333:mock" }
}

mock_resource "aws_eip" {
  defaults = { public_ip = "203.0.113.7" }
}

mock_resource "aws_lb" {
  defaults = {
    arn        = "arn:aws:elasticloadbalancing:eu-central-1:111122223333:loadbalancer/app/mock/0000000000000001"
    arn_suffix = "app/mock/0000000000000001"
  }
}

mock_resource "aws_lb_listener" {
  defaults = { arn = "arn:aws:elasticloadbalancing:eu-central-1:111122223333:listener/app/mock/0000000000000001/0000000000000002" }
}

mock_resource "aws_lb_trust_store" {
  defaults = { arn = "arn:aws:elasticloadbalancing:eu-central-1:111122223333:truststore/mock/0000000000000003" }
}

mock_resource "aws_lb_target_group" {
  defaults = {
    arn        = "arn:aws:elasticloadbalancing:eu-central-1:111122223333:targetgroup/mock/0000000000000004"
    arn_suffix = "targetgroup/mock/0000000000000004"
  }
}

mock_resource "aws_acmpca_certificate_authority" {
  defaults = { arn = "arn:aws:acm-pca:eu-central-1:111122223333:certificate-authority/00000000-0000-0000-0000-000000000005" }
}

mock_resource "aws_acm_certificate" {
  defaults = { arn = "arn:aws:acm:eu-central-1:111122223333:certificate/00000000-0000-0000-0000-000000000006" }
}

mock_resource "aws_acm_certificate_validation" {
  defaults = { certificate_arn = "arn:aws:acm:eu-central-1:111122223333:certificate/00000000-0000-0000-0000-000000000006" }
}

mock_resource "aws_launch_template" {
  defaults = { id = "lt-00000000000000007", latest_version = 1 }
}

mock_resource "aws_db_instance" {
  defaults = {
    address            = "dev-airflow.mock.eu-central-1.rds.amazonaws.com"
    master_user_secret = [{ kms_key_id = "arn:aws:kms:eu-central-1:111122223333:key/00000000-0000-0000-0000-000000000001", secret_arn = "arn:aws:secretsmanager:eu-central-1:111122223333:secret:rds!db-mock", secret_status = "active" }]
  }
}

mock_resource "aws_emrserverless_application" {
  defaults = { id = "00f0000000000008", arn = "arn:aws:emr-serverless:eu-central-1:111122223333:/applications/00f0000000000008" }
}

mock_resource "aws_cloudwatch_metric_alarm" {
  defaults = { arn = "arn:aws:cloudwatch:eu-central-1:111122223333:alarm:mock" }
}
