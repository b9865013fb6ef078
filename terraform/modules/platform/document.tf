# What Terraform built, for everybody who comes after it (Ansible, the driver, people). Public facts only.
locals {
  document = {
    env                = var.env
    account_id         = var.account_id
    region             = var.region
    domain             = var.domain
    vpc_id             = module.networking.vpc_id
    vpc_cidr           = var.vpc_cidr
    private_subnet_ids = module.networking.private_subnet_ids
    hosts              = module.networking.hosts
    urls               = { nifi = "https://${module.networking.hosts.nifi}/nifi/" }
    alb                = merge({ for key, value in module.networking.alb : key => value if key != "arn_suffix" }, { allowed_cidrs = var.allowed_cidrs })
    buckets            = module.lake.buckets
    kms                = { data_key_arn = module.lake.data_key_arn }
    roles              = module.iam.roles
    alarm_topic_arn    = module.monitoring.alarm_topic_arn
    log_groups         = module.monitoring.log_groups

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
  }
}

resource "aws_ssm_parameter" "document" {
  #checkov:skip=CKV2_AWS_34:Public facts only
  #checkov:skip=CKV_AWS_337:Public facts only
  name        = "/dataplatform/${var.env}/platform"
  description = "What Terraform built in ${var.env}; read by Ansible"
  type        = "String"
  tier        = "Standard"
  value       = jsonencode(local.document)
}
