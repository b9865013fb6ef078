# EC2, one group of hosts for each component group. ECS is left out: LocalExecutor runs tasks inside the scheduler, and a rehearsal has real hosts.
data "aws_ssm_parameter" "ami" {
  count = var.ami_id == null ? 1 : 0

  name = "/aws/service/debian/release/13/latest/amd64"
}

locals {
  order = ["api-server", "scheduler", "dag-processor", "triggerer"]

  # The dynamic inventory makes a group of hosts for the role, and one for each component.
  group_tags = { for name, group in var.groups : name => merge(local.tags, {
    Name       = "${local.name}-${name}"
    Components = join(" ", [for component in local.order : component if contains(group.components, component)])
  }) }

  user_data = templatefile("${path.module}/user-data.tpl", {
    install_agents = templatefile("${path.module}/../../shared/install-agents.tpl", {
      agents           = var.agents
      artifacts_bucket = var.artifacts_bucket
      region           = var.region
    })
  })
}

resource "aws_launch_template" "this" {
  for_each = var.groups

  name                   = "${local.name}-${each.key}"
  description            = "Airflow hosts: ${local.group_tags[each.key].Components}"
  image_id               = var.ami_id == null ? nonsensitive(data.aws_ssm_parameter.ami[0].value) : var.ami_id
  instance_type          = each.value.instance_type
  update_default_version = true
  vpc_security_group_ids = [aws_security_group.this.id]
  user_data              = base64encode(local.user_data)

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
    enabled = each.value.detailed_monitoring
  }

  block_device_mappings {
    device_name = "/dev/xvda"

    ebs {
      volume_size           = each.value.root_volume_gib
      volume_type           = "gp3"
      encrypted             = true
      delete_on_termination = true
    }
  }

  tag_specifications {
    resource_type = "instance"
    tags          = local.group_tags[each.key]
  }

  tag_specifications {
    resource_type = "volume"
    tags          = local.group_tags[each.key]
  }
}

resource "aws_autoscaling_group" "this" {
  for_each = var.groups

  name                      = "${local.name}-${each.key}"
  min_size                  = each.value.min
  max_size                  = each.value.max
  desired_capacity          = each.value.desired
  vpc_zone_identifier       = var.subnet_ids
  target_group_arns         = contains(each.value.components, "api-server") ? [aws_lb_target_group.this.arn] : []
  health_check_type         = "EC2"
  health_check_grace_period = each.value.health_check_grace
  # Ansible makes them healthy afterwards: nothing to wait for here.
  wait_for_capacity_timeout = "0"
  enabled_metrics           = ["GroupDesiredCapacity", "GroupInServiceInstances"]
  # AWS would replace a host that works by one that nobody has configured yet, to have as many in each zone.
  suspended_processes = ["AZRebalance"]

  launch_template {
    id      = aws_launch_template.this[each.key].id
    version = aws_launch_template.this[each.key].latest_version
  }

  dynamic "tag" {
    for_each = local.group_tags[each.key]

    content {
      key                 = tag.key
      value               = tag.value
      propagate_at_launch = true
    }
  }
}
