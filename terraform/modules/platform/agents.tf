# Debian's images carry no SSM and no CloudWatch agent, and hosts in private subnets shall not fetch programs from anywhere: the packages go
# into the artifacts bucket, and hosts install them from there when the checksum is the reviewed one.
resource "aws_s3_object" "agent" {
  for_each = var.agents

  bucket      = module.lake.buckets["artifacts"]
  key         = "agents/${each.key}-${substr(each.value.sha256, 0, 12)}.deb"
  source      = each.value.file
  source_hash = each.value.sha256

  lifecycle {
    precondition {
      condition     = fileexists(pathexpand(each.value.file)) ? filesha256(pathexpand(each.value.file)) == each.value.sha256 : true
      error_message = "${each.value.file} is not the package with SHA-256 ${each.value.sha256}: download it again, or review the new version and change sha256."
    }
  }
}
