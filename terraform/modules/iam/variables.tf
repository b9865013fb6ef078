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

variable "bucket_arns" {
  description = "Bucket ARNs by purpose: bronze, silver, gold, certificates, artifacts, logs, dags."
  type        = map(string)
}

variable "data_key_arn" {
  description = "KMS key of lake and artifacts."
  type        = string
}

variable "spark_application_arn" {
  description = "EMR Serverless application whose jobs Airflow starts."
  type        = string
}

variable "deadline_topic_arn" {
  description = "SNS topic to which Airflow tells missed deadlines."
  type        = string
}

variable "database_secret_arn" {
  description = "Secret with the master password of Airflow's database."
  type        = string
}

variable "trust_store_arn" {
  description = "The balancer's trust store, in which the issuer replaces the revocation list."
  type        = string
}

variable "issue_users_policy" {
  description = "IAM policy (JSON): issuing from the users' CA."
  type        = string
}

variable "issue_services_policy" {
  description = "IAM policy (JSON): issuing from the services' CA."
  type        = string
}

variable "github_repository" {
  description = "OWNER/NAME whose workflows may assume plan and apply; null: only principals of this account may."
  type        = string
  default     = null

  validation {
    condition     = var.github_repository == null || can(regex("^[A-Za-z0-9-]+/[A-Za-z0-9._-]+$", var.github_repository))
    error_message = "github_repository must be OWNER/NAME."
  }
}
