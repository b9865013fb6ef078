output "alarm_topic_arn" {
  description = "SNS topic of all alarms."
  value       = aws_sns_topic.alarms.arn
}

output "log_groups" {
  description = "Log groups by service."
  value       = { for name, group in aws_cloudwatch_log_group.this : name => group.name }
}
