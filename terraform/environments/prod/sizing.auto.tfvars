# What differs between environments by intent: size, scaling, retention, protection. Reviewed like code.
env                 = "prod"
nat_gateway_mode    = "per-az"
deletion_protection = true
log_days            = 365

nifi = {
  instance_type   = "m6i.xlarge"
  data_volume_gib = 500
  min             = 1
  max             = 1
  desired         = 1
}

retention = {
  bronze_days             = 365
  logs_days               = 365
  noncurrent_version_days = 30
}
