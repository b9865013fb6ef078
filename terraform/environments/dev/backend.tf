# Bucket, key and region come from the runner (-backend-config): they follow from environment, account and region.
# By hand: terraform init -backend-config="bucket=dataplatform-tfstate-ACCOUNT-REGION" \
#   -backend-config="key=ENV/terraform.tfstate" -backend-config="region=REGION"
terraform {
  backend "s3" {
    encrypt      = true
    use_lockfile = true
  }
}
