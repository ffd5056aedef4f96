//! The monitor function's process.

fn main() {
    walkaround_monitor::main();
}
