resource "aws_lb_target_group" "this" {
  name                 = "${var.env}-nifi"
  port                 = var.edge_port
  protocol             = "HTTPS"
  vpc_id               = var.vpc_id
  target_type          = "instance"
  deregistration_delay = 60

  # NiFi's canvas keeps its state on the node that a browser talks to.
  stickiness {
    enabled         = true
    type            = "lb_cookie"
    cookie_duration = 86400
  }

  health_check {
    protocol            = "HTTPS"
    path                = "/edge-health"
    matcher             = "200"
    interval            = 10
    timeout             = 5
    healthy_threshold   = 2
    unhealthy_threshold = 3
  }
}

resource "aws_lb_listener_rule" "this" {
  listener_arn = var.listener_arn
  priority     = 100

  action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.this.arn
  }

  condition {
    host_header {
      values = [var.host]
    }
  }

  tags = { Name = "${var.env}-nifi" }
}

# Records that producers push: no state on a node, so no stickiness, and the listener behind the edge may be down while NiFi's canvas is up.
resource "aws_lb_target_group" "ingest" {
  name                 = "${var.env}-ingest"
  port                 = var.ingest_edge_port
  protocol             = "HTTPS"
  vpc_id               = var.vpc_id
  target_type          = "instance"
  deregistration_delay = 60

  health_check {
    protocol            = "HTTPS"
    path                = "/ingest-health"
    matcher             = "200"
    interval            = 10
    timeout             = 5
    healthy_threshold   = 2
    unhealthy_threshold = 3
  }
}

resource "aws_lb_listener_rule" "ingest" {
  listener_arn = var.listener_arn
  priority     = 120

  action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.ingest.arn
  }

  condition {
    host_header {
      values = [var.ingest_host]
    }
  }

  tags = { Name = "${var.env}-ingest" }
}
