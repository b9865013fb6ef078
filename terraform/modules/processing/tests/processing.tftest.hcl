mock_provider "aws" {
  source = "../../tests/mocks"
}

variables {
  env            = "dev"
  jobs_directory = "tests/jobs"
  sizing         = { max_vcpu = 16, max_memory_gb = 64 }

  buckets = {
    bronze    = "dl-dev-bronze-test"
    silver    = "dl-dev-silver-test"
    gold      = "dl-dev-gold-test"
    artifacts = "dataplatform-dev-artifacts-test"
    logs      = "dataplatform-dev-logs-test"
  }
}

run "tables_lie_in_the_bucket_of_their_layer" {
  assert {
    condition = { for database in aws_glue_catalog_database.this : database.name => database.location_uri } == {
      dev_bronze = "s3://dl-dev-bronze-test"
      dev_silver = "s3://dl-dev-silver-test/warehouse"
      dev_gold   = "s3://dl-dev-gold-test/warehouse"
    }
    error_message = "a database's location decides where Iceberg puts its tables"
  }

  assert {
    condition     = output.warehouses == { silver = "s3://dl-dev-silver-test/warehouse", gold = "s3://dl-dev-gold-test/warehouse" } && output.logs_uri == "s3://dataplatform-dev-logs-test/emr-serverless/"
    error_message = "what jobs are told"
  }
}

run "spark_costs_nothing_when_nothing_runs" {
  assert {
    condition     = aws_emrserverless_application.this.auto_stop_configuration[0].enabled && aws_emrserverless_application.this.auto_start_configuration[0].enabled && length(aws_emrserverless_application.this.initial_capacity) == 0
    error_message = "it starts with a job and stops after the last one"
  }

  assert {
    condition     = aws_emrserverless_application.this.maximum_capacity[0].cpu == "16 vCPU" && aws_emrserverless_application.this.maximum_capacity[0].memory == "64 GB" && aws_emrserverless_application.this.release_label == "emr-spark-8.0.0"
    error_message = "no more than told, on the chosen release"
  }
}

run "jobs_follow_the_folder" {
  assert {
    condition     = [for object in aws_s3_object.job : object.key] == ["jobs/silver.py"] && aws_s3_object.job["silver.py"].metadata["sha256"] == filesha256("tests/jobs/silver.py")
    error_message = "the content decides what is uploaded"
  }
}

run "nothing_of_databricks_unless_told" {
  assert {
    condition     = length(aws_iam_role.databricks) == 0 && length(aws_iam_instance_profile.databricks_clusters) == 0 && output.databricks == null
    error_message = "off by default"
  }
}

run "refuses_databricks_without_a_policy" {
  variables {
    databricks = { external_id = "11111111-2222-3333-4444-555555555555" }
  }

  command         = plan
  expect_failures = [var.databricks]
}

run "refuses_a_release_that_is_none" {
  variables {
    sizing = { release_label = "spark-4", max_vcpu = 16, max_memory_gb = 64 }
  }

  command         = plan
  expect_failures = [var.sizing]
}

run "refuses_less_than_a_job_needs" {
  variables {
    sizing = { max_vcpu = 2, max_memory_gb = 8 }
  }

  command         = plan
  expect_failures = [var.sizing]
}

run "example_spark" {
  command = plan

  module {
    source = "./examples/spark"
  }
}

run "example_with_databricks" {
  command = plan

  module {
    source = "./examples/with-databricks"
  }
}

run "disk_is_not_the_limit" {
  variables {
    sizing = { max_vcpu = 200, max_memory_gb = 800 }
  }

  assert {
    condition     = aws_emrserverless_application.this.maximum_capacity[0].disk == "1000 GB"
    error_message = "20 GB for each of 50 workers"
  }
}

run "refuses_less_than_a_driver_and_an_executor" {
  variables {
    sizing = { max_vcpu = 4, max_memory_gb = 16 }
  }

  command         = plan
  expect_failures = [var.sizing]
}
