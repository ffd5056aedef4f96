//! The notifier function, for the end-to-end tests.

use std::process::ExitCode;

fn main() -> ExitCode {
    walkaround_notifier::main()
}
