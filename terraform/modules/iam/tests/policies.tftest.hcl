# The provider writes policy documents itself, without asking AWS.
provider "aws" {
  region                      = "eu-central-1"
  access_key                  = "none"
  secret_key                  = "none"
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_requesting_account_id  = true
}

override_data {
  target = data.aws_caller_identity.this
  values = { account_id = "111122223333" }
}

variables {
  env             = "dev"
  region          = "eu-central-1"
  data_key_arn    = "arn:aws:kms:eu-central-1:111122223333:key/11111111-2222-3333-4444-555555555555"
  trust_store_arn = "arn:aws:elasticloadbalancing:eu-central-1:111122223333:truststore/dev-users/0123456789abcdef"

  spark_application_arn = "arn:aws:emr-serverless:eu-central-1:111122223333:/applications/00f1r1ex2mpl3001"
  deadline_topic_arn    = "arn:aws:sns:eu-central-1:111122223333:dev-airflow-deadlines"
  database_secret_arn   = "arn:aws:secretsmanager:eu-central-1:111122223333:secret:rds!db-11111111-2222-3333-4444-555555555555-AbCdEf"

  bucket_arns = {
    bronze       = "arn:aws:s3:::dl-dev-bronze-test"
    silver       = "arn:aws:s3:::dl-dev-silver-test"
    gold         = "arn:aws:s3:::dl-dev-gold-test"
    certificates = "arn:aws:s3:::nifi-dev-certs-test"
    artifacts    = "arn:aws:s3:::dataplatform-dev-artifacts-test"
    logs         = "arn:aws:s3:::dataplatform-dev-logs-test"
    dags         = "arn:aws:s3:::dataplatform-dev-dags-test"
  }

  issue_users_policy    = "{\"Version\":\"2012-10-17\",\"Statement\":[]}"
  issue_services_policy = "{\"Version\":\"2012-10-17\",\"Statement\":[]}"
}

run "no_policy_allows_everything" {
  command = plan

  assert {
    condition = alltrue(flatten([
      for document in [
        data.aws_iam_policy_document.nifi, data.aws_iam_policy_document.nifi_trigger, data.aws_iam_policy_document.issuer,
        data.aws_iam_policy_document.pickup, data.aws_iam_policy_document.plan, data.aws_iam_policy_document.apply,
        data.aws_iam_policy_document.airflow, data.aws_iam_policy_document.spark,
        data.aws_iam_policy_document.nifi_lake, data.aws_iam_policy_document.operator,
        ] : [
        for s in jsondecode(document.json).Statement : [
          for action in flatten([s.Action]) : !endswith(action, ":*") && action != "*"
        ]
      ]
    ]))
    error_message = "no action is * or a whole service"
  }

  assert {
    condition = alltrue(flatten([
      for document in [
        data.aws_iam_policy_document.nifi, data.aws_iam_policy_document.issuer, data.aws_iam_policy_document.pickup,
        data.aws_iam_policy_document.nifi_trigger, data.aws_iam_policy_document.airflow, data.aws_iam_policy_document.spark,
        data.aws_iam_policy_document.nifi_lake, data.aws_iam_policy_document.operator,
        ] : [
        for s in jsondecode(document.json).Statement : contains(["Inventory", "LookAtTargetsAndPorts", "Metrics", "OwnTags", "ReadTrustStore", "RemoveQueues"], s.Sid)
        if contains(flatten([s.Resource]), "*")
      ]
    ]))
    error_message = "resources are named, but for the calls that know none"
  }

  assert {
    condition = alltrue([
      for document in [data.aws_iam_policy_document.apply, data.aws_iam_policy_document.operator] : length(replace(document.json, "/\\s/", "")) < 10240
    ])
    error_message = "IAM keeps at most 10,240 characters of a role's own policies"
  }
}

