//! The triage function, for the end-to-end tests.

fn main() {
    walkaround_triage::main();
}
