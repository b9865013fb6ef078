mock_provider "aws" {
  source = "../../tests/mocks"
}

variables {
  env                   = "dev"
  region                = "eu-central-1"
  vpc_id                = "vpc-0123456789abcdef0"
  vpc_cidr              = "10.20.0.0/16"
  subnet_ids            = ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"]
  listener_arn          = "arn:aws:elasticloadbalancing:eu-central-1:111122223333:listener/app/dev/0123456789abcdef/0123456789abcdef"
  alb_security_group_id = "sg-0123456789abcdef0"
  host                  = "nifi.dev.data.example.com"
  ingest_host           = "ingest.dev.data.example.com"
  instance_profile_arn  = "arn:aws:iam::111122223333:instance-profile/dev-nifi-instance"
  artifacts_bucket      = "dataplatform-dev-artifacts-test"
  sizing                = { instance_type = "t3.large", min = 1, max = 1, desired = 1 }
}

run "hosts_are_hardened" {
  assert {
    condition     = aws_launch_template.this.metadata_options[0].http_tokens == "required" && aws_launch_template.this.metadata_options[0].http_put_response_hop_limit == 1
    error_message = "instance metadata is for tokens only, one hop away"
  }

  assert {
    condition     = length(aws_launch_template.this.block_device_mappings) == 2 && alltrue([for mapping in aws_launch_template.this.block_device_mappings : tobool(mapping.ebs[0].encrypted)])
    error_message = "root and data volume, both encrypted"
  }

  assert {
    condition     = length(aws_launch_template.this.network_interfaces) == 0 && aws_launch_template.this.key_name == null
    error_message = "no public address and no SSH key"
  }
}

run "one_host" {
  assert {
    condition     = aws_autoscaling_group.this.min_size == 1 && aws_autoscaling_group.this.max_size == 1 && aws_autoscaling_group.this.desired_capacity == 1
    error_message = "one host, and another one when it is gone"
  }

  assert {
    condition     = aws_autoscaling_group.this.suspended_processes == toset(["AZRebalance"])
    error_message = "a single host is not replaced behind its users' backs"
  }

  assert {
    condition = alltrue([for key, value in { Project = "data-platform", Environment = "dev", Role = "nifi" } :
      contains([for tag in aws_autoscaling_group.this.tag : "${tag.key}=${tag.value}" if tag.propagate_at_launch], "${key}=${value}")
    ])
    error_message = "the dynamic inventory finds hosts by these tags"
  }
}

run "the_edge_is_for_the_balancer_only" {
  assert {
    condition = (
      aws_vpc_security_group_ingress_rule.edge.referenced_security_group_id == "sg-0123456789abcdef0" &&
      aws_vpc_security_group_ingress_rule.edge.cidr_ipv4 == null && aws_vpc_security_group_ingress_rule.edge.from_port == 9443 &&
      aws_vpc_security_group_ingress_rule.edge.to_port == 9443
    )
    error_message = "whoever else reached the edge could claim to be anybody"
  }

  assert {
    condition     = aws_lb_listener_rule.this.listener_arn == var.listener_arn && one(one(aws_lb_listener_rule.this.condition).host_header).values == toset(["nifi.dev.data.example.com"])
    error_message = "a host rule on the shared listener, which verifies clients"
  }

  assert {
    condition     = aws_lb_target_group.this.protocol == "HTTPS" && aws_lb_target_group.this.stickiness[0].enabled && aws_lb_target_group.this.health_check[0].path == "/edge-health"
    error_message = "TLS to the edge, sticky, healthy only when NiFi is"
  }
}

run "records_come_in_by_a_way_of_their_own" {
  assert {
    condition = (
      aws_vpc_security_group_ingress_rule.ingest.referenced_security_group_id == "sg-0123456789abcdef0" &&
      aws_vpc_security_group_ingress_rule.ingest.cidr_ipv4 == null && aws_vpc_security_group_ingress_rule.ingest.from_port == 9444 &&
      aws_vpc_security_group_egress_rule.alb_ingest.to_port == 9444
    )
    error_message = "the edge for records trusts the balancer's headers as well: nobody else reaches it"
  }

  assert {
    condition     = aws_lb_listener_rule.ingest.listener_arn == var.listener_arn && one(one(aws_lb_listener_rule.ingest.condition).host_header).values == toset(["ingest.dev.data.example.com"])
    error_message = "a host rule on the shared listener, which verifies clients"
  }

  assert {
    condition     = aws_lb_target_group.ingest.protocol == "HTTPS" && aws_lb_target_group.ingest.port == 9444 && aws_lb_target_group.ingest.health_check[0].path == "/ingest-health"
    error_message = "TLS to the edge, healthy only when records are taken"
  }

  assert {
    condition     = aws_lb_listener_rule.ingest.priority != aws_lb_listener_rule.this.priority
    error_message = "two rules, two priorities"
  }
}

run "agents_come_with_a_checksum" {
  variables {
    agents = { amazon-ssm-agent = { key = "agents/amazon-ssm-agent.deb", sha256 = "00000000000000000000000000000000000000000000000000000000000000aa" } }
  }

  assert {
    condition     = strcontains(base64decode(aws_launch_template.this.user_data), "00000000000000000000000000000000000000000000000000000000000000aa  $packages/amazon-ssm-agent.deb")
    error_message = "the package is checked before it is installed"
  }
}

run "without_agents_nothing_is_fetched" {
  assert {
    condition     = !strcontains(base64decode(aws_launch_template.this.user_data), "aws s3 cp")
    error_message = "a host without agents needs no bucket at its first boot"
  }
}

run "refuses_more_hosts_than_the_maximum" {
  variables {
    sizing = { instance_type = "t3.large", min = 1, max = 1, desired = 2 }
  }

  command         = plan
  expect_failures = [var.sizing]
}

run "refuses_a_wrong_checksum" {
  variables {
    agents = { amazon-ssm-agent = { key = "agents/a.deb", sha256 = "abc" } }
  }

  command         = plan
  expect_failures = [var.agents]
}

run "example_one_node" {
  command = plan

  module {
    source = "./examples/one-node"
  }
}
