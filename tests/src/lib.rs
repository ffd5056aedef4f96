//! What the end-to-end tests share: running the program ([`program`]), the bundles and the library that it
//! needs ([`places`]), and drawn pictures whose damage is known ([`pictures`], [`files`]).

pub mod files;
pub mod pictures;
pub mod places;
pub mod program;

/// The program under test; only inside an integration test, where cargo names the program.
#[macro_export]
macro_rules! program {
    () => {
        $crate::program::Program::new(env!("CARGO_BIN_EXE_walkaround-under-test"))
    };
}
