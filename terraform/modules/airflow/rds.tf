resource "aws_db_subnet_group" "this" {
  name        = local.name
  description = "Private subnets of ${var.env}"
  subnet_ids  = var.subnet_ids
}

resource "aws_db_parameter_group" "this" {
  name        = "${local.name}-postgres17"
  description = "Airflow's database: TLS only, slow statements in the log"
  family      = "postgres17"

  # PostgreSQL's default too, but said. RDS keeps its own apply method where a value is no news, so another one would differ for ever.
  parameter {
    name         = "rds.force_ssl"
    value        = "1"
    apply_method = "pending-reboot"
  }

  parameter {
    name  = "log_min_duration_statement"
    value = "2000" # milliseconds
  }
}

# RDS would make this group itself, and keep it forever.
resource "aws_cloudwatch_log_group" "database" {
  #checkov:skip=CKV_AWS_158:Statements hold no secrets: Airflow encrypts those before it writes them
  #checkov:skip=CKV_AWS_338:How long is a value of the environment
  name              = "/aws/rds/instance/${local.name}/postgresql"
  retention_in_days = var.log_days
}

resource "aws_db_instance" "this" {
  #checkov:skip=CKV_AWS_118:CloudWatch's own metrics, once a minute, serve the alarms
  #checkov:skip=CKV_AWS_157:A value of the environment
  #checkov:skip=CKV_AWS_161:Airflow logs in with a password that a role rotates; IAM tokens last 15 minutes, pooled connections longer
  #checkov:skip=CKV_AWS_226:Unless a minor version is named, which is to stay then
  #checkov:skip=CKV_AWS_293:A value of the environment
  #checkov:skip=CKV_AWS_353:Slow statements are in the log
  identifier     = local.name
  engine         = "postgres"
  engine_version = var.database.engine_version
  instance_class = var.database.instance_class
  db_name        = "airflow"
  port           = local.database_port

  # RDS makes the password and keeps it in Secrets Manager: it is in no state and no plan. One task uses it, to make Airflow's own role.
  username                    = "dbmaster"
  manage_master_user_password = true

  storage_type          = "gp3"
  allocated_storage     = var.database.storage_gib
  max_allocated_storage = var.database.max_storage_gib
  storage_encrypted     = true
  kms_key_id            = var.data_key_arn

  multi_az               = var.database.multi_az
  db_subnet_group_name   = aws_db_subnet_group.this.name
  vpc_security_group_ids = [aws_security_group.database.id]
  publicly_accessible    = false
  parameter_group_name   = aws_db_parameter_group.this.name

  backup_retention_period   = var.database.backup_days
  copy_tags_to_snapshot     = true
  delete_automated_backups  = !var.deletion_protection
  deletion_protection       = var.deletion_protection
  skip_final_snapshot       = !var.deletion_protection
  final_snapshot_identifier = var.deletion_protection ? "${local.name}-final" : null

  # A minor version that is named is kept: one that RDS has upgraded by itself can't be taken back, and every later plan would try.
  auto_minor_version_upgrade      = !strcontains(var.database.engine_version, ".")
  apply_immediately               = var.database.apply_immediately
  enabled_cloudwatch_logs_exports = ["postgresql"]

  depends_on = [aws_cloudwatch_log_group.database]
}