run "the_issuer_reads_no_secret_and_the_planner_changes_nothing" {
  command = plan

  assert {
    condition     = !strcontains(data.aws_iam_policy_document.issuer.json, "GetSecretValue")
    error_message = "the issuer writes keystores and cannot read them"
  }

  assert {
    condition = alltrue(flatten([for s in jsondecode(data.aws_iam_policy_document.plan.json).Statement : [
      for action in flatten([s.Action]) : can(regex(":(Describe|Get|List|Decrypt)", action)) || contains(["StateLock", "StateKey"], s.Sid)
    ]]))
    error_message = "apart from the state's lock a plan only reads"
  }

  assert {
    condition     = !strcontains(data.aws_iam_policy_document.plan.json, "GetSecretValue") && !strcontains(data.aws_iam_policy_document.apply.json, "GetSecretValue")
    error_message = "deployers read no secret"
  }
}

run "deployers_reach_what_the_runner_reads_and_writes" {
  command = plan

  assert {
    condition = alltrue([
      for document in [data.aws_iam_policy_document.plan, data.aws_iam_policy_document.apply] : contains(
        flatten([for s in jsondecode(document.json).Statement : s.Resource if s.Sid == "State"]),
        "arn:aws:s3:::dataplatform-tfstate-111122223333-eu-central-1/bootstrap/*"
      )
    ])
    error_message = "what the bootstrap applied tells whether the account keeps states"
  }

  assert {
    condition = toset(flatten([
      for s in jsondecode(data.aws_iam_policy_document.apply.json).Statement : s.Resource if s.Sid == "WriteState"
      ])) == toset([
      "arn:aws:s3:::dataplatform-tfstate-111122223333-eu-central-1/dev/terraform.tfstate",
      "arn:aws:s3:::dataplatform-tfstate-111122223333-eu-central-1/dev/plans/*",
    ])
    error_message = "its own environment's state, and the marks of plans that were applied"
  }

  assert {
    condition = alltrue([
      for document in [data.aws_iam_policy_document.apply, data.aws_iam_policy_document.operator] : alltrue([
        for action in ["kms:Decrypt", "kms:GenerateDataKey"] : contains(flatten([
          for s in jsondecode(document.json).Statement : s.Action if contains(flatten([s.Resource]), var.data_key_arn)
        ]), action)
      ])
    ])
    error_message = "artifacts and code lie under the data key"
  }
}

run "deployers_and_operators_may_what_their_tools_call" {
  command = plan

  assert {
    condition = alltrue([
      for action in ["autoscaling:SuspendProcesses", "acm-pca:RevokeCertificate", "route53:AssociateVPCWithHostedZone", "s3:GetObjectVersion"] :
      contains(flatten([for s in jsondecode(data.aws_iam_policy_document.apply.json).Statement : s.Action]), action)
    ])
    error_message = "the provider suspends processes of groups, revokes certificates of CAs; AWS associates endpoints' zones and reads the trust store's version"
  }

  assert {
    condition     = contains(flatten([for s in jsondecode(data.aws_iam_policy_document.operator.json).Statement : s.Action]), "ssmmessages:OpenDataChannel")
    error_message = "session-manager-plugin opens the session's channel with the caller's rights"
  }

  # https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonsns.html
  assert {
    condition = alltrue([
      for document in [data.aws_iam_policy_document.apply, data.aws_iam_policy_document.operator] : alltrue([
        for s in jsondecode(document.json).Statement : s.Resource == "*" if contains(flatten([s.Action]), "sns:Unsubscribe")
      ])
    ])
    error_message = "Unsubscribe knows no resources: with one it is allowed nowhere"
  }
}

