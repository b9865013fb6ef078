# What differs between environments by intent: size, scaling, retention, protection. Reviewed like code.
env                 = "ppd"
nat_gateway_mode    = "single"
deletion_protection = true
log_days            = 30

nifi = {
  instance_type   = "m6i.large"
  data_volume_gib = 100
  min             = 1
  max             = 1
  desired         = 1
}

retention = {
  bronze_days             = 60
  logs_days               = 30
  noncurrent_version_days = 14
}
