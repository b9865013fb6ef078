mock_provider "aws" {
  source = "../../tests/mocks"
}

variables {
  env                   = "dev"
  region                = "eu-central-1"
  bucket_suffix         = "test"
  vpc_id                = "vpc-0123456789abcdef0"
  vpc_cidr              = "10.20.0.0/16"
  subnet_ids            = ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"]
  listener_arn          = "arn:aws:elasticloadbalancing:eu-central-1:111122223333:listener/app/dev/0123456789abcdef/0123456789abcdef"
  alb_security_group_id = "sg-0123456789abcdef0"
  host                  = "airflow.dev.data.example.com"
  instance_profile_arn  = "arn:aws:iam::111122223333:instance-profile/dev-airflow-instance"
  data_key_arn          = "arn:aws:kms:eu-central-1:111122223333:key/11111111-2222-3333-4444-555555555555"
  logs_bucket           = "dataplatform-dev-logs-test"
  artifacts_bucket      = "dataplatform-dev-artifacts-test"
  dags_directory        = "tests/dags"
  database              = { instance_class = "db.t4g.small" }

  groups = {
    web  = { components = ["api-server"], instance_type = "t3.large", min = 2, max = 2, desired = 2 }
    core = { components = ["triggerer", "scheduler", "dag-processor"], instance_type = "t3.large", min = 2, max = 2, desired = 2 }
  }
}

run "hosts_are_hardened" {
  assert {
    condition     = alltrue([for template in aws_launch_template.this : template.metadata_options[0].http_tokens == "required" && template.metadata_options[0].http_put_response_hop_limit == 1])
    error_message = "instance metadata is for tokens only, one hop away"
  }

  assert {
    condition     = alltrue(flatten([for template in aws_launch_template.this : [for mapping in template.block_device_mappings : tobool(mapping.ebs[0].encrypted)]]))
    error_message = "volumes are encrypted"
  }

  assert {
    condition     = alltrue([for template in aws_launch_template.this : length(template.network_interfaces) == 0 && template.key_name == null])
    error_message = "no public address and no SSH key"
  }
}

run "the_inventory_finds_components" {
  assert {
    condition = { for name, group in aws_autoscaling_group.this : group.name => one([for tag in group.tag : tag.value if tag.key == "Components" && tag.propagate_at_launch]) } == {
      dev-airflow-web  = "api-server"
      dev-airflow-core = "scheduler dag-processor triggerer"
    }
    error_message = "Components says what a group's hosts run, in one order"
  }

  assert {
    condition = alltrue([for group in aws_autoscaling_group.this : alltrue([for key, value in { Project = "data-platform", Environment = "dev", Role = "airflow" } :
      contains([for tag in group.tag : "${tag.key}=${tag.value}" if tag.propagate_at_launch], "${key}=${value}")
    ])])
    error_message = "the dynamic inventory finds hosts by these tags"
  }

  assert {
    condition     = length(aws_autoscaling_group.this["web"].target_group_arns) == 1 && length(coalesce(aws_autoscaling_group.this["core"].target_group_arns, [])) == 0
    error_message = "the balancer sends browsers to hosts with an api-server only"
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
    condition     = aws_lb_listener_rule.this.listener_arn == var.listener_arn && one(one(aws_lb_listener_rule.this.condition).host_header).values == toset(["airflow.dev.data.example.com"])
    error_message = "a host rule on the shared listener, which verifies clients"
  }

  assert {
    condition     = aws_lb_target_group.this.protocol == "HTTPS" && aws_lb_target_group.this.stickiness[0].enabled && aws_lb_target_group.this.health_check[0].path == "/edge-health"
    error_message = "TLS to the edge, sticky, healthy only when Airflow is"
  }
}

