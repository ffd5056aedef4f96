//! The scaler function's process.

fn main() -> std::process::ExitCode {
    walkaround_scaler::main()
}
