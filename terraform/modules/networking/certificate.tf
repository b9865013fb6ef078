# The listener's own certificate: given, or an ACM public one. Never from the users' CA, which signs clients only.
locals {
  hosts              = { for name in ["nifi", "airflow", "ingest"] : name => "${name}.${var.domain}" }
  request            = var.certificate_arn == null
  certificate_arn    = local.request ? one(aws_acm_certificate_validation.this[*].certificate_arn) : var.certificate_arn
  validation_options = local.request ? { for option in one(aws_acm_certificate.this).domain_validation_options : option.domain_name => option } : {}
}

resource "aws_acm_certificate" "this" {
  count = local.request ? 1 : 0

  domain_name               = local.hosts.nifi
  subject_alternative_names = [local.hosts.airflow, local.hosts.ingest]
  validation_method         = "DNS"

  lifecycle {
    create_before_destroy = true

    precondition {
      condition     = var.hosted_zone_id != null
      error_message = "Set certificate_arn (an ACM certificate for nifi.${var.domain} and its siblings), or hosted_zone_id so that one can be requested and validated."
    }
  }
}

resource "aws_route53_record" "validation" {
  for_each = local.request && var.hosted_zone_id != null ? local.hosts : {}

  zone_id         = var.hosted_zone_id
  name            = local.validation_options[each.value].resource_record_name
  type            = local.validation_options[each.value].resource_record_type
  records         = [local.validation_options[each.value].resource_record_value]
  ttl             = 60
  allow_overwrite = true
}

resource "aws_acm_certificate_validation" "this" {
  count = local.request ? 1 : 0

  certificate_arn         = aws_acm_certificate.this[0].arn
  validation_record_fqdns = [for record in aws_route53_record.validation : record.fqdn]
}

resource "aws_route53_record" "alias" {
  for_each = var.hosted_zone_id == null ? {} : local.hosts

  zone_id = var.hosted_zone_id
  name    = each.value
  type    = "A"

  alias {
    name                   = aws_lb.this.dns_name
    zone_id                = aws_lb.this.zone_id
    evaluate_target_health = true
  }
}
