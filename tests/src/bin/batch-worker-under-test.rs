//! The worker on AWS Batch, for the end-to-end tests.

fn main() {
    walkaround_gpu_batch::main();
}