run "the_database_is_for_airflow_hosts_only" {
  assert {
    condition     = aws_vpc_security_group_ingress_rule.database.referenced_security_group_id == aws_security_group.this.id && aws_vpc_security_group_ingress_rule.database.cidr_ipv4 == null && !aws_db_instance.this.publicly_accessible
    error_message = "nobody else reaches PostgreSQL"
  }

  assert {
    condition     = aws_db_instance.this.storage_encrypted && one([for parameter in aws_db_parameter_group.this.parameter : parameter.value if parameter.name == "rds.force_ssl"]) == "1"
    error_message = "encrypted at rest, and refused without TLS"
  }

  assert {
    condition     = aws_db_instance.this.manage_master_user_password && aws_db_instance.this.password == null
    error_message = "RDS makes the master password: Terraform never sees it"
  }

  assert {
    condition     = aws_db_instance.this.deletion_protection && !aws_db_instance.this.skip_final_snapshot && aws_db_instance.this.final_snapshot_identifier == "dev-airflow-final"
    error_message = "protected unless told otherwise, and a snapshot stays"
  }
}

run "a_database_that_may_go" {
  variables {
    deletion_protection = false
    database            = { instance_class = "db.t4g.small", multi_az = true, backup_days = 14 }
  }

  assert {
    condition     = !aws_db_instance.this.deletion_protection && aws_db_instance.this.skip_final_snapshot && aws_s3_bucket.dags.force_destroy
    error_message = "an environment that `terraform destroy` can remove"
  }

  assert {
    condition     = aws_db_instance.this.multi_az && aws_db_instance.this.backup_retention_period == 14
    error_message = "standby and backups by size"
  }
}

run "dags_follow_the_folder" {
  assert {
    condition     = [for object in aws_s3_object.dag : object.key] == ["dags/daily.py", "dags/sql/clean.sql"]
    error_message = "every file of the folder, and nothing that Python leaves behind"
  }

  assert {
    condition     = aws_s3_object.dag["daily.py"].metadata["sha256"] == filesha256("tests/dags/daily.py")
    error_message = "the content decides what is uploaded"
  }

  assert {
    condition     = one(aws_s3_bucket_versioning.dags.versioning_configuration).status == "Enabled" && one(one(aws_s3_bucket_server_side_encryption_configuration.dags.rule).apply_server_side_encryption_by_default).sse_algorithm == "aws:kms"
    error_message = "old versions are kept, all encrypted"
  }
}

run "a_missing_folder_is_no_dag" {
  variables {
    dags_directory = "tests/nowhere"
  }

  assert {
    condition     = length(aws_s3_object.dag) == 0 && aws_s3_object.prefix.key == "dags/.keep"
    error_message = "the bundle's prefix exists all the same"
  }
}

run "missed_deadlines_are_told" {
  variables {
    alarm_email = "data-platform@example.com"
  }

  assert {
    condition     = aws_sns_topic.deadlines.name == "dev-airflow-deadlines" && aws_sns_topic.deadlines.kms_master_key_id == var.data_key_arn && length(aws_sns_topic_subscription.deadlines) == 1
    error_message = "an encrypted topic, mailed to whom it concerns"
  }

  assert {
    condition     = endswith(output.deadline_topic_arn, ":111122223333:${aws_sns_topic.deadlines.name}")
    error_message = "the ARN that policies name is the topic's"
  }
}

run "refuses_a_component_that_nobody_runs" {
  variables {
    groups = { web = { components = ["api-server"], instance_type = "t3.large", min = 1, max = 1, desired = 1 } }
  }

  command         = plan
  expect_failures = [var.groups]
}

run "refuses_an_unknown_component" {
  variables {
    groups = { all = { components = ["api-server", "scheduler", "dag-processor", "triggerer", "worker"], instance_type = "t3.large", min = 1, max = 1, desired = 1 } }
  }

  command         = plan
  expect_failures = [var.groups]
}

run "refuses_another_major_version" {
  variables {
    database = { instance_class = "db.t4g.small", engine_version = "16" }
  }

  command         = plan
  expect_failures = [var.database]
}

run "example_one_host" {
  command = plan

  module {
    source = "./examples/one-host"
  }
}

run "example_split" {
  command = plan

  module {
    source = "./examples/split"
  }
}
