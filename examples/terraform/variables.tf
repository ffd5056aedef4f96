# Defaults are those of the templates, except where a description gives another value.

variable "prefix" {
  description = "Prefix of all names; one for each stage"
  type        = string
  default     = "walkaround-stage"
}

variable "functions_image_uri" {
  description = "Image of the functions with its tag or digest (make images); never the tag latest"
  type        = string
}

variable "worker_image_uri" {
  description = "Image of the worker with its tag or digest; not used without gpu_lane, where any image with a tag will do"
  type        = string
}

variable "cloudformation_role_arn" {
  description = "Role that CloudFormation uses: CloudFormationRoleArn of infra/bootstrap.yaml; null for the caller's own permissions"
  type        = string
  default     = null
}

variable "boundary_arn" {
  description = "Permissions boundary of the programs' roles: BoundaryArn of infra/bootstrap.yaml; its CloudFormation role requires it"
  type        = string
  default     = ""
}

variable "key_arn" {
  description = "Customer key for everything at rest; infra/README.md has its key policy"
  type        = string
  default     = ""
}

# Photos and storage

variable "existing_photos_bucket" {
  description = "Existing bucket that holds the photos; empty for a new one"
  type        = string
  default     = ""
}

variable "photo_events" {
  description = "How new photos are reported: Queue, EventBridge or None"
  type        = string
  default     = "Queue"
}

variable "photo_prefix" {
  description = "Only photos whose keys begin with this are inspected without a request"
  type        = string
  default     = ""
}

variable "photo_hosts" {
  description = "Hosts that photos may also be fetched from"
  type        = list(string)
  default     = []
}

variable "photo_header_secret_arn" {
  description = "Secret with the header that a photo host requires"
  type        = string
  default     = ""
}

variable "sender_accounts" {
  description = "Other accounts that may send requests to the intake queue"
  type        = list(string)
  default     = []
}

variable "subscriber_accounts" {
  description = "Other accounts that may subscribe to the topic of events"
  type        = list(string)
  default     = []
}

variable "photo_days" {
  description = "Days that photos are kept in a new bucket; 0 for ever (here 30)"
  type        = number
  default     = 30
}

variable "result_days" {
  description = "Days that reports and overlays are kept; 0 for ever (here 90)"
  type        = number
  default     = 90
}

variable "record_days" {
  description = "Days that a record is kept; 0 for ever (here 90)"
  type        = number
  default     = 90
}

variable "log_days" {
  description = "Days that logs are kept in the log bucket"
  type        = number
  default     = 365
}

variable "log_retention_days" {
  description = "Days that CloudWatch keeps logs"
  type        = number
  default     = 30
}

variable "deletion_protection" {
  description = "Whether DynamoDB refuses to delete the table"
  type        = bool
  default     = true
}

# Triage

variable "bundle_name" {
  description = "Name of the bundle in the bundles bucket"
  type        = string
  default     = "demo"
}

variable "triage_concurrency" {
  description = "Largest number of invocations of triage at once (here 10)"
  type        = number
  default     = 10
}

variable "reserved_concurrency" {
  description = "Concurrency reserved for the scaler, and as much for the notifier; 0 for none"
  type        = number
  default     = 0
}

# The GPU lane

variable "gpu_lane" {
  description = "Whether there is a GPU lane; false segments everything in triage, on CPU"
  type        = bool
  default     = true
}

variable "network" {
  description = "Public or Endpoints, a new VPC either way; for Existing pass VpcId and SubnetIds in main.tf too"
  type        = string
  default     = "Public"
}

variable "zones" {
  description = "Availability zones of the new VPC: 3, or 2 where the region has no more"
  type        = number
  default     = 3
}

variable "workers_min" {
  description = "Smallest number of workers; they stay up without work"
  type        = number
  default     = 0
}

variable "workers_max" {
  description = "Largest number of workers (here 2)"
  type        = number
  default     = 2
}

variable "max_vcpus" {
  description = "Largest number of vCPUs of each environment: eight for each worker (here 16)"
  type        = number
  default     = 16
}

variable "machine_image_refresh" {
  description = "Any change of the value brings the newest machine image"
  type        = string
  default     = "2026-11"
}

# Operations

variable "alert_secret_arn" {
  description = "Secret with the address of a Slack incoming webhook; empty for no messages"
  type        = string
  default     = ""
}

variable "alarm_email" {
  description = "Address that also receives alarms; empty for none"
  type        = string
  default     = ""
}

variable "budget_usd" {
  description = "US dollars per month; 0 for no budget (here 200)"
  type        = number
  default     = 200
}
