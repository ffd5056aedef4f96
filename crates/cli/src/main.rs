//! The `walkaround` program; all of it is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    walkaround_cli::main()
}
