//! The notifier function's process.

fn main() -> std::process::ExitCode {
    walkaround_notifier::main()
}
