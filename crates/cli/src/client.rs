//! The commands that talk to a stack: submit, status, list, show, parked, redrive, retry, review, export,
//! import, sample, monitor, replay, reinspect.
//!
//! What they decide is in [`walkaround_client`], over the ports; here are tables and documents.

pub(crate) mod export;
pub(crate) mod import;
pub(crate) mod list;
pub(crate) mod monitor;
pub(crate) mod parked;
pub(crate) mod reinspect;
pub(crate) mod replay;
pub(crate) mod retry;
pub(crate) mod review;
pub(crate) mod sample;
pub(crate) mod show;
pub(crate) mod status;
pub(crate) mod submit;
pub(crate) mod table;

use crate::failure::Failure;
use walkaround_client::{IfMissing, StackChoice, StackClient};
use walkaround_domain::InspectionId;

/// Opens the stack that the command line, or else the settings, name.
///
/// # Errors
/// Usage: a bad setting, no such stack, options of the other stack.
pub(crate) async fn open(
    args: impl Into<StackChoice>,
    missing: IfMissing,
) -> Result<Box<dyn StackClient>, Failure> {
    walkaround_client::open(&args.into(), missing).await
}

/// Names the inspections that were left out because their records cannot be read.
///
/// # Errors
/// Standard error cannot be written to.
pub(crate) fn name_unreadable(ids: &[InspectionId]) -> Result<(), Failure> {
    for id in ids {
        table::print_notice(format!("walkaround: {id}: its record cannot be read"))?;
    }
    Ok(())
}
