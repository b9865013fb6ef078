# The provider writes policy documents itself, without asking AWS.
provider "aws" {
  region                      = "eu-central-1"
  access_key                  = "none"
  secret_key                  = "none"
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_requesting_account_id  = true
}

override_data {
  target = data.aws_caller_identity.this
  values = { account_id = "111122223333" }
}

variables {
  env            = "dev"
  jobs_directory = "tests/jobs"
  sizing         = { max_vcpu = 16, max_memory_gb = 64 }
  buckets        = { bronze = "bronze", silver = "silver", gold = "gold", artifacts = "artifacts", logs = "logs" }
  databricks     = { external_id = "11111111-2222-3333-4444-555555555555" }
  lake_policy    = "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Sid\":\"ReadBronze\",\"Effect\":\"Allow\",\"Action\":\"s3:GetObject\",\"Resource\":\"arn:aws:s3:::bronze/*\"}]}"
}

run "only_the_named_credential_gets_in" {
  command = plan

  assert {
    condition = alltrue([
      for s in jsondecode(data.aws_iam_policy_document.databricks_trust["this"].json).Statement : s.Condition.StringEquals["sts:ExternalId"] == "11111111-2222-3333-4444-555555555555"
    ])
    error_message = "without the external id any customer of Databricks could use the role"
  }

  assert {
    condition = { for s in jsondecode(data.aws_iam_policy_document.databricks_trust["this"].json).Statement : s.Sid => s.Principal.AWS } == {
      UnityCatalog = "arn:aws:iam::414351767826:role/unity-catalog-prod-UCMasterRole-14S5ZJVKOTYTL"
      Itself       = "arn:aws:iam::111122223333:root"
    }
    error_message = "Unity Catalog, and the role itself"
  }

  assert {
    condition     = one([for s in jsondecode(data.aws_iam_policy_document.databricks_trust["this"].json).Statement : s if s.Sid == "Itself"]).Condition.ArnEquals["aws:PrincipalArn"] == "arn:aws:iam::111122223333:role/dev-databricks"
    error_message = "of the account nobody but the role itself"
  }

  assert {
    condition     = [for s in jsondecode(data.aws_iam_policy_document.databricks["this"].json).Statement : s.Sid] == ["ReadBronze", "AssumeItself"]
    error_message = "what whoever processes data may do, and assume itself"
  }
}
