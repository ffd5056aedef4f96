//! The worker on AWS Batch, for the end-to-end tests.

use std::process::ExitCode;

fn main() -> ExitCode {
    walkaround_gpu_batch::main()
}
