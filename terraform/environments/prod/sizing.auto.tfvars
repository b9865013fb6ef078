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

airflow = {
  groups = {
    web = {
      components    = ["api-server"]
      instance_type = "m6i.large"
      min           = 2
      max           = 2
      desired       = 2
    }
    core = {
      components    = ["scheduler", "dag-processor", "triggerer"]
      instance_type = "m6i.xlarge"
      min           = 2
      max           = 2
      desired       = 2
    }
  }
}

database = {
  instance_class    = "db.m7g.large"
  storage_gib       = 100
  max_storage_gib   = 500
  multi_az          = true
  backup_days       = 30
  apply_immediately = false
}

processing = {
  max_vcpu      = 200
  max_memory_gb = 800
  idle_minutes  = 15
}

retention = {
  bronze_days             = 365
  logs_days               = 365
  noncurrent_version_days = 30
}
