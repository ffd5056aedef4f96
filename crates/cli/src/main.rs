//! The `walkaround` program; all of it is in the library.

fn main() {
    walkaround_cli::main();
}
