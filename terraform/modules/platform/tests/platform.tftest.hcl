mock_provider "aws" {
  source = "../../tests/mocks"
}

variables {
  env                   = "dev"
  account_id            = "111122223333"
  region                = "eu-central-1"
  domain                = "dev.data.example.com"
  bucket_suffix         = "test"
  vpc_cidr              = "10.20.0.0/16"
  availability_zones    = ["eu-central-1a", "eu-central-1b"]
  allowed_cidrs         = ["198.51.100.0/24"]
  certificate_arn       = "arn:aws:acm:eu-central-1:111122223333:certificate/11111111-2222-3333-4444-555555555555"
  nifi                  = { instance_type = "t3.large", min = 1, max = 1, desired = 1 }
  nifi_archive_url      = "s3://dataplatform-dev-artifacts-test/nifi/nifi-2.3.0-bin.zip"
  nifi_archive_checksum = "sha256:0000000000000000000000000000000000000000000000000000000000000000"

  airflow    = { groups = { all = { components = ["api-server", "scheduler", "dag-processor", "triggerer"], instance_type = "t3.large", min = 1, max = 1, desired = 1 } } }
  database   = { instance_class = "db.t4g.small" }
  processing = { max_vcpu = 16, max_memory_gb = 64 }

  pipelines_directory = "tests/pipelines"
}

run "the_document_says_what_was_built" {
  assert {
    condition     = jsondecode(aws_ssm_parameter.document.value) == jsondecode(jsonencode(output.platform)) && aws_ssm_parameter.document.name == "/dataplatform/dev/platform"
    error_message = "output and parameter are the same document"
  }

  assert {
    condition = (
      jsondecode(aws_ssm_parameter.preparation.value).nifi == jsondecode(aws_ssm_parameter.document.value).nifi &&
      !contains(keys(jsondecode(aws_ssm_parameter.preparation.value)), "alb") &&
      jsondecode(aws_ssm_parameter.preparation.value).airflow.database.endpoint == "" &&
      keys(jsondecode(aws_ssm_parameter.preparation.value).airflow.database) == keys(output.platform.airflow.database)
    )
    error_message = "what hosts are prepared with is the document without balancer and database"
  }

  assert {
    condition     = output.platform.urls.nifi == "https://nifi.dev.data.example.com/nifi/" && output.platform.nifi.edge_port == 9443 && output.platform.nifi.https_port == 8443
    error_message = "where NiFi is"
  }

  assert {
    condition = alltrue([for name in ["env", "account_id", "region", "domain", "vpc_id", "vpc_cidr", "private_subnet_ids", "urls", "hosts", "alb", "pki", "buckets", "kms", "nifi", "airflow", "ingest", "processing", "roles", "alarm_topic_arn"] :
      contains(keys(output.platform), name)
    ])
    error_message = "what playbooks and driver look for"
  }

  assert {
    condition     = length(aws_ssm_parameter.document.value) < 8192 && aws_ssm_parameter.document.tier == "Advanced"
    error_message = "an advanced parameter holds 8 KB"
  }

  assert {
    condition     = output.platform.urls == { nifi = "https://nifi.dev.data.example.com/nifi/", airflow = "https://airflow.dev.data.example.com/", ingest = "https://ingest.dev.data.example.com/" }
    error_message = "where people and producers go"
  }

  assert {
    condition     = output.platform.airflow.asg_names == ["dev-airflow-all"] && output.platform.airflow.database.instance_id == "dev-airflow" && output.platform.buckets.dags != null
    error_message = "Airflow's hosts, database and DAG bucket"
  }

  assert {
    condition = alltrue(flatten([for section, names in {
      airflow = [
        "asg_names", "target_group_arn", "security_group_id", "edge_port", "api_port", "log_group", "dags_prefix", "secrets_prefix",
        "trigger_role_arn", "trigger_secret_prefix", "deadline_topic_arn", "database",
      ]
      ingest     = ["target_group_arn", "edge_port", "listen_port"]
      processing = ["application_id", "execution_role_arn", "release_label", "jobs_bucket", "jobs_prefix", "logs_uri", "databases", "warehouses"]
    } : [for name in names : contains(keys(output.platform[section]), name)]]))
    error_message = "what the playbooks of Airflow and the pipelines look for"
  }

  assert {
    condition     = output.platform.processing.databases == { bronze = "dev_bronze", silver = "dev_silver", gold = "dev_gold" } && output.platform.ingest == merge(output.platform.ingest, { edge_port = 9444, listen_port = 9500 })
    error_message = "databases by layer, ports by their names"
  }
}

run "agents_go_into_the_artifacts_bucket" {
  variables {
    agents = { amazon-ssm-agent = { file = "/nowhere/amazon-ssm-agent.deb", sha256 = "00000000000000000000000000000000000000000000000000000000000000aa" } }
  }

  command = plan

  assert {
    condition     = aws_s3_object.agent["amazon-ssm-agent"].key == "agents/amazon-ssm-agent-000000000000.deb"
    error_message = "one key for each version of a package"
  }
}

run "refuses_a_package_that_is_another" {
  variables {
    agents = { amazon-ssm-agent = { file = "main.tf", sha256 = "00000000000000000000000000000000000000000000000000000000000000aa" } }
  }

  command         = plan
  expect_failures = [aws_s3_object.agent]
}

run "refuses_a_second_nifi_host" {
  variables {
    nifi = { instance_type = "t3.large", min = 1, max = 2, desired = 1 }
  }

  command         = plan
  expect_failures = [var.nifi]
}

run "refuses_a_group_that_may_be_empty" {
  variables {
    nifi = { instance_type = "t3.large", min = 0, max = 1, desired = 1 }
  }

  command         = plan
  expect_failures = [var.nifi]
}

run "refuses_an_account_that_is_none" {
  variables {
    account_id = "dev"
  }

  command         = plan
  expect_failures = [var.account_id]
}

run "refuses_an_archive_without_checksum" {
  variables {
    nifi_archive_checksum = "sha256:FILL-IN"
  }

  command         = plan
  expect_failures = [var.nifi_archive_checksum]
}

run "example_development" {
  command = plan

  module {
    source = "./examples/development"
  }
}
