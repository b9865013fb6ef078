# Between groups only: the balancer reaches the edge, nodes reach each other, hosts reach services' endpoints.
resource "aws_security_group" "this" {
  name        = "${var.env}-nifi"
  description = "NiFi hosts: the edge from the balancer, NiFi among nodes"
  vpc_id      = var.vpc_id

  tags = { Name = "${var.env}-nifi" }
}

resource "aws_vpc_security_group_ingress_rule" "edge" {
  security_group_id            = aws_security_group.this.id
  description                  = "Edge, from the balancer"
  referenced_security_group_id = var.alb_security_group_id
  ip_protocol                  = "tcp"
  from_port                    = var.edge_port
  to_port                      = var.edge_port
}

resource "aws_vpc_security_group_ingress_rule" "ingest" {
  security_group_id            = aws_security_group.this.id
  description                  = "Ingest edge, from the balancer"
  referenced_security_group_id = var.alb_security_group_id
  ip_protocol                  = "tcp"
  from_port                    = var.ingest_edge_port
  to_port                      = var.ingest_edge_port
}

resource "aws_vpc_security_group_ingress_rule" "nodes" {
  security_group_id            = aws_security_group.this.id
  description                  = "NiFi, among nodes"
  referenced_security_group_id = aws_security_group.this.id
  ip_protocol                  = "tcp"
  from_port                    = var.https_port
  to_port                      = var.https_port
}

resource "aws_vpc_security_group_egress_rule" "nodes" {
  security_group_id            = aws_security_group.this.id
  description                  = "NiFi, among nodes"
  referenced_security_group_id = aws_security_group.this.id
  ip_protocol                  = "tcp"
  from_port                    = var.https_port
  to_port                      = var.https_port
}

# AWS's services answer on HTTPS, package mirrors on HTTP too; both leave through endpoints or the NAT gateway.
resource "aws_vpc_security_group_egress_rule" "web" {
  #checkov:skip=CKV_AWS_382:Two ports, to services whose addresses nobody lists
  for_each = toset(["80", "443"])

  security_group_id = aws_security_group.this.id
  description       = "AWS services and package mirrors"
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

resource "aws_vpc_security_group_egress_rule" "alb" {
  security_group_id            = var.alb_security_group_id
  description                  = "Edges of the NiFi hosts"
  referenced_security_group_id = aws_security_group.this.id
  ip_protocol                  = "tcp"
  from_port                    = var.edge_port
  to_port                      = var.edge_port
}

resource "aws_vpc_security_group_egress_rule" "alb_ingest" {
  security_group_id            = var.alb_security_group_id
  description                  = "Ingest edges of the NiFi hosts"
  referenced_security_group_id = aws_security_group.this.id
  ip_protocol                  = "tcp"
  from_port                    = var.ingest_edge_port
  to_port                      = var.ingest_edge_port
}
