//! The console function's process.

fn main() {
    walkaround_console::main();
}
