# Calls the CloudFormation templates of infra/: storage, then the GPU lane and the pipeline, then operations. The templates
# find each other by Prefix, through exports, so the order is given by depends_on. See README.md.

terraform {
  required_version = ">= 1.5"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.0"
    }
  }
}

locals {
  infra = "${path.module}/../../infra"

  # The budget and the operators' rights go by this tag.
  tags = { walkaround = var.prefix }

  # Without the GPU lane, triage segments every suspect photo itself.
  workers_max = var.gpu_lane ? var.workers_max : 0
}

# Buckets, table and queues. Most outlive the stack: what it holds is data.
resource "aws_cloudformation_stack" "storage" {
  name          = "${var.prefix}-storage"
  template_body = file("${local.infra}/storage.yaml")
  iam_role_arn  = var.cloudformation_role_arn
  tags          = local.tags

  parameters = {
    Prefix               = var.prefix
    KeyArn               = var.key_arn
    ExistingPhotosBucket = var.existing_photos_bucket
    PhotoEvents          = var.photo_events
    PhotoPrefix          = var.photo_prefix
    SenderAccounts       = join(",", var.sender_accounts)
    SubscriberAccounts   = join(",", var.subscriber_accounts)
    PhotoDays            = var.photo_days
    ResultDays           = var.result_days
    LogDays              = var.log_days
    DeletionProtection   = var.deletion_protection
  }
}

# Network and AWS Batch: no instance runs while there is no backlog.
resource "aws_cloudformation_stack" "gpu" {
  count = var.gpu_lane ? 1 : 0

  name          = "${var.prefix}-gpu"
  template_body = file("${local.infra}/gpu.yaml")
  capabilities  = ["CAPABILITY_IAM"]
  iam_role_arn  = var.cloudformation_role_arn
  tags          = local.tags

  # An update waits for busy workers.
  timeouts {
    update = "2h"
  }

  parameters = {
    Prefix               = var.prefix
    KeyArn               = var.key_arn
    BoundaryArn          = var.boundary_arn
    WorkerImageUri       = var.worker_image_uri
    Network              = var.network
    Zones                = var.zones
    MaxVcpus             = var.max_vcpus
    MachineImageRefresh  = var.machine_image_refresh
    BundleName           = var.bundle_name
    WorkersMin           = var.workers_min
    WorkersMax           = local.workers_max
    RecordDays           = var.record_days
    PhotoHosts           = join(",", var.photo_hosts)
    PhotoHeaderSecretArn = var.photo_header_secret_arn
    LogRetentionDays     = var.log_retention_days
  }

  depends_on = [aws_cloudformation_stack.storage]
}

# The functions. None starts before a bundle is active in the bundles bucket.
resource "aws_cloudformation_stack" "pipeline" {
  name          = "${var.prefix}-pipeline"
  template_body = file("${local.infra}/pipeline.yaml")
  capabilities  = ["CAPABILITY_IAM"]
  iam_role_arn  = var.cloudformation_role_arn
  tags          = local.tags

  parameters = {
    Prefix               = var.prefix
    KeyArn               = var.key_arn
    BoundaryArn          = var.boundary_arn
    ImageUri             = var.functions_image_uri
    BundleName           = var.bundle_name
    TriageConcurrency    = var.triage_concurrency
    ReservedConcurrency  = var.reserved_concurrency
    WorkersMin           = var.gpu_lane ? var.workers_min : 0
    WorkersMax           = local.workers_max
    RecordDays           = var.record_days
    PhotoHosts           = join(",", var.photo_hosts)
    PhotoHeaderSecretArn = var.photo_header_secret_arn
    AlertSecretArn       = var.alert_secret_arn
    LogRetentionDays     = var.log_retention_days
  }

  # gpu only so that a destroy removes the functions before what they call; the templates do not need this order.
  depends_on = [aws_cloudformation_stack.storage, aws_cloudformation_stack.gpu]
}

# Log shipping, dashboard, alarms, budget.
resource "aws_cloudformation_stack" "operations" {
  name          = "${var.prefix}-operations"
  template_body = file("${local.infra}/operations.yaml")
  capabilities  = ["CAPABILITY_IAM"]
  iam_role_arn  = var.cloudformation_role_arn
  tags          = local.tags

  parameters = {
    Prefix      = var.prefix
    KeyArn      = var.key_arn
    BoundaryArn = var.boundary_arn
    GpuStack    = var.gpu_lane
    BudgetUsd   = var.budget_usd
    AlarmEmail  = var.alarm_email
  }

  depends_on = [aws_cloudformation_stack.pipeline, aws_cloudformation_stack.gpu]
}
