//! The triage function's process.

fn main() -> std::process::ExitCode {
    walkaround_triage::main()
}
