provider "aws" {
  region = var.region
  # Terraform itself refuses another account, whoever runs it.
  allowed_account_ids = [var.account_id]
  s3_use_path_style   = var.s3_use_path_style

  default_tags {
    tags = {
      Project     = "data-platform"
      Environment = var.env
      ManagedBy   = "terraform"
    }
  }
}
