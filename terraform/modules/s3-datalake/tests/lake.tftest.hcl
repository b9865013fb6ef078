mock_provider "aws" {
  source = "../../tests/mocks"
}

variables {
  env           = "dev"
  bucket_suffix = "test"
}

run "names_and_protection_of_every_bucket" {
  assert {
    condition = { for name, bucket in aws_s3_bucket.this : name => bucket.bucket } == {
      bronze       = "dl-dev-bronze-test"
      silver       = "dl-dev-silver-test"
      gold         = "dl-dev-gold-test"
      certificates = "nifi-dev-certs-test"
      artifacts    = "dataplatform-dev-artifacts-test"
      logs         = "dataplatform-dev-logs-test"
    }
    error_message = "the names that roles, requests and people know"
  }

  assert {
    condition = alltrue([for block in aws_s3_bucket_public_access_block.this :
      block.block_public_acls && block.block_public_policy && block.ignore_public_acls && block.restrict_public_buckets
    ])
    error_message = "no bucket can be made public"
  }

  assert {
    condition     = alltrue([for versioning in aws_s3_bucket_versioning.this : versioning.versioning_configuration[0].status == "Enabled"])
    error_message = "every bucket keeps versions"
  }

  assert {
    condition     = alltrue([for bucket in aws_s3_bucket.this : bucket.force_destroy == false])
    error_message = "objects are not destroyed by default"
  }

  assert {
    condition     = !contains(keys(aws_s3_bucket_logging.this), "logs") && length(aws_s3_bucket_logging.this) == 5
    error_message = "every bucket but the log bucket writes access logs"
  }
}

run "encryption_by_purpose" {
  assert {
    condition = alltrue([for name in ["bronze", "silver", "gold", "artifacts"] :
      one(aws_s3_bucket_server_side_encryption_configuration.this[name].rule).apply_server_side_encryption_by_default[0].sse_algorithm == "aws:kms" &&
      one(aws_s3_bucket_server_side_encryption_configuration.this[name].rule).bucket_key_enabled
    ])
    error_message = "data lies under the environment's own key, with bucket keys"
  }

  assert {
    condition     = one(aws_s3_bucket_server_side_encryption_configuration.this["logs"].rule).apply_server_side_encryption_by_default[0].sse_algorithm == "AES256"
    error_message = "a load balancer writes to nothing but SSE-S3"
  }
}

run "retention_by_layer" {
  variables {
    retention = { bronze_days = 30 }
  }

  assert {
    condition     = one([for rule in aws_s3_bucket_lifecycle_configuration.this["bronze"].rule : rule if rule.id == "expire"]).expiration[0].days == 30
    error_message = "bronze expires as told"
  }

  assert {
    condition = [for rule in aws_s3_bucket_lifecycle_configuration.this["artifacts"].rule : [rule.filter[0].prefix, rule.expiration[0].days] if length(rule.expiration) > 0] == [
      ["landing/", 30]
    ]
    error_message = "the landing folder forgets with bronze, and no other artifact is lost"
  }

  assert {
    condition     = length([for rule in aws_s3_bucket_lifecycle_configuration.this["gold"].rule : rule if rule.id == "expire"]) == 0
    error_message = "gold is never deleted, only moved"
  }
}

run "refuses_a_suffix_that_s3_would_refuse" {
  variables {
    bucket_suffix = "Not_A_Suffix"
  }

  command         = plan
  expect_failures = [var.bucket_suffix]
}

run "refuses_a_retention_of_nothing" {
  variables {
    retention = { bronze_days = 0 }
  }

  command         = plan
  expect_failures = [var.retention]
}

run "example_development" {
  command = plan

  module {
    source = "./examples/development"
  }
}
