//! The scaler function, for the end-to-end tests.

use std::process::ExitCode;

fn main() -> ExitCode {
    walkaround_scaler::main()
}
