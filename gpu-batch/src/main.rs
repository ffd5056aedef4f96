//! The Batch worker's process.

fn main() {
    walkaround_gpu_batch::main();
}
