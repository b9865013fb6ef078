output "platform" {
  description = "What was built: the object of the SSM parameter /dataplatform/ENV/platform."
  value       = local.document
}
