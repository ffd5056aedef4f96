//! The notifier function's process.

fn main() {
    walkaround_notifier::main();
}
