//! Exit codes by what went wrong at start: AWS Batch decides by them whether to try again.

use walkaround_bootstrap::Failure;
use walkaround_bootstrap::exit_diagnosis::{EXIT_BUNDLE, EXIT_DEVICE, EXIT_ENGINE};
use walkaround_inference::{BundleError, EngineError};
use walkaround_ports::{PortError, PortErrorKind};

/// The failure with the code that says whether trying again helps.
pub(crate) fn coded(failure: Failure) -> Failure {
    let Failure::Failed(error) = failure else {
        return failure;
    };
    match code(&error) {
        Some(code) => Failure::Coded(code, error),
        None => Failure::Failed(error),
    }
}

fn code(error: &anyhow::Error) -> Option<u8> {
    if let Some(engine) = error.downcast_ref::<EngineError>() {
        return match engine {
            EngineError::Library { .. } | EngineError::Device { .. } => Some(EXIT_DEVICE),
            EngineError::Bundle(_) => Some(EXIT_BUNDLE),
            EngineError::Run { .. } => Some(EXIT_ENGINE),
        };
    }
    if error.downcast_ref::<BundleError>().is_some() {
        return Some(EXIT_BUNDLE);
    }
    let port = error.downcast_ref::<PortError>()?;
    let lasting = matches!(
        port.kind,
        PortErrorKind::NotFound
            | PortErrorKind::Corrupt
            | PortErrorKind::Denied
            | PortErrorKind::Invalid
            | PortErrorKind::TooLarge
    );
    lasting.then_some(EXIT_BUNDLE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use walkaround_ports::PortCall;

    fn of(error: impl Into<anyhow::Error>) -> Option<u8> {
        match coded(Failure::Failed(error.into())) {
            Failure::Coded(code, _) => Some(code),
            _ => None,
        }
    }

    #[test]
    fn what_decides_whether_to_try_again_has_a_code_of_its_own() {
        let port = |kind| PortError::new(PortCall::new("blobs", "get"), kind, "x");
        let device = EngineError::Device { cause: "x".into() };
        let run = EngineError::Run {
            network: "gate".into(),
            cause: "x".into(),
        };
        assert_eq!(of(device), Some(EXIT_DEVICE));
        assert_eq!(of(run), Some(EXIT_ENGINE));
        assert_eq!(of(BundleError::SelfTest("x".into())), Some(EXIT_BUNDLE));
        assert_eq!(
            of(EngineError::from(BundleError::SelfTest("x".into()))),
            Some(EXIT_BUNDLE)
        );
        for kind in [PortErrorKind::Corrupt, PortErrorKind::TooLarge] {
            assert_eq!(of(port(kind)), Some(EXIT_BUNDLE));
        }
        assert_eq!(of(port(PortErrorKind::Unavailable)), None);
        assert!(matches!(coded(Failure::usage("x")), Failure::Usage(_)));
    }
}
