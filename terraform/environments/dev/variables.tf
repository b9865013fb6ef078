variable "env" {
  description = "Environment: dev, ppd or prod. In sizing.auto.tfvars, beside what differs."
  type        = string
}

variable "account_id" {
  description = "Account of the environment."
  type        = string
}

variable "region" {
  description = "Region of the environment."
  type        = string
}

variable "domain" {
  description = "Domain of the platform's names: nifi.DOMAIN, airflow.DOMAIN, ingest.DOMAIN."
  type        = string
}

variable "bucket_suffix" {
  description = "Appended to every bucket's name: bucket names are global."
  type        = string
}

variable "vpc_cidr" {
  description = "Address range of the VPC, /16 to /20."
  type        = string
}

variable "availability_zones" {
  description = "Two or three availability zones of the region."
  type        = list(string)
}

variable "allowed_cidrs" {
  description = "Address ranges that may reach the balancer."
  type        = list(string)
}

variable "certificate_arn" {
  description = "ACM certificate of the listener; null: requested and validated in hosted_zone_id."
  type        = string
  default     = null
}

variable "hosted_zone_id" {
  description = "Route 53 zone of the domain; null: records are made elsewhere, and certificate_arn is needed."
  type        = string
  default     = null
}

variable "alarm_email" {
  description = "Address that alarms are mailed to; null: nobody."
  type        = string
  default     = null
}

variable "github_repository" {
  description = "OWNER/NAME whose workflows may plan and apply; null: none."
  type        = string
  default     = null
}

variable "github_provider_exists" {
  description = "Whether the account trusts GitHub already, by an OIDC provider that is not ours. Read by terraform/bootstrap, which makes one otherwise."
  type        = bool
  default     = false
}

variable "nat_gateway_mode" {
  description = "single or per-az."
  type        = string
  default     = "single"
}

variable "interface_endpoints" {
  description = "Services with an interface endpoint in the VPC; null: those that hosts call."
  type        = set(string)
  default     = null
}

variable "retention" {
  description = "Days by layer, for logs and for old versions; see module s3-datalake."
  type = object({
    bronze_days             = optional(number)
    silver_archive_days     = optional(number)
    gold_archive_days       = optional(number)
    logs_days               = optional(number)
    noncurrent_version_days = optional(number)
  })
  default = {}
}

variable "log_days" {
  description = "Days that logs in CloudWatch are kept."
  type        = number
  default     = 30
}

variable "deletion_protection" {
  description = "Whether balancer, database and buckets with objects resist `terraform destroy`; it also keeps a final snapshot, and CAs and data key can be restored for 30 days instead of 7."
  type        = bool
  default     = true
}

variable "nifi" {
  description = "Size of the NiFi host; see module nifi."
  type = object({
    instance_type   = string
    root_volume_gib = optional(number)
    data_volume_gib = optional(number)
    min             = number
    max             = number
    desired         = number
  })
}

variable "nifi_ami_id" {
  description = "Image of the NiFi hosts; null: Debian's newest by its public parameter."
  type        = string
  default     = null
}

variable "airflow" {
  description = "Airflow's component groups: name => components, instance type, numbers of hosts; see module airflow."
  type = object({
    groups = map(object({
      components      = list(string)
      instance_type   = string
      root_volume_gib = optional(number)
      min             = number
      max             = number
      desired         = number
    }))
  })
}

variable "airflow_ami_id" {
  description = "Image of the Airflow hosts; null: Debian's newest by its public parameter."
  type        = string
  default     = null
}

variable "database" {
  description = "Size of Airflow's PostgreSQL, and how many connections are still expected; see modules airflow and monitoring."
  type = object({
    instance_class    = string
    engine_version    = optional(string)
    storage_gib       = optional(number)
    max_storage_gib   = optional(number)
    multi_az          = optional(bool)
    backup_days       = optional(number)
    apply_immediately = optional(bool)
    connections       = optional(number)
  })
}

variable "processing" {
  description = "Size of Spark on EMR Serverless; see module processing."
  type = object({
    release_label = optional(string)
    max_vcpu      = number
    max_memory_gb = number
    max_disk_gb   = optional(number)
    idle_minutes  = optional(number)
  })
}

variable "databricks" {
  description = "External location for Databricks (docs/databricks.md): external id of the storage credential; null: none."
  type = object({
    external_id       = string
    unity_catalog_arn = optional(string)
  })
  default = null
}

variable "nifi_archive_url" {
  description = "NiFi's archive: an https:// address, or s3://BUCKET/KEY of a copy in the artifacts bucket."
  type        = string
}

variable "nifi_archive_checksum" {
  description = "Checksum of NiFi's archive, as sha256:HEX or sha512:HEX."
  type        = string
}

variable "agents" {
  description = "Packages that hosts install at their first boot, such as amazon-ssm-agent: name => file (a .deb on this machine, read when sha256 changes) and sha256."
  type        = map(object({ file = string, sha256 = string }))
  default     = {}
}

variable "s3_use_path_style" {
  description = "Address buckets by path instead of by host name: for S3-compatible endpoints."
  type        = bool
  default     = false
}
