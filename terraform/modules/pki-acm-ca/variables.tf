variable "env" {
  description = "Environment: dev, ppd or prod."
  type        = string

  validation {
    condition     = contains(["dev", "ppd", "prod"], var.env)
    error_message = "env must be dev, ppd or prod."
  }
}

variable "organization" {
  description = "O of the CAs' own subjects."
  type        = string
  default     = "Platform"
}

variable "certificates_bucket" {
  description = "Bucket for the users' revocation lists; its policy must let acm-pca.amazonaws.com write."
  type        = string
}

variable "users_ca_years" {
  description = "Lifetime of the users' CA, in years."
  type        = number
  default     = 10

  validation {
    condition     = var.users_ca_years >= 2 && var.users_ca_years <= 30
    error_message = "users_ca_years must be between 2 and 30."
  }
}

variable "services_ca_years" {
  description = "Lifetime of the services' CA, in years."
  type        = number
  default     = 10
}

variable "crl_days" {
  description = "Validity of a revocation list, in days. A trust store with a lapsed list lets nobody in: the driver replaces it in time."
  type        = number
  default     = 7

  validation {
    condition     = var.crl_days >= 2 && var.crl_days <= 30
    error_message = "crl_days must be between 2 and 30."
  }
}

variable "deletion_window_days" {
  description = "Days during which a deleted CA can be restored (7 to 30)."
  type        = number
  default     = 30
}
