# What Terraform built, for everybody who comes after it (Ansible, the driver, people). Public facts only.
locals {
  # Hosts are there long before the balancer and the database are: what is known by then is enough to prepare them meanwhile.
  preparation = {
    env                = var.env
    account_id         = var.account_id
    region             = var.region
    domain             = var.domain
    vpc_id             = module.networking.vpc_id
    vpc_cidr           = var.vpc_cidr
    private_subnet_ids = module.networking.private_subnet_ids
    hosts              = module.networking.hosts
    buckets            = merge(module.lake.buckets, { dags = module.airflow.dags.bucket })
    kms                = { data_key_arn = module.lake.data_key_arn }
    roles              = module.iam.roles
    alarm_topic_arn    = module.monitoring.alarm_topic_arn
    log_groups         = module.monitoring.log_groups

    urls = {
      nifi    = "https://${module.networking.hosts.nifi}/nifi/"
      airflow = "https://${module.networking.hosts.airflow}/"
      ingest  = "https://${module.networking.hosts.ingest}/"
    }

    pki = {
      users_ca_arn    = module.pki.users_ca_arn
      services_ca_arn = module.pki.services_ca_arn
      crl_bucket      = module.pki.crl.bucket
      crl_prefix      = module.pki.crl.prefix
    }

    nifi = {
      asg_name          = module.nifi.asg_name
      target_group_arn  = module.nifi.target_group.arn
      security_group_id = module.nifi.security_group_id
      edge_port         = local.edge_port
      https_port        = local.https_port
      archive_url       = var.nifi_archive_url
      archive_checksum  = var.nifi_archive_checksum
      log_group         = module.monitoring.log_groups["nifi"]
    }

    ingest = {
      target_group_arn = module.nifi.ingest_target_group.arn
      edge_port        = local.ingest_edge_port
      listen_port      = 9500
    }

    airflow = {
      asg_names             = module.airflow.asg_names
      target_group_arn      = module.airflow.target_group.arn
      security_group_id     = module.airflow.security_group_id
      edge_port             = local.edge_port
      api_port              = 8080
      log_group             = module.monitoring.log_groups["airflow"]
      dags_prefix           = module.airflow.dags.prefix
      secrets_prefix        = "dataplatform/${var.env}/airflow"
      trigger_role_arn      = module.iam.roles.nifi_trigger
      trigger_secret_prefix = "dataplatform/${var.env}/users/airflow"
      deadline_topic_arn    = module.airflow.deadline_topic_arn
      # Where it will be is not known yet.
      database = { instance_id = "", endpoint = "", port = 5432, name = "airflow", master_secret_arn = "" }
    }

    processing = {
      application_id     = module.processing.application.id
      execution_role_arn = module.iam.roles.spark_execution
      release_label      = module.processing.application.release_label
      jobs_bucket        = module.lake.buckets["artifacts"]
      jobs_prefix        = module.processing.jobs_prefix
      logs_uri           = module.processing.logs_uri
      databases          = module.processing.databases
      warehouses         = module.processing.warehouses
    }
  }

  document = merge(local.preparation, {
    alb     = merge({ for key, value in module.networking.alb : key => value if key != "arn_suffix" }, { allowed_cidrs = var.allowed_cidrs })
    airflow = merge(local.preparation.airflow, { database = module.airflow.database })
  })
}

resource "aws_ssm_parameter" "preparation" {
  #checkov:skip=CKV2_AWS_34:Public facts only
  #checkov:skip=CKV_AWS_337:Public facts only
  name        = "/dataplatform/${var.env}/preparation"
  description = "What is known of ${var.env} once its hosts are there: the platform document without balancer and database; read by Ansible"
  type        = "String"
  tier        = "Advanced"
  value       = jsonencode(local.preparation)
}

resource "aws_ssm_parameter" "document" {
  #checkov:skip=CKV2_AWS_34:Public facts only
  #checkov:skip=CKV_AWS_337:Public facts only
  name        = "/dataplatform/${var.env}/platform"
  description = "What Terraform built in ${var.env}; read by Ansible"
  type        = "String"
  # The document is longer than the 4 KB of a standard parameter, and much shorter than the 8 KB of an advanced one (0.05 USD a month).
  # https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-advanced-parameters.html
  tier  = "Advanced"
  value = jsonencode(local.document)
}
