//! The notifier function, for the end-to-end tests.

fn main() {
    walkaround_notifier::main();
}
