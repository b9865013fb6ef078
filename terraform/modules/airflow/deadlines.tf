# A run that misses its deadline is told here (DeadlineAlert with SnsNotifier). Airflow's role publishes, which may use the data key; alarms of
# CloudWatch have a topic and a key of their own, since they come from a service.
resource "aws_sns_topic" "deadlines" {
  name              = "${local.name}-deadlines"
  kms_master_key_id = var.data_key_arn
}

resource "aws_sns_topic_subscription" "deadlines" {
  count = var.alarm_email == null ? 0 : 1

  topic_arn = aws_sns_topic.deadlines.arn
  protocol  = "email"
  endpoint  = var.alarm_email
}
