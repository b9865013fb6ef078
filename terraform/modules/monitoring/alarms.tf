locals {
  minute = 60
  hour   = 3600
  day    = 86400
  alb    = { LoadBalancer = var.alb_suffix }

  groups = toset(concat([var.nifi.asg_name], var.airflow.asg_names))

  platform_alarms = {
    nifi-unhealthy-hosts = {
      description = "The balancer finds a NiFi host unhealthy"
      namespace   = "AWS/ApplicationELB"
      metric      = "UnHealthyHostCount"
      statistic   = "Maximum"
      dimensions  = merge(local.alb, { TargetGroup = var.nifi.target_group_suffix })
      comparison  = "GreaterThanThreshold"
      threshold   = 0
      period      = local.minute
      periods     = 5
    }
    ingest-unhealthy-hosts = {
      description = "The balancer finds a NiFi host that takes no pushed records"
      namespace   = "AWS/ApplicationELB"
      metric      = "UnHealthyHostCount"
      statistic   = "Maximum"
      dimensions  = merge(local.alb, { TargetGroup = var.nifi.ingest_target_group_suffix })
      comparison  = "GreaterThanThreshold"
      threshold   = 0
      period      = local.minute
      periods     = 5
    }
    alb-errors = {
      description = "The balancer itself answers with errors (5xx)"
      namespace   = "AWS/ApplicationELB"
      metric      = "HTTPCode_ELB_5XX_Count"
      statistic   = "Sum"
      dimensions  = local.alb
      comparison  = "GreaterThanThreshold"
      threshold   = 10
      period      = local.minute
      periods     = 1
    }
    # ACM reports once a day, also for imported certificates, and renews its own 60 days ahead.
    # https://docs.aws.amazon.com/acm/latest/userguide/cloudwatch-metrics.html
    certificate-expiry = {
      description = "The listener's certificate expires within 30 days"
      namespace   = "AWS/CertificateManager"
      metric      = "DaysToExpiry"
      statistic   = "Minimum"
      dimensions  = { CertificateArn = var.certificate_arn }
      comparison  = "LessThanThreshold"
      threshold   = 30
      period      = local.day
      periods     = 1
    }
    # A trust store whose revocation list has lapsed lets nobody in.
    # https://docs.aws.amazon.com/privateca/latest/userguide/PcaCloudWatch.html
    revocation-list = {
      description = "The users' CA cannot write its revocation list into the certificates bucket"
      namespace   = "AWS/ACMPrivateCA"
      metric      = "MisconfiguredCRLBucket"
      statistic   = "Sum"
      dimensions  = { PrivateCAArn = var.users_ca_arn }
      comparison  = "GreaterThanThreshold"
      threshold   = 0
      period      = local.minute
      periods     = 1
    }
    # Published by each run that keeps certificates (the module trust_store_revocation), which replaces a list when 3.5 days are left. Silence is
    # the alarm: whoever should run that does not. By the hour, since CloudWatch looks for data in some periods more than it is asked to judge.
    # https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html
    revocation-list-lapses = {
      description = "The revocation list in the balancer's trust store is not kept: when it lapses nobody is let in. Run the stage certificates"
      namespace   = local.namespace
      metric      = "trust_store_revocation_list_days"
      statistic   = "Minimum"
      dimensions  = {}
      comparison  = "LessThanThreshold"
      threshold   = 3
      period      = local.hour
      periods     = 48
      missing     = "breaching"
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "this" {
  for_each = merge(local.platform_alarms, local.airflow_alarms, local.database_alarms)

  alarm_name          = "${var.env}-${each.key}"
  alarm_description   = each.value.description
  namespace           = each.value.namespace
  metric_name         = each.value.metric
  statistic           = each.value.statistic
  dimensions          = each.value.dimensions
  comparison_operator = each.value.comparison
  threshold           = each.value.threshold
  period              = each.value.period
  evaluation_periods  = each.value.periods
  treat_missing_data  = lookup(each.value, "missing", "notBreaching")
  alarm_actions       = [aws_sns_topic.alarms.arn]
  ok_actions          = [aws_sns_topic.alarms.arn]
}

# Desired may change by scaling: compare with what the group wants at that moment.
resource "aws_cloudwatch_metric_alarm" "too_few_hosts" {
  for_each = local.groups

  alarm_name          = "${each.key}-too-few-hosts"
  alarm_description   = "Fewer hosts in service than the Auto Scaling group ${each.key} wants"
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  evaluation_periods  = 10
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.alarms.arn]
  ok_actions          = [aws_sns_topic.alarms.arn]

  metric_query {
    id          = "missing"
    expression  = "desired - in_service"
    label       = "hosts missing"
    return_data = true
  }

  dynamic "metric_query" {
    for_each = { desired = "GroupDesiredCapacity", in_service = "GroupInServiceInstances" }

    content {
      id = metric_query.key

      metric {
        namespace   = "AWS/AutoScaling"
        metric_name = metric_query.value
        stat        = "Average"
        period      = local.minute
        dimensions  = { AutoScalingGroupName = each.key }
      }
    }
  }
}
