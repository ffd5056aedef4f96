output "storage" {
  description = "Buckets, table, topic and queues: the values of the WALKAROUND_* variables (docs/operations.md)"
  value       = aws_cloudformation_stack.storage.outputs
}

output "gpu" {
  description = "Job queue and job definition; empty without a GPU lane"
  value       = var.gpu_lane ? aws_cloudformation_stack.gpu[0].outputs : {}
}

output "pipeline" {
  description = "Functions, topic of alarms, and the values that the client commands need"
  value       = aws_cloudformation_stack.pipeline.outputs
}

output "dashboard" {
  description = "Where to look first"
  value       = aws_cloudformation_stack.operations.outputs["Dashboard"]
}
