# One balancer, one HTTPS listener, mutual TLS on all of it. Services hang their host rules on this listener.
resource "aws_security_group" "alb" {
  name        = "${var.env}-alb"
  description = "The balancer: HTTP and HTTPS from allowed ranges, service ports to the hosts"
  vpc_id      = aws_vpc.this.id

  tags = { Name = "${var.env}-alb" }
}

locals {
  # Hosts in private subnets reach the balancer by its public names, so they arrive from the NAT gateways.
  nat_cidrs   = { for zone in local.nat_zones : "nat-${zone}" => "${aws_eip.nat[zone].public_ip}/32" }
  client_keys = merge({ for cidr in var.allowed_cidrs : cidr => cidr }, local.nat_cidrs)
}

resource "aws_vpc_security_group_ingress_rule" "https" {
  for_each = local.client_keys

  security_group_id = aws_security_group.alb.id
  description       = "HTTPS from ${each.key}"
  cidr_ipv4         = each.value
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}

resource "aws_vpc_security_group_ingress_rule" "http" {
  #checkov:skip=CKV_AWS_260:Only a redirect to HTTPS answers, and only to allowed ranges
  for_each = toset(var.allowed_cidrs)

  security_group_id = aws_security_group.alb.id
  description       = "HTTP, redirected, from ${each.key}"
  cidr_ipv4         = each.value
  ip_protocol       = "tcp"
  from_port         = 80
  to_port           = 80
}

resource "aws_lb" "this" {
  #checkov:skip=CKV2_AWS_28:Mutual TLS stands where a web application firewall would
  #checkov:skip=CKV_AWS_150:A value of the environment
  name                       = "${var.env}-dataplatform"
  load_balancer_type         = "application"
  internal                   = false
  subnets                    = [for subnet in aws_subnet.public : subnet.id]
  security_groups            = [aws_security_group.alb.id]
  drop_invalid_header_fields = true
  enable_deletion_protection = var.deletion_protection

  access_logs {
    enabled = true
    bucket  = var.logs_bucket
    prefix  = "alb"
  }

  connection_logs {
    enabled = true
    bucket  = var.logs_bucket
    prefix  = "alb-connections"
  }

  depends_on = [aws_internet_gateway.this]
}

# The driver, not Terraform, adds and replaces the revocation list: a trust store keeps a copy of what it was given.
resource "aws_lb_trust_store" "users" {
  name                                     = "${var.env}-users"
  ca_certificates_bundle_s3_bucket         = var.trust_store_bundle.bucket
  ca_certificates_bundle_s3_key            = var.trust_store_bundle.key
  ca_certificates_bundle_s3_object_version = var.trust_store_bundle.version
}

resource "aws_lb_listener" "http" {
  #checkov:skip=CKV_AWS_2:It redirects to HTTPS
  #checkov:skip=CKV_AWS_103:It redirects to HTTPS
  load_balancer_arn = aws_lb.this.arn
  port              = 80
  protocol          = "HTTP"

  default_action {
    type = "redirect"

    redirect {
      port        = "443"
      protocol    = "HTTPS"
      status_code = "HTTP_301"
    }
  }
}

resource "aws_lb_listener" "https" {
  load_balancer_arn = aws_lb.this.arn
  port              = 443
  protocol          = "HTTPS"
  ssl_policy        = "ELBSecurityPolicy-TLS13-1-2-2021-06"
  certificate_arn   = local.certificate_arn

  mutual_authentication {
    mode                             = "verify"
    trust_store_arn                  = aws_lb_trust_store.users.arn
    ignore_client_certificate_expiry = false
    advertise_trust_store_ca_names   = "on"
  }

  # 421 Misdirected Request (RFC 9110, section 15.5.20): this balancer has no service of that name.
  default_action {
    type = "fixed-response"

    fixed_response {
      content_type = "text/plain"
      message_body = "No service of this name is here."
      status_code  = "421"
    }
  }
}
