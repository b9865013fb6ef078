module "platform" {
  source = "../../modules/platform"

  env                   = var.env
  account_id            = var.account_id
  region                = var.region
  domain                = var.domain
  bucket_suffix         = var.bucket_suffix
  vpc_cidr              = var.vpc_cidr
  availability_zones    = var.availability_zones
  allowed_cidrs         = var.allowed_cidrs
  certificate_arn       = var.certificate_arn
  hosted_zone_id        = var.hosted_zone_id
  alarm_email           = var.alarm_email
  github_repository     = var.github_repository
  nat_gateway_mode      = var.nat_gateway_mode
  interface_endpoints   = var.interface_endpoints
  retention             = var.retention
  log_days              = var.log_days
  deletion_protection   = var.deletion_protection
  nifi                  = var.nifi
  nifi_ami_id           = var.nifi_ami_id
  nifi_archive_url      = var.nifi_archive_url
  nifi_archive_checksum = var.nifi_archive_checksum
  agents                = var.agents
}
