//! What the end-to-end tests share: running the program ([`program`]), the bundles and the library that it
//! needs ([`places`]), drawn pictures whose damage is known ([`pictures`], [`files`]), and the whole embedded stack
//! as processes ([`stack`]).

pub mod files;
pub mod pictures;
pub mod places;
pub mod program;
pub mod requests;
pub mod running;
pub mod stack;

/// The program under test; only inside an integration test, where cargo names the program.
#[macro_export]
macro_rules! program {
    () => {
        $crate::program::Program::new(env!("CARGO_BIN_EXE_walkaround-under-test"))
    };
}

/// An embedded stack of the program under test; only inside an integration test, where cargo names the program.
#[macro_export]
macro_rules! stack {
    ($bundle:expr, $settings:expr) => {
        $crate::stack::TestStack::new(env!("CARGO_BIN_EXE_walkaround-under-test"), $bundle, $settings)
    };
}
