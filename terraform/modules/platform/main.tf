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
  interface_endpoints = var.interface_endpoints
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
  bucket_arns           = merge(module.lake.bucket_arns, { dags = module.airflow.dags_bucket_arn })
  data_key_arn          = module.lake.data_key_arn
  trust_store_arn       = module.networking.alb.trust_store_arn
  issue_users_policy    = module.pki.issue_users_policy
  issue_services_policy = module.pki.issue_services_policy
  spark_application_arn = module.processing.application.arn
  deadline_topic_arn    = module.airflow.deadline_topic_arn
  database_secret_arn   = module.airflow.database.master_secret_arn
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
  ingest_host           = module.networking.hosts.ingest
  instance_profile_arn  = module.iam.nifi_instance_profile.arn
  ami_id                = var.nifi_ami_id
  sizing                = { for name, value in var.nifi : name => value if value != null }
  edge_port             = local.edge_port
  ingest_edge_port      = local.ingest_edge_port
  https_port            = local.https_port
  artifacts_bucket      = module.lake.buckets["artifacts"]
  agents                = local.agents
}

module "airflow" {
  source = "../airflow"

  env                     = var.env
  region                  = var.region
  bucket_suffix           = var.bucket_suffix
  vpc_id                  = module.networking.vpc_id
  vpc_cidr                = var.vpc_cidr
  subnet_ids              = module.networking.private_subnet_ids
  listener_arn            = module.networking.alb.listener_arn
  alb_security_group_id   = module.networking.alb.security_group_id
  host                    = module.networking.hosts.airflow
  instance_profile_arn    = module.iam.airflow_instance_profile.arn
  ami_id                  = var.airflow_ami_id
  groups                  = { for name, group in var.airflow.groups : name => { for key, value in group : key => value if value != null } }
  edge_port               = local.edge_port
  database                = { for name, value in var.database : name => value if value != null }
  deletion_protection     = var.deletion_protection
  log_days                = var.log_days
  data_key_arn            = module.lake.data_key_arn
  logs_bucket             = module.lake.buckets["logs"]
  noncurrent_version_days = coalesce(var.retention.noncurrent_version_days, 30)
  dags_directory          = "${var.pipelines_directory}/dags"
  alarm_email             = var.alarm_email
  artifacts_bucket        = module.lake.buckets["artifacts"]
  agents                  = local.agents
}

module "processing" {
  source = "../processing"

  env            = var.env
  buckets        = module.lake.buckets
  jobs_directory = "${var.pipelines_directory}/jobs"
  sizing         = { for name, value in var.processing : name => value if value != null }
  lake_policy    = module.iam.lake_policy
  databricks     = var.databricks
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
    asg_name                   = module.nifi.asg_name
    target_group_suffix        = module.nifi.target_group.arn_suffix
    ingest_target_group_suffix = module.nifi.ingest_target_group.arn_suffix
  }

  airflow = {
    asg_names           = module.airflow.asg_names
    target_group_suffix = module.airflow.target_group.arn_suffix
    deadline_topic_name = reverse(split(":", module.airflow.deadline_topic_arn))[0]
  }

  database = { for name, value in {
    instance_id = module.airflow.database.instance_id
    storage_gib = coalesce(var.database.storage_gib, 20)
    connections = var.database.connections
  } : name => value if value != null }

  spark_application = { id = module.processing.application.id, name = module.processing.application.name }
}

locals {
  edge_port        = 9443
  https_port       = 8443
  ingest_edge_port = 9444
  agents           = { for name, agent in var.agents : name => { key = aws_s3_object.agent[name].key, sha256 = agent.sha256 } }
}
