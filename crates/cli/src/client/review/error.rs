//! What a refused decision is to whoever sent it: a wrong command line, or a failure.

use crate::failure::Failure;
use walkaround_pipeline::review::ReviewError;

/// A decision that is out of bounds is one that the command line is to change.
pub(super) fn failure(error: ReviewError) -> Failure {
    match error {
        ReviewError::Port(error) => Failure::of_port(error),
        ReviewError::Invalid(error) => Failure::usage(error),
        other => Failure::Failed(other.into()),
    }
}
