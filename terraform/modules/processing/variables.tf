variable "env" {
  description = "Environment: dev, ppd or prod."
  type        = string

  validation {
    condition     = contains(["dev", "ppd", "prod"], var.env)
    error_message = "env must be dev, ppd or prod."
  }
}

variable "buckets" {
  description = "Bucket names by purpose: bronze, silver, gold, artifacts, logs."
  type        = map(string)

  validation {
    condition     = length(setsubtract(["bronze", "silver", "gold", "artifacts", "logs"], keys(var.buckets))) == 0
    error_message = "buckets must name bronze, silver, gold, artifacts and logs."
  }
}

variable "jobs_directory" {
  description = "Folder whose files become job artifacts; may be missing or empty."
  type        = string
}

variable "sizing" {
  description = "Spark: EMR's release label (decides Spark, Scala, Iceberg and Python), the most that all jobs together may use, minutes without jobs until the application stops. Disk, if not given, is enough for workers of 4 vCPU."
  type = object({
    release_label = optional(string, "emr-spark-8.0.0")
    max_vcpu      = number
    max_memory_gb = number
    max_disk_gb   = optional(number)
    idle_minutes  = optional(number, 15)
  })

  validation {
    condition     = can(regex("^emr-(spark-)?[0-9]+\\.[0-9]+\\.[0-9]+$", var.sizing.release_label))
    error_message = "sizing.release_label must be a release such as emr-spark-8.0.0."
  }

  validation {
    condition     = var.sizing.max_vcpu >= 8 && var.sizing.max_memory_gb >= 32
    error_message = "sizing needs max_vcpu >= 8 and max_memory_gb >= 32: a driver and one executor must fit, of 4 vCPU and 16 GB each."
  }
}

variable "lake_policy" {
  description = "IAM policy (JSON) of who processes data: bronze read, silver and gold written; what the optional Databricks roles may do. See module iam."
  type        = string
  default     = null
}

variable "databricks" {
  description = "External location for Databricks: the external id of the storage credential and the Unity Catalog role that assumes ours; null: none."
  type = object({
    external_id       = string
    unity_catalog_arn = optional(string, "arn:aws:iam::414351767826:role/unity-catalog-prod-UCMasterRole-14S5ZJVKOTYTL")
  })
  default = null

  validation {
    condition     = var.databricks == null || can(regex("^[0-9A-Za-z_+=,.@:/-]+$", var.databricks.external_id))
    error_message = "databricks.external_id must be the external id that Databricks shows for the storage credential."
  }

  validation {
    condition     = var.databricks == null || var.lake_policy != null
    error_message = "databricks needs lake_policy: what its roles may do."
  }
}
