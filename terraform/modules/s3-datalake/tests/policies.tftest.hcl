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

run "who_may_do_what_with_buckets" {
  command = plan

  variables {
    env           = "dev"
    bucket_suffix = "test"
  }

  assert {
    condition = alltrue([for document in data.aws_iam_policy_document.this :
      one([for s in jsondecode(document.json).Statement : s if s.Sid == "TlsOnly"]).Condition.Bool["aws:SecureTransport"] == "false"
    ])
    error_message = "every bucket refuses plain HTTP"
  }

  assert {
    condition = alltrue(flatten([for document in data.aws_iam_policy_document.this : [
      for s in jsondecode(document.json).Statement : s.Condition.StringEquals["aws:SourceAccount"] == "111122223333" if s.Effect == "Allow" && s.Sid != "LoadBalancerLogs"
    ]]))
    error_message = "services are let in for this account only"
  }

  assert {
    condition = alltrue([for resource in one([for s in jsondecode(data.aws_iam_policy_document.this["logs"].json).Statement : s if s.Sid == "LoadBalancerLogs"]).Resource :
      endswith(resource, "/AWSLogs/111122223333/*")
    ])
    error_message = "only this account's balancers write their logs"
  }

  assert {
    condition     = toset([for s in jsondecode(data.aws_iam_policy_document.this["certificates"].json).Statement : s.Principal.Service if s.Effect == "Allow"]) == toset(["acm-pca.amazonaws.com"])
    error_message = "the CA writes its revocation lists into the certificates bucket"
  }
}
