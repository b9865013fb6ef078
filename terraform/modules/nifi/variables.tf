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

variable "vpc_id" {
  description = "VPC of the hosts."
  type        = string
}

variable "vpc_cidr" {
  description = "Address range of the VPC: where interface endpoints answer."
  type        = string
}

variable "subnet_ids" {
  description = "Private subnets, over which the group spreads its hosts."
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
  description = "Public name, such as nifi.dev.data.example.com."
  type        = string
}

variable "ingest_host" {
  description = "Public name to which producers push records, such as ingest.dev.data.example.com."
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

variable "sizing" {
  description = "Instance type, volumes (GiB) and numbers of hosts. NiFi is not clustered here: one."
  type = object({
    instance_type       = string
    root_volume_gib     = optional(number, 20)
    data_volume_gib     = optional(number, 50)
    min                 = number
    max                 = number
    desired             = number
    health_check_grace  = optional(number, 900)
    detailed_monitoring = optional(bool, true)
  })

  validation {
    condition     = var.sizing.min <= var.sizing.desired && var.sizing.desired <= var.sizing.max
    error_message = "sizing must hold min <= desired <= max."
  }
}

variable "edge_port" {
  description = "Port of the edge on a host, reached by the balancer only."
  type        = number
  default     = 9443
}

variable "ingest_edge_port" {
  description = "Port of the edge for pushed records on a host, reached by the balancer only."
  type        = number
  default     = 9444
}

variable "https_port" {
  description = "NiFi's own port, reached by other nodes only."
  type        = number
  default     = 8443
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
