//! The monitor function, for the end-to-end tests.

fn main() {
    walkaround_monitor::main();
}
