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
      instance_type = "m6i.large"
      min           = 2
      max           = 2
      desired       = 2
    }
  }
}

database = {
  instance_class    = "db.t4g.medium"
  storage_gib       = 50
  max_storage_gib   = 200
  multi_az          = true
  backup_days       = 7
  apply_immediately = false
}

processing = {
  max_vcpu      = 64
  max_memory_gb = 256
  idle_minutes  = 15
}

retention = {
  bronze_days             = 60
  logs_days               = 30
  noncurrent_version_days = 14
}
