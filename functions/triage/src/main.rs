//! The triage function's process.

fn main() {
    walkaround_triage::main();
}
