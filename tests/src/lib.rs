//! What the end-to-end tests share: running the program ([`program`]), the bundles and the library that it
//! needs ([`places`]), drawn pictures whose damage is known ([`pictures`], [`files`]), the whole local stack
//! as processes ([`stack`]), a device that can be made sick ([`onnx_proxy`]), functions as processes behind a runtime
//! API ([`runtime_api`]) and what they need around them ([`function_stack`], [`slack`]), inspections to review
//! ([`reviews`]), a provider of identities ([`provider`]).

pub mod bundle_page;
pub mod cloud;
pub mod cloudformation;
mod code;
pub mod dataset;
pub mod families;
pub mod files;
pub mod function_stack;
pub mod lane;
pub mod node;
pub mod onnx_proxy;
pub mod pictures;
pub mod places;
pub mod program;
pub mod provider;
pub mod requests;
pub mod reviews;
pub mod running;
pub mod runtime_api;
pub mod slack;
pub mod stack;
pub mod throttle;

/// The program under test; only inside an integration test, where cargo names the program.
#[macro_export]
macro_rules! program {
    () => {
        $crate::program::Program::new(env!("CARGO_BIN_EXE_walkaround-under-test"))
    };
}

/// A local stack of the program under test; only inside an integration test, where cargo names the program.
#[macro_export]
macro_rules! stack {
    ($bundle:expr, $settings:expr) => {
        $crate::stack::TestStack::new(env!("CARGO_BIN_EXE_walkaround-under-test"), $bundle, $settings)
    };
}

/// A pipeline of the trivial bundle that sends suspect photos to the GPU lane; only inside an integration test, where
/// cargo names the programs.
#[macro_export]
macro_rules! deployed {
    ($log_filter:literal) => {
        $crate::cloud::Deployed {
            triage: env!("CARGO_BIN_EXE_triage-under-test"),
            scaler: env!("CARGO_BIN_EXE_scaler-under-test"),
            bundle: "trivial",
            parameters: &[
                ("WorkersMax", "2"),
                ("ColdStartS", "1"),
                ("InlineDrainS", "0"),
                ("LogFilter", $log_filter),
            ],
        }
    };
}
