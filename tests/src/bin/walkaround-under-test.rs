//! The `walkaround` program, for the end-to-end tests.

fn main() {
    walkaround_cli::main();
}
