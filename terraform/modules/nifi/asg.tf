data "aws_ssm_parameter" "ami" {
  count = var.ami_id == null ? 1 : 0

  name = "/aws/service/debian/release/13/latest/amd64"
}

locals {
  tags = { Name = "${var.env}-nifi", Role = "nifi", Project = "data-platform", Environment = var.env, ManagedBy = "terraform" }
}

resource "aws_launch_template" "this" {
  name                   = "${var.env}-nifi"
  description            = "NiFi hosts"
  image_id               = var.ami_id == null ? nonsensitive(data.aws_ssm_parameter.ami[0].value) : var.ami_id
  instance_type          = var.sizing.instance_type
  update_default_version = true
  vpc_security_group_ids = [aws_security_group.this.id]

  user_data = base64encode(templatefile("${path.module}/user-data.tpl", {
    install_agents = templatefile("${path.module}/../../shared/install-agents.tpl", {
      agents           = var.agents
      artifacts_bucket = var.artifacts_bucket
      region           = var.region
    })
  }))

  iam_instance_profile {
    arn = var.instance_profile_arn
  }

  # Tokens only, and one hop: a container or a proxied request on the host gets none.
  metadata_options {
    http_endpoint               = "enabled"
    http_tokens                 = "required"
    http_put_response_hop_limit = 1
    instance_metadata_tags      = "enabled"
  }

  monitoring {
    enabled = var.sizing.detailed_monitoring
  }

  block_device_mappings {
    device_name = "/dev/xvda"

    ebs {
      volume_size           = var.sizing.root_volume_gib
      volume_type           = "gp3"
      encrypted             = true
      delete_on_termination = true
    }
  }

  # NiFi's repositories: flow files, content, provenance.
  block_device_mappings {
    device_name = "/dev/xvdf"

    ebs {
      volume_size           = var.sizing.data_volume_gib
      volume_type           = "gp3"
      encrypted             = true
      delete_on_termination = true
    }
  }

  tag_specifications {
    resource_type = "instance"
    tags          = local.tags
  }

  tag_specifications {
    resource_type = "volume"
    tags          = local.tags
  }
}

resource "aws_autoscaling_group" "this" {
  name                      = "${var.env}-nifi"
  min_size                  = var.sizing.min
  max_size                  = var.sizing.max
  desired_capacity          = var.sizing.desired
  vpc_zone_identifier       = var.subnet_ids
  target_group_arns         = [aws_lb_target_group.this.arn, aws_lb_target_group.ingest.arn]
  health_check_type         = "EC2"
  health_check_grace_period = var.sizing.health_check_grace
  # Ansible makes them healthy afterwards: nothing to wait for here.
  wait_for_capacity_timeout = "0"
  enabled_metrics           = ["GroupDesiredCapacity", "GroupInServiceInstances"]
  # AWS would replace a host that works by one that nobody has configured yet, to have as many in each zone.
  suspended_processes = ["AZRebalance"]

  launch_template {
    id      = aws_launch_template.this.id
    version = aws_launch_template.this.latest_version
  }

  dynamic "tag" {
    for_each = local.tags

    content {
      key                 = tag.key
      value               = tag.value
      propagate_at_launch = true
    }
  }
}
