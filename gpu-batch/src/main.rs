//! The Batch worker's process.

fn main() -> std::process::ExitCode {
    walkaround_gpu_batch::main()
}
