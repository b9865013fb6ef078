output "asg_name" {
  description = "Name of the Auto Scaling group."
  value       = aws_autoscaling_group.this.name
}

output "target_group" {
  description = "Target group of the edges: ARN, and suffix for metrics."
  value       = { arn = aws_lb_target_group.this.arn, arn_suffix = aws_lb_target_group.this.arn_suffix }
}

output "ingest_target_group" {
  description = "Target group of the edges for pushed records: ARN, and suffix for metrics."
  value       = { arn = aws_lb_target_group.ingest.arn, arn_suffix = aws_lb_target_group.ingest.arn_suffix }
}

output "security_group_id" {
  description = "Security group of the hosts."
  value       = aws_security_group.this.id
}
