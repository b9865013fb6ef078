variable "env" {
  description = "Environment: dev, ppd or prod."
  type        = string

  validation {
    condition     = contains(["dev", "ppd", "prod"], var.env)
    error_message = "env must be dev, ppd or prod."
  }
}

variable "alarm_email" {
  description = "Address that alarms are mailed to; null: nobody (the topic is there all the same)."
  type        = string
  default     = null
}

variable "log_days" {
  description = "Days that the hosts' logs are kept."
  type        = number
  default     = 30
}

variable "nifi" {
  description = "What to watch of NiFi: Auto Scaling group, suffixes of the target groups of its canvas and of pushed records."
  type = object({
    asg_name                   = string
    target_group_suffix        = string
    ingest_target_group_suffix = string
  })
}

variable "airflow" {
  description = "What to watch of Airflow: Auto Scaling groups, target group suffix, name of the topic of missed deadlines."
  type = object({
    asg_names           = list(string)
    target_group_suffix = string
    deadline_topic_name = string
  })
}

variable "database" {
  description = "What to watch of Airflow's database: instance id, its first storage (GiB), how many connections are still expected."
  type = object({
    instance_id = string
    storage_gib = number
    connections = optional(number, 150)
  })
}

variable "spark_application" {
  description = "EMR Serverless application that the dashboard shows: id and name."
  type        = object({ id = string, name = string })
}

variable "alb_suffix" {
  description = "The balancer's ARN suffix."
  type        = string
}

variable "certificate_arn" {
  description = "The listener's certificate."
  type        = string
}

variable "users_ca_arn" {
  description = "The users' CA, which writes revocation lists."
  type        = string
}
