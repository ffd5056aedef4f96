//! The rollout of a stack, as its state store has it.

use std::time::Duration;
use walkaround_domain::BundleId;
use walkaround_domain::rollout::Rollout;
use walkaround_messages::{
    CONFIGURED_STATE, ROLLOUT_STATE, configured_body, parse_configured, parse_rollout, rollout_body,
};
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

/// Remembers with which bundle a stack was started, and its folder, for those who ask later.
///
/// # Errors
/// [`PortError`].
pub async fn write_configured(
    state: &dyn StateStore,
    bundle: &BundleId,
    folder: &str,
) -> Result<(), PortError> {
    state
        .write(CONFIGURED_STATE, &configured_body(bundle, folder), KEPT)
        .await
}

/// With which bundle a stack was started last, and its folder; none where nobody has said so, or not in words that are known here.
///
/// # Errors
/// [`PortError`].
pub async fn read_configured(state: &dyn StateStore) -> Result<Option<(BundleId, String)>, PortError> {
    let body = state.read(CONFIGURED_STATE).await?;
    Ok(body.and_then(|body| parse_configured(&body).ok()))
}

/// A rollout that nobody has written for so long is over.
const KEPT: Duration = Duration::from_secs(400 * 24 * 3600);

/// Writes it, whatever stands there.
///
/// # Errors
/// [`PortError`].
pub async fn write_rollout(state: &dyn StateStore, rollout: &Rollout) -> Result<(), PortError> {
    state.write(ROLLOUT_STATE, &rollout_body(rollout), KEPT).await
}