run "the_operators_stages_may_what_they_call" {
  command = plan

  # stage: action resource, as the stage's playbooks and modules call them on the machine that runs them
  assert {
    condition = alltrue(flatten([
      for stage, calls in {
        hosts = ["autoscaling:DescribeAutoScalingGroups *", "ec2:DescribeInstances *"]
        certificates = [
          "s3:GetObject arn:aws:s3:::dataplatform-tfstate-111122223333-eu-central-1/dev/terraform.tfstate.tflock",
          "s3:ListBucket arn:aws:s3:::dataplatform-tfstate-111122223333-eu-central-1",
          "s3:PutObject arn:aws:s3:::nifi-dev-certs-test/registry/*",
        ]
        configuration = concat(
          [for action in ["Attributes", "s"] : "elasticloadbalancing:DescribeTargetGroup${action} *"],
          ["elasticloadbalancing:DescribeTags *", "elasticloadbalancing:DescribeTargetHealth *"],
          [for action in ["CreateSecret", "GetSecretValue", "PutSecretValue", "TagResource"] :
          "secretsmanager:${action} arn:aws:secretsmanager:eu-central-1:111122223333:secret:dataplatform/dev/airflow/*"],
          ["secretsmanager:GetSecretValue ${var.database_secret_arn}"],
          [for action in ["GetObject", "GetObjectTagging", "PutObject"] : "s3:${action} arn:aws:s3:::dataplatform-dev-artifacts-test/airflow/*"],
        )
        pipelines = concat(
          [for place in ["dags-test/*", "artifacts-test/jobs/*"] : "s3:PutObject arn:aws:s3:::dataplatform-dev-${place}"],
          [for place in ["dags-test/*", "artifacts-test/jobs/*"] : "s3:DeleteObject arn:aws:s3:::dataplatform-dev-${place}"],
          [for name in ["dags", "artifacts"] : "s3:ListBucket arn:aws:s3:::dataplatform-dev-${name}-test"],
          [for action in ["DescribeSecret", "GetResourcePolicy", "UpdateSecret"] :
          "secretsmanager:${action} arn:aws:secretsmanager:eu-central-1:111122223333:secret:dataplatform/dev/airflow/*"],
        )
        verification = concat(
          ["ec2:DescribeSecurityGroupRules *", "sqs:ListQueues *", "sns:Unsubscribe *"],
          [for action in ["Subscribe", "ListSubscriptionsByTopic"] : "sns:${action} ${var.deadline_topic_arn}"],
          [for action in ["CreateQueue", "DeleteQueue", "GetQueueAttributes", "ReceiveMessage", "SetQueueAttributes"] :
          "sqs:${action} arn:aws:sqs:eu-central-1:111122223333:dataplatform-dev-verification-*"],
          ["s3:PutObject arn:aws:s3:::dataplatform-dev-artifacts-test/landing/*", "s3:GetObject arn:aws:s3:::dl-dev-bronze-test/*"],
          [for layer in ["silver", "gold"] : "s3:GetObject arn:aws:s3:::dl-dev-${layer}-test/warehouse/*/metadata/*"],
          [for layer in ["bronze", "silver", "gold"] : "s3:ListBucket arn:aws:s3:::dl-dev-${layer}-test"],
          [for layer in ["bronze", "silver", "gold"] : "glue:GetTables arn:aws:glue:eu-central-1:111122223333:database/dev_${layer}"],
          [for name in ["airflow-instance", "nifi-trigger"] : "iam:GetRolePolicy arn:aws:iam::111122223333:role/dev-${name}"],
          ["iam:GetInstanceProfile arn:aws:iam::111122223333:instance-profile/dev-airflow-instance"],
          [for action in ["GetPolicy", "GetPolicyVersion"] : "iam:${action} arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore"],
        )
        evidence = ["autoscaling:DescribeAutoScalingGroups *", "ec2:DescribeInstances *", "elasticloadbalancing:DescribeTargetHealth *"]
        } : [
        for call in calls : contains(flatten([
          for s in jsondecode(data.aws_iam_policy_document.operator.json).Statement : [
            for pair in setproduct(flatten([s.Action]), flatten([s.Resource])) : join(" ", pair)
          ]
        ]), call)
      ]
    ]))
    error_message = "each stage after infrastructure is one that the operator can run"
  }

  assert {
    condition = alltrue([
      for action in ["autoscaling:DescribeAutoScalingGroups", "elasticloadbalancing:DescribeTargetHealth", "ec2:DescribeInstances", "s3:GetObject"] :
      contains(flatten([for s in jsondecode(data.aws_iam_policy_document.issuer.json).Statement : s.Action]), action)
    ]) && strcontains(data.aws_iam_policy_document.issuer.json, "/dev/terraform.tfstate.tflock")
    error_message = "a run of stage certificates looks at the state's lock first, and says in its record which nodes serve"
  }
}

