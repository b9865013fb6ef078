data "aws_caller_identity" "this" {}
data "aws_partition" "this" {}

locals {
  name          = "${var.env}-airflow"
  database_port = 5432
  account_id    = data.aws_caller_identity.this.account_id
  partition     = data.aws_partition.this.partition
  tags          = { Role = "airflow", Project = "data-platform", Environment = var.env, ManagedBy = "terraform" }
}

# Between groups only: the balancer reaches the edges, hosts reach the database and services' endpoints.
resource "aws_security_group" "this" {
  name        = local.name
  description = "Airflow hosts: the edge from the balancer, logs of running tasks among hosts"
  vpc_id      = var.vpc_id

  tags = { Name = local.name }
}

resource "aws_vpc_security_group_ingress_rule" "edge" {
  security_group_id            = aws_security_group.this.id
  description                  = "Edge, from the balancer"
  referenced_security_group_id = var.alb_security_group_id
  ip_protocol                  = "tcp"
  from_port                    = var.edge_port
  to_port                      = var.edge_port
}

resource "aws_vpc_security_group_egress_rule" "alb" {
  security_group_id            = var.alb_security_group_id
  description                  = "Edges of the Airflow hosts"
  referenced_security_group_id = aws_security_group.this.id
  ip_protocol                  = "tcp"
  from_port                    = var.edge_port
  to_port                      = var.edge_port
}

# An api-server fetches the log of a task that still runs from the host it runs on: scheduler 8793, triggerer 8794, each request with a token
# (https://airflow.apache.org/docs/apache-airflow/stable/administration-and-deployment/logging-monitoring/logging-tasks.html).
resource "aws_vpc_security_group_ingress_rule" "task_logs" {
  security_group_id            = aws_security_group.this.id
  description                  = "Logs of running tasks, among hosts"
  referenced_security_group_id = aws_security_group.this.id
  ip_protocol                  = "tcp"
  from_port                    = 8793
  to_port                      = 8794
}

resource "aws_vpc_security_group_egress_rule" "task_logs" {
  security_group_id            = aws_security_group.this.id
  description                  = "Logs of running tasks, among hosts"
  referenced_security_group_id = aws_security_group.this.id
  ip_protocol                  = "tcp"
  from_port                    = 8793
  to_port                      = 8794
}

resource "aws_vpc_security_group_egress_rule" "database" {
  security_group_id            = aws_security_group.this.id
  description                  = "PostgreSQL"
  referenced_security_group_id = aws_security_group.database.id
  ip_protocol                  = "tcp"
  from_port                    = local.database_port
  to_port                      = local.database_port
}

# AWS's services and the balancer's public names answer on HTTPS, package mirrors on HTTP too; all leave through endpoints or the NAT gateway.
resource "aws_vpc_security_group_egress_rule" "web" {
  #checkov:skip=CKV_AWS_382:Two ports, to services whose addresses nobody lists
  for_each = toset(["80", "443"])

  security_group_id = aws_security_group.this.id
  description       = "AWS services, NiFi by its public name, package mirrors"
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = tonumber(each.value)
  to_port           = tonumber(each.value)
}

resource "aws_vpc_security_group_egress_rule" "dns" {
  for_each = toset(["tcp", "udp"])

  security_group_id = aws_security_group.this.id
  description       = "Names, from the resolver of the VPC"
  cidr_ipv4         = var.vpc_cidr
  ip_protocol       = each.value
  from_port         = 53
  to_port           = 53
}

resource "aws_security_group" "database" {
  name        = "${local.name}-database"
  description = "PostgreSQL of Airflow: from its hosts only, to nowhere"
  vpc_id      = var.vpc_id

  tags = { Name = "${local.name}-database" }
}

resource "aws_vpc_security_group_ingress_rule" "database" {
  security_group_id            = aws_security_group.database.id
  description                  = "PostgreSQL, from Airflow hosts"
  referenced_security_group_id = aws_security_group.this.id
  ip_protocol                  = "tcp"
  from_port                    = local.database_port
  to_port                      = local.database_port
}
