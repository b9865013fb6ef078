output "nifi_instance_profile" {
  description = "Instance profile of NiFi hosts: name and ARN."
  value       = { name = aws_iam_instance_profile.nifi.name, arn = aws_iam_instance_profile.nifi.arn }

  # A host asks for its certificates at its first boot.
  depends_on = [aws_iam_role_policy.nifi, aws_iam_role_policy.nifi_certificates, aws_iam_role_policy_attachment.nifi_ssm]
}

output "airflow_instance_profile" {
  description = "Instance profile of Airflow hosts: name and ARN."
  value       = { name = aws_iam_instance_profile.airflow.name, arn = aws_iam_instance_profile.airflow.arn }

  depends_on = [aws_iam_role_policy.airflow, aws_iam_role_policy_attachment.airflow_ssm]
}

output "lake_policy" {
  description = "IAM policy (JSON) of who processes data: bronze read, silver and gold written, in buckets and catalog."
  value       = data.aws_iam_policy_document.lake.json
}

output "roles" {
  description = "Role ARNs: nifi_instance, nifi_lake, airflow_instance, nifi_trigger, spark_execution, issuer, pickup, plan, apply, operator."
  value = {
    nifi_instance    = aws_iam_role.nifi.arn
    nifi_lake        = aws_iam_role.nifi_lake.arn
    airflow_instance = aws_iam_role.airflow.arn
    nifi_trigger     = aws_iam_role.nifi_trigger.arn
    spark_execution  = aws_iam_role.spark.arn
    issuer           = aws_iam_role.issuer.arn
    pickup           = aws_iam_role.pickup.arn
    plan             = aws_iam_role.deployer["plan"].arn
    apply            = aws_iam_role.deployer["apply"].arn
    operator         = aws_iam_role.operator.arn
  }
}
