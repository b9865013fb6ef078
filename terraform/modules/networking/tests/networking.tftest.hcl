mock_provider "aws" {
  source = "../../tests/mocks"
}

variables {
  env                = "dev"
  domain             = "dev.data.example.com"
  vpc_cidr           = "10.20.0.0/16"
  availability_zones = ["eu-central-1a", "eu-central-1b"]
  allowed_cidrs      = ["198.51.100.0/24"]
  certificate_arn    = "arn:aws:acm:eu-central-1:111122223333:certificate/11111111-2222-3333-4444-555555555555"
  trust_store_bundle = { bucket = "nifi-dev-certs-test", key = "trust-store/users-ca.pem" }
  logs_bucket        = "dataplatform-dev-logs-test"
}

run "mutual_tls_on_the_only_https_listener" {
  assert {
    condition     = aws_lb_listener.https.mutual_authentication[0].mode == "verify"
    error_message = "without verify anybody could send the identity headers that the edges trust"
  }

  assert {
    condition     = aws_lb_listener.https.mutual_authentication[0].trust_store_arn == aws_lb_trust_store.users.arn
    error_message = "the listener must check against the users' trust store"
  }

  assert {
    condition     = aws_lb_listener.https.mutual_authentication[0].advertise_trust_store_ca_names == "on"
    error_message = "browsers choose the right certificate by the advertised names"
  }

  assert {
    condition     = aws_lb_listener.https.default_action[0].fixed_response[0].status_code == "421"
    error_message = "a name without a service gets 421, never a target"
  }

  assert {
    condition     = aws_lb_listener.http.default_action[0].redirect[0].protocol == "HTTPS"
    error_message = "HTTP only redirects"
  }
}

run "only_allowed_ranges_and_the_nat_gateway_come_in" {
  assert {
    condition     = toset([for rule in aws_vpc_security_group_ingress_rule.https : rule.cidr_ipv4]) == toset(["198.51.100.0/24", "203.0.113.7/32"])
    error_message = "HTTPS is for allowed_cidrs and the NAT addresses, for nobody else"
  }

  assert {
    condition     = length(aws_default_security_group.this.ingress) == 0 && length(aws_default_security_group.this.egress) == 0
    error_message = "the default security group lets nothing through"
  }

  assert {
    condition     = alltrue([for subnet in aws_subnet.public : subnet.map_public_ip_on_launch != true])
    error_message = "no host gets a public address by accident"
  }
}

run "one_nat_gateway" {
  assert {
    condition     = length(aws_nat_gateway.this) == 1 && length(distinct([for route in aws_route.nat : route.nat_gateway_id])) == 1
    error_message = "mode single has one NAT gateway, used by all private subnets"
  }

  assert {
    condition     = aws_vpc_endpoint.s3.vpc_endpoint_type == "Gateway" && length(aws_vpc_endpoint.interface) == 11
    error_message = "S3 by the free gateway endpoint, other services by interface endpoints"
  }
}

run "unset_endpoints_are_the_default" {
  command = plan

  variables {
    interface_endpoints = null
  }

  assert {
    condition     = contains(keys(aws_vpc_endpoint.interface), "ssmmessages") && length(aws_vpc_endpoint.interface) == 11
    error_message = "the platform hands on what an environment leaves unset"
  }
}

run "a_nat_gateway_per_zone" {
  variables {
    availability_zones = ["eu-central-1a", "eu-central-1b", "eu-central-1c"]
    nat_gateway_mode   = "per-az"
  }

  assert {
    condition     = length(aws_nat_gateway.this) == 3 && alltrue([for zone, route in aws_route.nat : route.nat_gateway_id == aws_nat_gateway.this[zone].id])
    error_message = "each zone's private subnet leaves by the NAT gateway of its own zone"
  }

  assert {
    condition     = length(distinct(concat([for s in aws_subnet.public : s.cidr_block], [for s in aws_subnet.private : s.cidr_block]))) == 6
    error_message = "subnets do not overlap"
  }
}

run "requests_a_certificate_where_none_is_given" {
  variables {
    certificate_arn = null
    hosted_zone_id  = "Z0000000EXAMPLE"
  }

  command = plan

  assert {
    condition     = aws_acm_certificate.this[0].domain_name == "nifi.dev.data.example.com"
    error_message = "the certificate is for the platform's names"
  }

  assert {
    condition     = length(aws_route53_record.alias) == 3
    error_message = "all names point to the balancer"
  }
}

run "says_what_to_do_without_certificate_and_zone" {
  variables {
    certificate_arn = null
  }

  command         = plan
  expect_failures = [aws_acm_certificate.this]
}

run "refuses_one_zone" {
  variables {
    availability_zones = ["eu-central-1a"]
  }

  command         = plan
  expect_failures = [var.availability_zones]
}

run "refuses_an_open_list" {
  variables {
    allowed_cidrs = []
  }

  command         = plan
  expect_failures = [var.allowed_cidrs]
}

run "example_one_nat_gateway" {
  command = plan

  module {
    source = "./examples/one-nat-gateway"
  }
}

run "example_nat_gateway_per_zone" {
  command = plan

  module {
    source = "./examples/nat-gateway-per-zone"
  }
}
