//! What it means how a worker ended: its exit code, and the words of whoever ran it.

use crate::doctor::capacity::trouble;
use crate::local::up::STOPPING;
use walkaround_embedded::{ADOPTED, STARTER_GONE};
use walkaround_pipeline::scaler::END_REASON;

/// Words of Batch and of this machine for ends that are nobody's fault: an instance was taken back (Spot), `up` ended,
/// its worker was taken over from another one and outlived the knowledge of its exit code.
const FINE: [&str; 4] = ["Host EC2", STOPPING, STARTER_GONE, ADOPTED];

/// A failed end.
pub(super) struct Ending {
    /// What completes "the last worker ended".
    pub what: String,
    /// What to do about it.
    pub fix: &'static str,
}

fn said(what: impl Into<String>, fix: &'static str) -> Option<Ending> {
    let what = what.into();
    Some(Ending { what, fix })
}

/// What a failed end means; none for one that is as it should be, or that somebody wanted.
pub(super) fn ending(exit: Option<i32>, reason: &str) -> Option<Ending> {
    // Who is told to end may still do it with 0.
    if reason.contains(END_REASON) {
        return said(
            "by the scaler, as it gave no sign of life",
            "it hung, or could not write its heartbeat: its log ends where; WALKAROUND_START_GRACE_S has to be longer \
             than its networks take to load",
        );
    }
    if exit == Some(0) {
        return None;
    }
    if reason.contains("OutOfMemory") {
        return said(
            "because it ran out of memory",
            "give the job definition more memory, or lower WALKAROUND_WORKER_IN_FLIGHT and WALKAROUND_DECODE_MIB",
        );
    }
    if let Some((what, fix)) = trouble(reason) {
        return said(format!("because {what}"), fix);
    }
    match exit {
        None | Some(137 | 143) => killed(exit, reason),
        Some(code) => failed(code),
    }
}

/// An end without a code of its own: the reason has to tell whether somebody wanted it.
fn killed(exit: Option<i32>, reason: &str) -> Option<Ending> {
    if FINE.iter().any(|word| reason.contains(word)) {
        return None;
    }
    let reason = if reason.is_empty() {
        "no reason told"
    } else {
        reason
    };
    if reason.to_ascii_lowercase().contains("timeout") {
        return said(
            "because it ran longer than its job definition allows",
            "a worker that always has work may run this long: raise JobTimeoutS of infra/gpu.yaml, or let it be",
        );
    }
    match exit {
        Some(137) => said(
            format!("with code 137, it was killed: {reason}"),
            "most often for its memory: compare the job's with WALKAROUND_DECODE_MIB and the size of the bundle",
        ),
        Some(code) => said(
            format!("with code {code}, it was told to end: {reason}"),
            "see who told it: not the scaler, and not `walkaround up`",
        ),
        None => said(
            format!("without an exit code: {reason}"),
            "the reason says why; where it ran at all, its log says more",
        ),
    }
}

/// What the codes mean that a worker ends with.
fn failed(code: i32) -> Option<Ending> {
    match code {
        1 => said("with code 1: it failed", "its log says why"),
        2 => said(
            "with code 2: a setting or the command line is wrong",
            "its log names the variable; correct it where the worker's environment is set",
        ),
        69 => said(
            "with code 69: the device or the ONNX Runtime library is not there",
            "check WALKAROUND_DEVICE, the GPU driver and the image's ONNX Runtime; WALKAROUND_DEVICE=cpu runs without a GPU",
        ),
        75 => said(
            "with code 75: it stalled, nothing finished for WALKAROUND_STALL_EXIT_S",
            "look at its log for the photo or the store that it waited for; Batch starts another one",
        ),
        78 => said(
            "with code 78: the bundle cannot be used",
            "`walkaround bundle check` says why; `walkaround bundle rollback NAME` goes back to the version before",
        ),
        132 | 134 | 135 | 136 | 139 => said(
            format!("with code {code}: it crashed"),
            "its log ends where; the image's ONNX Runtime has to fit driver and processor",
        ),
        code => said(format!("with code {code}"), "its log says why"),
    }
}
