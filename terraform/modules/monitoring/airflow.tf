# Airflow's own metrics are published by its hosts, under Airflow's names (a dot becomes an underscore) and without dimensions, so that it does
# not matter which host says it: https://airflow.apache.org/docs/apache-airflow/stable/administration-and-deployment/logging-monitoring/metrics.html
locals {
  gibibyte  = 1024 * 1024 * 1024
  namespace = "DataPlatform/${var.env}"
  database  = { DBInstanceIdentifier = var.database.instance_id }

  airflow_alarms = {
    # Silence is the alarm: a scheduler that is gone says nothing.
    airflow-scheduler-heartbeat = {
      description = "No Airflow scheduler has given a sign of life for 5 minutes"
      namespace   = local.namespace
      metric      = "airflow_scheduler_heartbeat"
      statistic   = "Sum"
      dimensions  = {}
      comparison  = "LessThanThreshold"
      threshold   = 1
      period      = local.minute
      periods     = 5
      missing     = "breaching"
    }
    # How long failed runs took; how many there were is the number of samples. Failed tasks are no alarm: they are tried again.
    airflow-failed-runs = {
      description = "A run of a DAG failed: a task has used up its retries"
      namespace   = local.namespace
      metric      = "airflow_dagrun_duration_failed"
      statistic   = "SampleCount"
      dimensions  = {}
      comparison  = "GreaterThanThreshold"
      threshold   = 0
      period      = 5 * local.minute
      periods     = 1
    }
    # Every missed deadline is one message to the topic, which counts them itself.
    # https://docs.aws.amazon.com/sns/latest/dg/sns-monitoring-using-cloudwatch.html
    airflow-deadline-missed = {
      description = "A run missed its deadline; the message says which"
      namespace   = "AWS/SNS"
      metric      = "NumberOfMessagesPublished"
      statistic   = "Sum"
      dimensions  = { TopicName = var.airflow.deadline_topic_name }
      comparison  = "GreaterThanThreshold"
      threshold   = 0
      period      = 5 * local.minute
      periods     = 1
    }
    airflow-unhealthy-hosts = {
      description = "The balancer finds an Airflow host unhealthy"
      namespace   = "AWS/ApplicationELB"
      metric      = "UnHealthyHostCount"
      statistic   = "Maximum"
      dimensions  = merge(local.alb, { TargetGroup = var.airflow.target_group_suffix })
      comparison  = "GreaterThanThreshold"
      threshold   = 0
      period      = local.minute
      periods     = 5
    }
  }

  # https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/rds-metrics.html
  database_alarms = {
    airflow-database-storage = {
      description = "Less than a fifth of the database's first storage is free: it is growing, or can't any more"
      namespace   = "AWS/RDS"
      metric      = "FreeStorageSpace"
      statistic   = "Minimum"
      dimensions  = local.database
      comparison  = "LessThanThreshold"
      threshold   = var.database.storage_gib * local.gibibyte / 5
      period      = 5 * local.minute
      periods     = 3
    }
    airflow-database-cpu = {
      description = "The database has been busy (over 80 % of its processors) for 15 minutes"
      namespace   = "AWS/RDS"
      metric      = "CPUUtilization"
      statistic   = "Average"
      dimensions  = local.database
      comparison  = "GreaterThanThreshold"
      threshold   = 80
      period      = 5 * local.minute
      periods     = 3
    }
    airflow-database-connections = {
      description = "Airflow's components hold more connections than expected: soon the database refuses more"
      namespace   = "AWS/RDS"
      metric      = "DatabaseConnections"
      statistic   = "Maximum"
      dimensions  = local.database
      comparison  = "GreaterThanThreshold"
      threshold   = var.database.connections
      period      = local.minute
      periods     = 5
    }
  }
}
