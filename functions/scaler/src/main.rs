//! The scaler function's process.

fn main() {
    walkaround_scaler::main();
}
