mock_provider "aws" {
  source = "../../tests/mocks"
}

variables {
  env             = "dev"
  alb_suffix      = "app/dev-dataplatform/0123456789abcdef"
  certificate_arn = "arn:aws:acm:eu-central-1:111122223333:certificate/11111111-2222-3333-4444-555555555555"
  users_ca_arn    = "arn:aws:acm-pca:eu-central-1:111122223333:certificate-authority/11111111-2222-3333-4444-555555555555"
  database        = { instance_id = "dev-airflow", storage_gib = 20 }

  spark_application = { id = "00f1r1ex2mpl3001", name = "dev-spark" }

  nifi = {
    asg_name                   = "dev-nifi"
    target_group_suffix        = "targetgroup/dev-nifi/0123456789abcdef"
    ingest_target_group_suffix = "targetgroup/dev-ingest/0123456789abcdef"
  }

  airflow = {
    asg_names           = ["dev-airflow-core", "dev-airflow-web"]
    target_group_suffix = "targetgroup/dev-airflow/0123456789abcdef"
    deadline_topic_name = "dev-airflow-deadlines"
  }
}

run "every_alarm_is_heard_when_it_starts_and_ends" {
  assert {
    condition = alltrue([for alarm in concat(values(aws_cloudwatch_metric_alarm.this), values(aws_cloudwatch_metric_alarm.too_few_hosts)) :
      alarm.alarm_actions == toset([aws_sns_topic.alarms.arn]) && alarm.ok_actions == toset([aws_sns_topic.alarms.arn])
    ])
    error_message = "alarms go to the topic"
  }

  assert {
    condition = toset(keys(aws_cloudwatch_metric_alarm.this)) == toset([
      "alb-errors", "certificate-expiry", "nifi-unhealthy-hosts", "ingest-unhealthy-hosts", "revocation-list", "revocation-list-lapses",
      "airflow-scheduler-heartbeat", "airflow-failed-runs", "airflow-deadline-missed", "airflow-unhealthy-hosts",
      "airflow-database-storage", "airflow-database-cpu", "airflow-database-connections",
    ])
    error_message = "the alarms of this module"
  }

  assert {
    condition     = aws_sns_topic.alarms.kms_master_key_id != null
    error_message = "the topic is encrypted"
  }
}

run "a_silent_scheduler_is_an_alarm_and_a_quiet_night_is_none" {
  assert {
    condition     = [for alarm in values(aws_cloudwatch_metric_alarm.this) : alarm.alarm_name if alarm.treat_missing_data == "breaching"] == ["dev-airflow-scheduler-heartbeat", "dev-revocation-list-lapses"]
    error_message = "only heartbeats must never be missing"
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.this["airflow-scheduler-heartbeat"].namespace == "DataPlatform/dev" && length(aws_cloudwatch_metric_alarm.this["airflow-scheduler-heartbeat"].dimensions) == 0
    error_message = "whichever host says it"
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.this["airflow-database-storage"].threshold == 4 * 1024 * 1024 * 1024
    error_message = "a fifth of 20 GiB, in bytes"
  }

  assert {
    condition     = toset(keys(aws_cloudwatch_metric_alarm.too_few_hosts)) == toset(["dev-nifi", "dev-airflow-core", "dev-airflow-web"])
    error_message = "every group of hosts"
  }
}

run "the_dashboard_shows_everything_once" {
  assert {
    condition     = length(distinct([for widget in jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets : "${widget.x},${widget.y}"])) == length(jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets)
    error_message = "no widget lies on another"
  }

  assert {
    condition = length(one([
      for widget in jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets : widget.properties.alarms if widget.type == "alarm"
    ])) == length(aws_cloudwatch_metric_alarm.this) + length(aws_cloudwatch_metric_alarm.too_few_hosts)
    error_message = "all alarms are on the page"
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
    condition     = aws_cloudwatch_log_group.this["nifi"].retention_in_days == 14 && aws_cloudwatch_log_group.this["nifi"].name == "/dataplatform/dev/nifi" && aws_cloudwatch_log_group.this["airflow"].name == "/dataplatform/dev/airflow"
    error_message = "retention of the hosts' logs"
  }
}

run "example_with_mail" {
  command = plan

  module {
    source = "./examples/with-mail"
  }
}
