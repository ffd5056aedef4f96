//! The scaler function, for the end-to-end tests.

fn main() {
    walkaround_scaler::main();
}
