# One page: what arrives at the balancer, what the services say, what they stand on, and which alarms are up.
data "aws_region" "this" {}

locals {
  widget_width  = 8
  widget_height = 6

  # Title and metrics, each as CloudWatch writes it: namespace, name, dimensions one after the other.
  # https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html
  graphs = [
    { title = "Requests", stat = "Sum", metrics = [
      for name in ["RequestCount", "HTTPCode_ELB_5XX_Count", "HTTPCode_Target_5XX_Count"] : ["AWS/ApplicationELB", name, "LoadBalancer", var.alb_suffix]
    ] },
    { title = "Logins refused by the balancer", stat = "Sum", metrics = [["AWS/ApplicationELB", "ClientTLSNegotiationErrorCount", "LoadBalancer", var.alb_suffix]] },
    { title = "Healthy hosts", stat = "Minimum", metrics = [
      for suffix in [var.nifi.target_group_suffix, var.nifi.ingest_target_group_suffix, var.airflow.target_group_suffix] :
      ["AWS/ApplicationELB", "HealthyHostCount", "TargetGroup", suffix, "LoadBalancer", var.alb_suffix]
    ] },
    { title = "Processors of the hosts (%)", stat = "Average", metrics = [
      for name in local.groups : ["AWS/EC2", "CPUUtilization", "AutoScalingGroupName", name]
    ] },
    { title = "Airflow: heartbeats", stat = "Sum", metrics = [[local.namespace, "airflow_scheduler_heartbeat"]] },
    { title = "Airflow: failed runs", stat = "SampleCount", metrics = [[local.namespace, "airflow_dagrun_duration_failed"]] },
    { title = "Missed deadlines", stat = "Sum", metrics = [["AWS/SNS", "NumberOfMessagesPublished", "TopicName", var.airflow.deadline_topic_name]] },
    { title = "Database: processors (%), connections", stat = "Average", metrics = [
      for name in ["CPUUtilization", "DatabaseConnections"] : ["AWS/RDS", name, "DBInstanceIdentifier", var.database.instance_id]
    ] },
    { title = "Database: free storage (bytes)", stat = "Minimum", metrics = [["AWS/RDS", "FreeStorageSpace", "DBInstanceIdentifier", var.database.instance_id]] },
    { title = "Spark: jobs", stat = "Maximum", metrics = [
      for name in ["RunningJobs", "FailedJobs"] : ["AWS/EMRServerless", name, "ApplicationId", var.spark_application.id, "ApplicationName", var.spark_application.name]
    ] },
  ]

  widgets = [for index, graph in local.graphs : {
    type   = "metric"
    x      = index % 3 * local.widget_width
    y      = floor(index / 3) * local.widget_height
    width  = local.widget_width
    height = local.widget_height
    properties = {
      title   = graph.title
      region  = data.aws_region.this.name
      stat    = graph.stat
      period  = local.minute
      view    = "timeSeries"
      metrics = graph.metrics
    }
  }]

  alarm_widget = {
    type   = "alarm"
    x      = 0
    y      = ceil(length(local.graphs) / 3) * local.widget_height
    width  = 3 * local.widget_width
    height = local.widget_height
    properties = {
      title  = "Alarms"
      alarms = [for alarm in concat(values(aws_cloudwatch_metric_alarm.this), values(aws_cloudwatch_metric_alarm.too_few_hosts)) : alarm.arn]
    }
  }
}

resource "aws_cloudwatch_dashboard" "this" {
  dashboard_name = "${var.env}-dataplatform"
  dashboard_body = jsonencode({ widgets = concat(local.widgets, [local.alarm_widget]) })
}
