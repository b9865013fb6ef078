# What differs between environments by intent: size, scaling, retention, protection. Reviewed like code.
env                 = "dev"
nat_gateway_mode    = "single"
deletion_protection = false
log_days            = 14

nifi = {
  instance_type   = "t3.large"
  data_volume_gib = 50
  min             = 1
  max             = 1
  desired         = 1
}

retention = {
  bronze_days             = 30
  logs_days               = 14
  noncurrent_version_days = 7
}
