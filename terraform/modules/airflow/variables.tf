variable "env" {
  description = "Environment: dev, ppd or prod."
  type        = string

  validation {
    condition     = contains(["dev", "ppd", "prod"], var.env)
    error_message = "env must be dev, ppd or prod."
  }
}

variable "region" {
  description = "Region of the environment."
  type        = string
}

variable "bucket_suffix" {
  description = "Appended to the DAG bucket's name: bucket names are global."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9-]{1,20}[a-z0-9]$", var.bucket_suffix))
    error_message = "bucket_suffix must be 3 to 22 lower-case letters, digits and dashes."
  }
}

variable "vpc_id" {
  description = "VPC of hosts and database."
  type        = string
}

variable "vpc_cidr" {
  description = "Address range of the VPC: where interface endpoints answer."
  type        = string
}

variable "subnet_ids" {
  description = "Private subnets, over which groups spread their hosts and the database its standby."
  type        = list(string)
}

variable "listener_arn" {
  description = "The balancer's HTTPS listener."
  type        = string
}

variable "alb_security_group_id" {
  description = "The balancer's security group: the only one that reaches the edges."
  type        = string
}

variable "host" {
  description = "Public name, such as airflow.dev.data.example.com."
  type        = string
}

variable "instance_profile_arn" {
  description = "Instance profile of the hosts."
  type        = string
}

variable "ami_id" {
  description = "Image of the hosts (Debian 13); null: the newest by Debian's public parameter."
  type        = string
  default     = null
}

variable "groups" {
  description = "Component groups: name => which of Airflow's components its hosts run, instance type, root volume (GiB) and numbers of hosts."
  type = map(object({
    components          = list(string)
    instance_type       = string
    root_volume_gib     = optional(number, 30)
    min                 = number
    max                 = number
    desired             = number
    health_check_grace  = optional(number, 900)
    detailed_monitoring = optional(bool, true)
  }))

  validation {
    condition     = alltrue([for group in values(var.groups) : group.min <= group.desired && group.desired <= group.max])
    error_message = "Every group must hold min <= desired <= max."
  }

  validation {
    condition     = toset(flatten([for group in values(var.groups) : group.components])) == toset(["api-server", "scheduler", "dag-processor", "triggerer"])
    error_message = "The groups together must run all of api-server, scheduler, dag-processor and triggerer, and nothing else."
  }

  validation {
    condition     = alltrue([for name in keys(var.groups) : can(regex("^[a-z][a-z0-9-]{0,14}$", name))])
    error_message = "A group's name must be 1 to 15 lower-case letters, digits and dashes, beginning with a letter."
  }
}

variable "edge_port" {
  description = "Port of the edge on hosts with an api-server, reached by the balancer only."
  type        = number
  default     = 9443
}

variable "database" {
  description = "Size of PostgreSQL: instance class, storage (GiB, grows up to max_storage_gib), a standby in another zone, days of backups, whether changes wait for the maintenance window."
  type = object({
    instance_class    = string
    engine_version    = optional(string, "17")
    storage_gib       = optional(number, 20)
    max_storage_gib   = optional(number, 100)
    multi_az          = optional(bool, false)
    backup_days       = optional(number, 7)
    apply_immediately = optional(bool, false)
  })

  validation {
    condition     = startswith(var.database.engine_version, "17")
    error_message = "database.engine_version must be 17 or one of its minor versions: hosts bring the client of that version."
  }

  validation {
    condition     = var.database.storage_gib >= 20 && var.database.max_storage_gib > var.database.storage_gib
    error_message = "database needs storage_gib >= 20 and max_storage_gib > storage_gib."
  }

  validation {
    condition     = var.database.backup_days >= 1 && var.database.backup_days <= 35
    error_message = "database.backup_days must be 1 to 35: without backups there is no point-in-time recovery."
  }
}

variable "deletion_protection" {
  description = "Whether database and DAG bucket resist `terraform destroy`; without it no final snapshot is taken."
  type        = bool
  default     = true
}

variable "log_days" {
  description = "Days that the database's log is kept in CloudWatch."
  type        = number
  default     = 30
}

variable "data_key_arn" {
  description = "KMS key for data at rest: database, DAG bucket, deadline topic."
  type        = string
}

variable "logs_bucket" {
  description = "Bucket for the DAG bucket's access logs."
  type        = string
}

variable "noncurrent_version_days" {
  description = "Days that old versions of DAG files are kept."
  type        = number
  default     = 30
}

variable "dags_directory" {
  description = "Folder whose files become the DAG bundle; may be missing or empty."
  type        = string
}

variable "alarm_email" {
  description = "Address that missed deadlines are mailed to; null: nobody (the topic is there all the same)."
  type        = string
  default     = null
}

variable "artifacts_bucket" {
  description = "Bucket that holds agent packages."
  type        = string
}

variable "agents" {
  description = "Packages that user-data installs from the artifacts bucket (Debian's images carry no SSM agent): name => object key and SHA-256."
  type        = map(object({ key = string, sha256 = string }))
  default     = {}

  validation {
    condition     = alltrue([for agent in values(var.agents) : can(regex("^[0-9a-f]{64}$", agent.sha256))])
    error_message = "Every agent's sha256 must be 64 lower-case hex digits."
  }
}
