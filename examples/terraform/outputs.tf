output "storage" {
  description = "Buckets, table, topic and queues: what docs/operations.md sets WALKAROUND_* from"
  value       = aws_cloudformation_stack.storage.outputs
}

output "gpu" {
  description = "Job queue and job definition; empty without a GPU lane"
  value       = var.gpu_lane ? aws_cloudformation_stack.gpu[0].outputs : {}
}

output "pipeline" {
  description = "Functions, topic of alarms, and what the client commands need to know of them"
  value       = aws_cloudformation_stack.pipeline.outputs
}

output "dashboard" {
  description = "Where to look first"
  value       = aws_cloudformation_stack.operations.outputs["Dashboard"]
}
