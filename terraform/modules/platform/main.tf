# One environment. What differs between environments is in its variables; what belongs together is wired here.
module "lake" {
  source = "../s3-datalake"

  env           = var.env
  bucket_suffix = var.bucket_suffix
  # An unset value of the environment means the module's own default.
  retention     = { for name, days in var.retention : name => days if days != null }
  force_destroy = !var.deletion_protection
}

module "pki" {
  source = "../pki-acm-ca"

  env                  = var.env
  certificates_bucket  = module.lake.buckets["certificates"]
  deletion_window_days = var.deletion_protection ? 30 : 7
}

module "networking" {
  source = "../networking"

  env                 = var.env
  domain              = var.domain
  vpc_cidr            = var.vpc_cidr
  availability_zones  = var.availability_zones
  nat_gateway_mode    = var.nat_gateway_mode
  interface_endpoints = coalesce(var.interface_endpoints, local.interface_endpoints)
  allowed_cidrs       = var.allowed_cidrs
  certificate_arn     = var.certificate_arn
  hosted_zone_id      = var.hosted_zone_id
  trust_store_bundle  = module.pki.trust_store_bundle
  logs_bucket         = module.lake.buckets["logs"]
  flow_log_days       = var.log_days
  deletion_protection = var.deletion_protection
}

module "iam" {
  source = "../iam"

  env                   = var.env
  region                = var.region
  bucket_arns           = module.lake.bucket_arns
  data_key_arn          = module.lake.data_key_arn
  trust_store_arn       = module.networking.alb.trust_store_arn
  issue_users_policy    = module.pki.issue_users_policy
  issue_services_policy = module.pki.issue_services_policy
  github_repository     = var.github_repository
}

module "nifi" {
  source = "../nifi"

  env                   = var.env
  region                = var.region
  vpc_id                = module.networking.vpc_id
  vpc_cidr              = var.vpc_cidr
  subnet_ids            = module.networking.private_subnet_ids
  listener_arn          = module.networking.alb.listener_arn
  alb_security_group_id = module.networking.alb.security_group_id
  host                  = module.networking.hosts.nifi
  instance_profile_arn  = module.iam.nifi_instance_profile.arn
  ami_id                = var.nifi_ami_id
  sizing                = { for name, value in var.nifi : name => value if value != null }
  edge_port             = local.edge_port
  https_port            = local.https_port
  artifacts_bucket      = module.lake.buckets["artifacts"]
  agents                = { for name, agent in var.agents : name => { key = aws_s3_object.agent[name].key, sha256 = agent.sha256 } }
}

module "monitoring" {
  source = "../monitoring"

  env             = var.env
  alarm_email     = var.alarm_email
  log_days        = var.log_days
  alb_suffix      = module.networking.alb.arn_suffix
  certificate_arn = module.networking.certificate_arn
  users_ca_arn    = module.pki.users_ca_arn

  nifi = {
    asg_name            = module.nifi.asg_name
    target_group_suffix = module.nifi.target_group.arn_suffix
  }
}

locals {
  edge_port           = 9443
  https_port          = 8443
  interface_endpoints = toset(["acm-pca", "ec2messages", "logs", "monitoring", "secretsmanager", "ssm", "ssmmessages", "sts"])
}
