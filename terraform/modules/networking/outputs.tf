output "vpc_id" {
  description = "ID of the VPC."
  value       = aws_vpc.this.id
}

output "public_subnet_ids" {
  description = "IDs of the public subnets, in the order of the zones."
  value       = [for zone in var.availability_zones : aws_subnet.public[zone].id]
}

output "private_subnet_ids" {
  description = "IDs of the private subnets, in the order of the zones."
  value       = [for zone in var.availability_zones : aws_subnet.private[zone].id]

  # A host that starts before it has a way out can't install anything.
  depends_on = [aws_route.nat, aws_route_table_association.private, aws_vpc_endpoint.s3]
}

output "alb" {
  description = "The balancer: ARN, ARN suffix for metrics, DNS name, security group, HTTPS listener, trust store."
  value = {
    arn               = aws_lb.this.arn
    arn_suffix        = aws_lb.this.arn_suffix
    dns_name          = aws_lb.this.dns_name
    security_group_id = aws_security_group.alb.id
    listener_arn      = aws_lb_listener.https.arn
    trust_store_arn   = aws_lb_trust_store.users.arn
  }
}

output "hosts" {
  description = "Public names by service: nifi, airflow, ingest."
  value       = local.hosts
}

output "certificate_arn" {
  description = "Certificate of the HTTPS listener."
  value       = local.certificate_arn
}
