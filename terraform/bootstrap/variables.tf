variable "account_id" {
  description = "Account to prepare."
  type        = string

  validation {
    condition     = can(regex("^[0-9]{12}$", var.account_id))
    error_message = "account_id must be 12 digits."
  }
}

variable "region" {
  description = "Region of the state bucket."
  type        = string
}

variable "github_repository" {
  description = "OWNER/NAME whose workflows may assume roles of this account (adds GitHub's OIDC provider); null: none."
  type        = string
  default     = null
}

variable "github_provider_exists" {
  description = "Whether the account trusts GitHub already, by an OIDC provider that is not ours: there can be one only."
  type        = bool
  default     = false
}

variable "s3_use_path_style" {
  description = "Address buckets by path instead of by host name: for S3-compatible endpoints."
  type        = bool
  default     = false
}

variable "force_destroy" {
  description = "Whether the state bucket may be destroyed with states in it. For throwaway accounts."
  type        = bool
  default     = false
}
