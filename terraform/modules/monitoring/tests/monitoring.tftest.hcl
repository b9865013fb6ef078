mock_provider "aws" {
  source = "../../tests/mocks"
}

variables {
  env             = "dev"
  alb_suffix      = "app/dev-dataplatform/0123456789abcdef"
  certificate_arn = "arn:aws:acm:eu-central-1:111122223333:certificate/11111111-2222-3333-4444-555555555555"
  users_ca_arn    = "arn:aws:acm-pca:eu-central-1:111122223333:certificate-authority/11111111-2222-3333-4444-555555555555"
  nifi            = { asg_name = "dev-nifi", target_group_suffix = "targetgroup/dev-nifi/0123456789abcdef" }
}

run "every_alarm_is_heard_when_it_starts_and_ends" {
  assert {
    condition = alltrue([for alarm in concat(values(aws_cloudwatch_metric_alarm.this), [aws_cloudwatch_metric_alarm.too_few_hosts]) :
      alarm.alarm_actions == toset([aws_sns_topic.alarms.arn]) && alarm.ok_actions == toset([aws_sns_topic.alarms.arn])
    ])
    error_message = "alarms go to the topic"
  }

  assert {
    condition     = toset(keys(aws_cloudwatch_metric_alarm.this)) == toset(["alb-errors", "certificate-expiry", "nifi-unhealthy-hosts", "revocation-list"])
    error_message = "the alarms of this module"
  }

  assert {
    condition     = aws_sns_topic.alarms.kms_master_key_id != null
    error_message = "the topic is encrypted"
  }
}

run "nobody_is_mailed_unless_told" {
  assert {
    condition     = length(aws_sns_topic_subscription.email) == 0
    error_message = "no address, no subscription"
  }
}

run "logs_are_kept_as_long_as_told" {
  variables {
    log_days = 14
  }

  assert {
    condition     = aws_cloudwatch_log_group.this["nifi"].retention_in_days == 14 && aws_cloudwatch_log_group.this["nifi"].name == "/dataplatform/dev/nifi"
    error_message = "retention of the hosts' logs"
  }
}

run "example_with_mail" {
  command = plan

  module {
    source = "./examples/with-mail"
  }
}
