//! The rollout of a stack, as its state store has it.

use walkaround_domain::rollout::Rollout;
use walkaround_messages::{ROLLOUT_STATE, parse_rollout};
use walkaround_ports::{PortCall, PortError, PortErrorKind, StateStore};

/// Reads it; without a document there is nothing but the stack's one bundle.
///
/// # Errors
/// [`PortError`]; `Corrupt` for a document that cannot be read.
pub async fn read_rollout(state: &dyn StateStore) -> Result<Rollout, PortError> {
    let Some(body) = state.read(ROLLOUT_STATE).await? else {
        return Ok(Rollout::default());
    };
    parse_rollout(&body).map_err(|unreadable| {
        let call = PortCall::new("state", "read");
        PortError::new(
            call,
            PortErrorKind::Corrupt,
            format!("state {ROLLOUT_STATE}: {unreadable}"),
        )
    })
}
