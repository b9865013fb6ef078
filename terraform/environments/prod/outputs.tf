output "platform" {
  description = "What was built: names, ARNs and addresses; public facts only."
  value       = module.platform.platform
}