run "the_operator_reaches_this_environments_hosts_and_no_users_secret" {
  command = plan

  assert {
    condition = alltrue([
      for s in jsondecode(data.aws_iam_policy_document.operator.json).Statement :
      try(s.Condition.StringEquals["ssm:resourceTag/Environment"], null) == "dev" || endswith(s.Resource, ":document/SSM-SessionManagerRunShell")
      if contains(flatten([s.Action]), "ssm:StartSession")
    ])
    error_message = "sessions are for the environment's own hosts"
  }

  assert {
    condition = toset(flatten([
      for s in jsondecode(data.aws_iam_policy_document.operator.json).Statement : s.Resource if contains(flatten([s.Action]), "secretsmanager:GetSecretValue")
    ])) == toset(["arn:aws:secretsmanager:eu-central-1:111122223333:secret:dataplatform/dev/airflow/*", var.database_secret_arn])
    error_message = "it is an issuer, which writes keystores and cannot read them; of Airflow it keeps keys and login"
  }

  assert {
    condition = alltrue([
      for s in jsondecode(data.aws_iam_policy_document.operator.json).Statement : alltrue([
        for resource in flatten([s.Resource]) : !can(regex(":::dl-", resource))
      ]) if can(regex("s3:(Put|Delete)", join(" ", flatten([s.Action]))))
    ])
    error_message = "the lake is written by flows and jobs"
  }

  assert {
    condition     = one([for s in jsondecode(data.aws_iam_policy_document.operator.json).Statement : s if flatten([s.Action]) == ["sns:Subscribe"]]).Condition.StringLike["sns:Endpoint"] == "arn:aws:sqs:eu-central-1:111122223333:dataplatform-dev-verification-*"
    error_message = "alerts go to queues of verifications, and nowhere else"
  }
}

run "hosts_touch_their_own_keystore_only" {
  command = plan

  assert {
    condition     = one([for s in jsondecode(data.aws_iam_policy_document.nifi.json).Statement : s if s.Sid == "OwnKeystore"]).Condition.StringLike["aws:userid"] == "*:$${aws:ResourceTag/InstanceId}"
    error_message = "the secret's tag must name the instance that asks"
  }

  assert {
    condition = toset(keys(one([
      for s in jsondecode(data.aws_iam_policy_document.nifi.json).Statement : s if contains(flatten([s.Action]), "secretsmanager:CreateSecret")
    ]).Condition)) == toset(["StringLike"])
    error_message = "a new secret carries the tags of the request: asking that it has none would deny it"
  }

  assert {
    condition = alltrue([
      for s in jsondecode(data.aws_iam_policy_document.nifi.json).Statement : can(s.Condition.StringLike["aws:userid"])
      if strcontains(join(" ", flatten([s.Action])), "secretsmanager:")
    ])
    error_message = "whatever a host does with a secret, the tag names the host"
  }
}

run "agents_and_modules_on_hosts_may_ask_what_they_need" {
  command = plan

  # amazon.aws.s3_object asks HeadBucket before it fetches, which s3:ListBucket without a prefix allows.
  assert {
    condition = alltrue([
      for document in [data.aws_iam_policy_document.nifi, data.aws_iam_policy_document.airflow] : anytrue([
        for s in jsondecode(document.json).Statement : flatten([s.Action]) == ["s3:ListBucket"]
        && contains(flatten([s.Resource]), "arn:aws:s3:::dataplatform-dev-artifacts-test") && !can(s.Condition)
      ])
    ])
    error_message = "hosts fetch archives and packages from artifacts"
  }

  # https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/create-iam-roles-for-cloudwatch-agent.html
  assert {
    condition = alltrue([
      for document in [data.aws_iam_policy_document.nifi, data.aws_iam_policy_document.airflow] : alltrue([
        for action in ["cloudwatch:PutMetricData", "ec2:DescribeTags", "logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"] :
        contains(flatten([for s in jsondecode(document.json).Statement : s.Action]), action)
      ])
    ])
    error_message = "the CloudWatch agent sends metrics by group, and logs"
  }
}

