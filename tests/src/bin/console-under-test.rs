//! The console function, for the end-to-end tests.

fn main() {
    walkaround_console::main();
}
