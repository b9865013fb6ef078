variable "env" {
  description = "Environment: dev, ppd or prod."
  type        = string

  validation {
    condition     = contains(["dev", "ppd", "prod"], var.env)
    error_message = "env must be dev, ppd or prod."
  }
}

variable "bucket_suffix" {
  description = "Appended to every bucket's name: bucket names are global, so choose something of your own."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9-]{1,20}[a-z0-9]$", var.bucket_suffix))
    error_message = "bucket_suffix must be 3 to 22 lower-case letters, digits and dashes."
  }
}

variable "retention" {
  description = "Days after which objects go: bronze is raw and may be fetched again, silver and gold move to cheaper storage first, logs and old versions are removed."
  type = object({
    bronze_days             = optional(number, 90)
    silver_archive_days     = optional(number, 180)
    gold_archive_days       = optional(number, 365)
    logs_days               = optional(number, 90)
    noncurrent_version_days = optional(number, 30)
  })
  default = {}

  validation {
    condition     = alltrue([for days in values(var.retention) : days > 0])
    error_message = "Every retention must be at least one day."
  }
}

variable "force_destroy" {
  description = "Whether `terraform destroy` may remove buckets that still hold objects. For DEV only."
  type        = bool
  default     = false
}
