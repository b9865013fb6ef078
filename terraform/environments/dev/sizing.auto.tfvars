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

airflow = {
  groups = {
    all = {
      components    = ["api-server", "scheduler", "dag-processor", "triggerer"]
      instance_type = "t3.large"
      min           = 1
      max           = 1
      desired       = 1
    }
  }
}

database = {
  instance_class    = "db.t4g.small"
  storage_gib       = 20
  max_storage_gib   = 100
  multi_az          = false
  backup_days       = 1
  apply_immediately = true
}

processing = {
  max_vcpu      = 16
  max_memory_gb = 64
  idle_minutes  = 5
}

retention = {
  bronze_days             = 30
  logs_days               = 14
  noncurrent_version_days = 7
}
