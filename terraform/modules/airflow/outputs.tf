output "asg_names" {
  description = "Names of the Auto Scaling groups, one for each component group."
  value       = [for name in sort(keys(var.groups)) : aws_autoscaling_group.this[name].name]
}

output "target_group" {
  description = "Target group of the edges: ARN, and suffix for metrics."
  value       = { arn = aws_lb_target_group.this.arn, arn_suffix = aws_lb_target_group.this.arn_suffix }
}

output "security_group_id" {
  description = "Security group of the hosts."
  value       = aws_security_group.this.id
}

output "dags" {
  description = "The DAG bundle: bucket and prefix."
  value       = { bucket = aws_s3_bucket.dags.id, prefix = local.dags_prefix }
}

output "dags_bucket_arn" {
  description = "ARN of the DAG bucket, known before the bucket is made."
  value       = local.dags_arn
}

output "deadline_topic_arn" {
  description = "SNS topic of missed deadlines, known before the topic is made."
  value       = "arn:${local.partition}:sns:${var.region}:${local.account_id}:${local.name}-deadlines"
}

output "database" {
  description = "PostgreSQL: instance id, host name, port, database name, ARN of the master user's secret."
  value = {
    instance_id       = aws_db_instance.this.identifier
    endpoint          = aws_db_instance.this.address
    port              = aws_db_instance.this.port
    name              = aws_db_instance.this.db_name
    master_secret_arn = one(aws_db_instance.this.master_user_secret[*].secret_arn)
  }
}
