variable "env" {
  description = "Environment: dev, ppd or prod."
  type        = string

  validation {
    condition     = contains(["dev", "ppd", "prod"], var.env)
    error_message = "env must be dev, ppd or prod."
  }
}

variable "domain" {
  description = "Domain of the platform's names: nifi.DOMAIN, airflow.DOMAIN, ingest.DOMAIN."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9-]+(\\.[a-z0-9-]+)+$", var.domain))
    error_message = "domain must be a lower-case DNS name such as dev.data.example.com."
  }
}

variable "vpc_cidr" {
  description = "Address range of the VPC, /16 to /20."
  type        = string

  validation {
    condition     = can(cidrhost(var.vpc_cidr, 0)) && tonumber(split("/", var.vpc_cidr)[1]) >= 16 && tonumber(split("/", var.vpc_cidr)[1]) <= 20
    error_message = "vpc_cidr must be an IPv4 range between /16 and /20, such as 10.20.0.0/16."
  }
}

variable "availability_zones" {
  description = "Two or three availability zones of the region."
  type        = list(string)

  validation {
    condition     = length(var.availability_zones) >= 2 && length(var.availability_zones) <= 3 && length(distinct(var.availability_zones)) == length(var.availability_zones)
    error_message = "availability_zones must name two or three different zones."
  }
}

variable "nat_gateway_mode" {
  description = "single (one NAT gateway: cheaper, one zone's failure cuts all off) or per-az."
  type        = string
  default     = "single"

  validation {
    condition     = contains(["single", "per-az"], var.nat_gateway_mode)
    error_message = "nat_gateway_mode must be single or per-az."
  }
}

variable "interface_endpoints" {
  description = "Services with an interface endpoint in the VPC: those that hosts call. Each costs about 8 USD per month and zone."
  type        = set(string)
  default     = ["acm-pca", "ec2messages", "emr-serverless", "glue", "logs", "monitoring", "secretsmanager", "sns", "ssm", "ssmmessages", "sts"]
  nullable    = false
}

variable "allowed_cidrs" {
  description = "Address ranges that may reach the balancer. Nobody else can even start a handshake."
  type        = list(string)

  validation {
    condition     = length(var.allowed_cidrs) > 0 && alltrue([for cidr in var.allowed_cidrs : can(cidrhost(cidr, 0))])
    error_message = "allowed_cidrs must list at least one address range such as 198.51.100.0/24."
  }
}

variable "certificate_arn" {
  description = "ACM certificate for the listener; null: one is requested and validated in hosted_zone_id."
  type        = string
  default     = null
}

variable "hosted_zone_id" {
  description = "Route 53 zone of the domain: for the certificate's validation and the names' records; null: both are made elsewhere."
  type        = string
  default     = null
}

variable "trust_store_bundle" {
  description = "Where the users' CA certificate lies: bucket, key, version."
  type = object({
    bucket  = string
    key     = string
    version = optional(string)
  })
}

variable "logs_bucket" {
  description = "Bucket for the balancer's access and connection logs."
  type        = string
}

variable "flow_log_days" {
  description = "Days that VPC flow logs are kept."
  type        = number
  default     = 30
}

variable "log_key_arn" {
  description = "KMS key for the flow logs' group; null: the service's own."
  type        = string
  default     = null
}

variable "deletion_protection" {
  description = "Whether the balancer refuses to be deleted."
  type        = bool
  default     = true
}
