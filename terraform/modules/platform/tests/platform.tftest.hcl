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
}

run "the_document_says_what_was_built" {
  assert {
    condition     = jsondecode(aws_ssm_parameter.document.value) == jsondecode(jsonencode(output.platform)) && aws_ssm_parameter.document.name == "/dataplatform/dev/platform"
    error_message = "output and parameter are the same document"
  }

  assert {
    condition     = output.platform.urls.nifi == "https://nifi.dev.data.example.com/nifi/" && output.platform.nifi.edge_port == 9443 && output.platform.nifi.https_port == 8443
    error_message = "where NiFi is"
  }

  assert {
    condition = alltrue([for name in ["env", "account_id", "region", "domain", "vpc_id", "vpc_cidr", "private_subnet_ids", "urls", "hosts", "alb", "pki", "buckets", "kms", "nifi", "roles", "alarm_topic_arn"] :
      contains(keys(output.platform), name)
    ])
    error_message = "what playbooks and driver look for"
  }

  assert {
    condition     = length(aws_ssm_parameter.document.value) < 4096
    error_message = "a standard parameter holds 4 KB"
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
