mock_provider "aws" {
  source = "../../tests/mocks"
}

variables {
  env                 = "dev"
  certificates_bucket = "nifi-dev-certs-test"
}

run "two_cas" {
  assert {
    condition = (
      aws_acmpca_certificate_authority.this["users"].certificate_authority_configuration[0].subject[0].common_name == "dev-acm-pca" &&
      aws_acmpca_certificate_authority.this["users"].usage_mode == "GENERAL_PURPOSE"
    )
    error_message = "users get certificates of many months: a general-purpose CA"
  }

  assert {
    condition = (
      aws_acmpca_certificate_authority.this["services"].certificate_authority_configuration[0].subject[0].common_name == "dev-acm-pca-services" &&
      aws_acmpca_certificate_authority.this["services"].usage_mode == "SHORT_LIVED_CERTIFICATE"
    )
    error_message = "nodes get certificates of a week: a short-lived CA"
  }

  assert {
    condition = (
      aws_acmpca_certificate_authority.this["users"].revocation_configuration[0].crl_configuration[0].s3_object_acl == "BUCKET_OWNER_FULL_CONTROL" &&
      length(aws_acmpca_certificate_authority.this["services"].revocation_configuration) == 0
    )
    error_message = "the users' CA writes lists that the bucket's owner may read; a short-lived CA writes none"
  }

  assert {
    condition     = aws_s3_object.users_ca.content == aws_acmpca_certificate.this["users"].certificate
    error_message = "the trust store is made of the users' CA, not of the services' CA"
  }
}

run "refuses_a_list_for_a_day" {
  variables {
    crl_days = 1
  }

  command         = plan
  expect_failures = [var.crl_days]
}

run "example_two_cas" {
  command = plan

  module {
    source = "./examples/two-cas"
  }
}
