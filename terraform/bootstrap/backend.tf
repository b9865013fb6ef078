# The bucket that this makes also keeps this state. The runner applies it with a local state first, then moves that here.
terraform {
  backend "s3" {
    encrypt      = true
    use_lockfile = true
  }
}