run "airflow_holds_its_own_secrets_and_changes_no_data" {
  command = plan

  assert {
    condition = toset(flatten([
      for s in jsondecode(data.aws_iam_policy_document.airflow.json).Statement : s.Resource if strcontains(join(" ", flatten([s.Action])), "secretsmanager:")
    ])) == toset(["arn:aws:secretsmanager:eu-central-1:111122223333:secret:dataplatform/dev/airflow/*"])
    error_message = "no user's certificate, and not the database's master password"
  }

  assert {
    condition = toset(flatten([
      for s in jsondecode(data.aws_iam_policy_document.airflow.json).Statement : s.Resource
      if can(regex("s3:(Put|Delete|Abort)", join(" ", flatten([s.Action]))))
    ])) == toset(["arn:aws:s3:::dataplatform-dev-logs-test/airflow/*"])
    error_message = "hosts write their task logs, and neither DAGs nor data"
  }

  assert {
    condition = one([for s in jsondecode(data.aws_iam_policy_document.airflow.json).Statement : s if s.Sid == "HandRoleToSpark"]) == {
      Sid       = "HandRoleToSpark"
      Effect    = "Allow"
      Action    = "iam:PassRole"
      Resource  = "arn:aws:iam::111122223333:role/dev-spark-execution"
      Condition = { StringEquals = { "iam:PassedToService" = "emr-serverless.amazonaws.com" } }
    }
    error_message = "one role, to one service"
  }

  assert {
    condition     = jsondecode(data.aws_iam_policy_document.nifi_trigger.json).Statement == [{ Sid = "OneCertificate", Effect = "Allow", Action = "secretsmanager:GetSecretValue", Resource = "arn:aws:secretsmanager:eu-central-1:111122223333:secret:dataplatform/dev/users/airflow/*" }]
    error_message = "the trigger's role reads one certificate and does nothing else"
  }
}

run "layers_are_written_by_whom_they_belong_to" {
  command = plan

  assert {
    condition = !anytrue(flatten([
      for s in jsondecode(data.aws_iam_policy_document.spark.json).Statement : [
        for resource in flatten([s.Resource]) : strcontains(resource, "bronze")
      ] if can(regex("(Put|Delete|Abort|Create|Update)", join(" ", flatten([s.Action]))))
    ]))
    error_message = "jobs read bronze, and never change what came in"
  }

  assert {
    condition = toset(flatten([
      for s in jsondecode(data.aws_iam_policy_document.spark.json).Statement : s.Resource if contains(flatten([s.Action]), "glue:UpdateTable")
      ])) == toset([
      "arn:aws:glue:eu-central-1:111122223333:catalog",
      "arn:aws:glue:eu-central-1:111122223333:database/dev_silver", "arn:aws:glue:eu-central-1:111122223333:table/dev_silver/*",
      "arn:aws:glue:eu-central-1:111122223333:database/dev_gold", "arn:aws:glue:eu-central-1:111122223333:table/dev_gold/*",
    ])
    error_message = "tables are made in silver and gold"
  }

  assert {
    condition = toset(flatten([
      for s in jsondecode(data.aws_iam_policy_document.nifi_lake.json).Statement : s.Resource if contains(flatten([s.Action]), "s3:PutObject")
    ])) == toset(["arn:aws:s3:::dl-dev-bronze-test/*"])
    error_message = "flows write to bronze, and nowhere else"
  }

  assert {
    condition     = !strcontains(data.aws_iam_policy_document.nifi_lake.json, "acm-pca") && !strcontains(data.aws_iam_policy_document.nifi.json, "dl-dev-bronze-test")
    error_message = "flows issue no certificates, and hosts do not write to the lake"
  }

  assert {
    condition     = one(jsondecode(data.aws_iam_policy_document.spark_trust.json).Statement).Condition.StringEquals["aws:SourceAccount"] == "111122223333"
    error_message = "another account's application is not handed the role"
  }
}

run "only_named_github_environments_may_deploy" {
  command = plan

  variables {
    github_repository = "example/data-platform"
  }

  assert {
    condition = [
      for s in jsondecode(data.aws_iam_policy_document.deployer_trust["apply"].json).Statement :
      s.Condition.StringEquals["token.actions.githubusercontent.com:sub"] if s.Action == "sts:AssumeRoleWithWebIdentity"
    ] == ["repo:example/data-platform:environment:dev"]
    error_message = "apply is for jobs of the environment, which asks for approval"
  }
}

run "refuses_an_address_as_repository" {
  command = plan

  variables {
    github_repository = "https://github.com/example/data-platform"
  }

  expect_failures = [var.github_repository]
}
