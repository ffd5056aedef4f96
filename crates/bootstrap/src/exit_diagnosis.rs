//! What it means how a worker ended: its exit code, and the words of whoever ran it. For those who tell people: `doctor`
//! and the notifier.

use walkaround_domain::scaling::WorkerEnd;
use walkaround_ports::{EndCause, WorkerJob, WorkerJobState};

/// A setting or the command line is wrong.
pub const EXIT_USAGE: u8 = 2;
/// The device or the library is not there (EX_UNAVAILABLE of sysexits.h).
pub const EXIT_DEVICE: u8 = 69;
/// The engine fails on a known-good picture (EX_SOFTWARE): another machine may do better.
pub const EXIT_ENGINE: u8 = 70;
/// Nothing finished for too long (EX_TEMPFAIL): another process may do better.
pub const EXIT_STALLED: u8 = 75;
/// The bundle cannot be used (EX_CONFIG).
pub const EXIT_BUNDLE: u8 = 78;

/// How a worker ended, and what to do about it. No end is a fault by itself: that is for the caller to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExitDiagnosis {
    /// What ends of one kind have in common: `silent`, `timeout`, `memory`, `driver`, `container`, `image`, the exit code,
    /// or `none`.
    pub kind: String,
    /// A clause with the worker as `it`.
    pub meaning: &'static str,
    /// What to do first; a clause.
    pub first_step: &'static str,
}

/// What an end means. The reason goes first: a worker that is asked to end exits with 0 or is killed.
pub fn diagnose(exit: Option<i32>, reason: &str) -> ExitDiagnosis {
    let by_reason = by_reason(reason).map(|(kind, told)| (kind.to_owned(), told));
    let (kind, (meaning, first_step)) = by_reason.unwrap_or_else(|| {
        let kind = exit.map_or("none".to_owned(), |code| code.to_string());
        (kind, by_code(exit))
    });
    ExitDiagnosis {
        kind,
        meaning,
        first_step,
    }
}

/// What the end of a worker says of the next one's chances, by its exit code; whether it was ever ready is for the
/// scaler to see.
pub fn worker_end(job: &WorkerJob) -> WorkerEnd {
    let WorkerJobState::Ended { exit } = job.state else {
        return WorkerEnd::Expected;
    };
    let reason = job.reason.as_deref().unwrap_or_default();
    let cause = EndCause::of(reason);
    if cause == Some(EndCause::Unresponsive) {
        return WorkerEnd::Other;
    }
    match exit.and_then(|code| u8::try_from(code).ok()) {
        // Told to end: by itself, or by SIGTERM.
        Some(0 | 130 | 143) => WorkerEnd::Expected,
        Some(EXIT_USAGE | EXIT_DEVICE | EXIT_BUNDLE) => WorkerEnd::CannotStart,
        Some(EXIT_ENGINE) => WorkerEnd::SickEngine,
        _ if matches!(cause, Some(EndCause::InstanceLost | EndCause::TimedOut)) => WorkerEnd::Expected,
        _ => WorkerEnd::Other,
    }
}

type Told = (&'static str, &'static str);

fn by_reason(reason: &str) -> Option<(&'static str, Told)> {
    match EndCause::of(reason)? {
        EndCause::Unresponsive => Some((
            "silent",
            (
                "it sent no heartbeat, and the scaler ended it",
                "it hung, or could not write its heartbeat: the end of its log shows where; WALKAROUND_START_GRACE_S \
                 must be longer than its networks take to load",
            ),
        )),
        EndCause::OutOfMemory => Some((
            "memory",
            (
                "it ran out of memory",
                "give the job definition more memory, or lower WALKAROUND_WORKER_IN_FLIGHT and WALKAROUND_DECODE_MIB",
            ),
        )),
        EndCause::TimedOut => Some((
            "timeout",
            (
                "it ran longer than its job definition allows",
                "a worker with WALKAROUND_JOB_TIMEOUT_S exits before that: this one hung, or the setting was \
                 missing; the end of its log shows where",
            ),
        )),
        EndCause::DriverTooOld => Some((
            "driver",
            (
                "it did not start: the machine's NVIDIA driver is older than the image's CUDA requires",
                "set MachineImageRefresh of infra/gpu.yaml to another value, and deploy, for a newer machine image; \
                 or build the worker's image on an older CUDA base",
            ),
        )),
        EndCause::ContainerNotStarted => Some((
            "container",
            (
                "its container could not be started, most often because the machine's NVIDIA driver is too old for \
                 its CUDA",
                "the reason says what the container runtime refused; if it is the driver (580 or newer for CUDA 13), \
                 set MachineImageRefresh of infra/gpu.yaml to another value, and deploy",
            ),
        )),
        EndCause::ImageNotPulled => Some((
            "image",
            (
                "its image could not be pulled",
                "push the image that the job definition names, and check the execution role, the repository and the \
                 network path to ECR",
            ),
        )),
        EndCause::Stopping | EndCause::StarterGone | EndCause::Adopted | EndCause::InstanceLost => None,
    }
}

fn by_code(exit: Option<i32>) -> Told {
    let Some(code) = exit else {
        return (
            "it did not start, or left no exit code",
            "the reason says why; if it ran at all, its log says more",
        );
    };
    match u8::try_from(code).unwrap_or(u8::MAX) {
        0 => ("it was asked to end", "see who ended it: the reason says who"),
        1 => (
            "it failed, and its log says why",
            "the last lines of its log say why",
        ),
        2 => (
            "a setting or the command line is wrong",
            "its log names the variable; correct it where the worker's environment is set",
        ),
        EXIT_DEVICE => (
            "the device or the ONNX Runtime library is missing",
            "its log says what is missing: check WALKAROUND_DEVICE, the GPU instances and their image type, the driver \
             and the image's ONNX Runtime",
        ),
        EXIT_ENGINE => (
            "its engine is faulty: it failed on a picture that is known to be good",
            "messages went back unharmed and AWS Batch tries another machine; if it recurs, its log has the error of \
             ONNX Runtime or CUDA: a broken GPU, an unsuitable driver, or full GPU memory",
        ),
        EXIT_STALLED => (
            "it stalled, nothing finished for WALKAROUND_STALL_EXIT_S",
            "the last inspection in its log shows which photo or store it waited for; `walkaround status` shows \
             whether other workers make progress",
        ),
        EXIT_BUNDLE => (
            "the bundle cannot be used",
            "`walkaround bundle check` says why; `walkaround bundle rollback NAME` goes back to the version before",
        ),
        132 | 134 | 135 | 136 | 139 => (
            "it crashed",
            "the end of its log shows where; keep the photo of the last inspection in it; the image's ONNX Runtime \
             must match driver and processor",
        ),
        137 => (
            "it was killed",
            "most often because of its memory: compare the job's memory with WALKAROUND_DECODE_MIB and the size of \
             the bundle",
        ),
        143 => (
            "it was asked to end",
            "see who asked it: the scaler logs that, with the reason",
        ),
        _ => (
            "it ended with an unknown exit code",
            "the last lines of its log say why",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use walkaround_domain::Timestamp;

    #[test]
    fn a_driver_that_is_too_old_is_named_with_and_without_an_exit_code() {
        let refused = diagnose(
            None,
            "CannotStartContainerError: nvidia-container-cli: requirement error",
        );
        assert_eq!(refused.kind, "container");
        assert!(refused.first_step.contains("driver"), "{refused:?}");
        let device = diagnose(Some(i32::from(EXIT_DEVICE)), "Essential container in task exited");
        assert!(device.first_step.contains("driver"), "{device:?}");
    }

    #[test]
    fn exit_codes_say_whether_the_next_worker_can_start() {
        let end = |exit, reason: &str| {
            worker_end(&WorkerJob {
                id: "worker-1".to_owned(),
                state: WorkerJobState::Ended { exit },
                since: Timestamp(0),
                reason: Some(reason.to_owned()),
            })
        };
        for code in [2, 69, 78] {
            assert_eq!(end(Some(code), ""), WorkerEnd::CannotStart, "{code}");
        }
        assert_eq!(end(Some(70), ""), WorkerEnd::SickEngine);
        for (exit, reason) in [
            (Some(0), ""),
            (Some(143), "up is stopping"),
            (None, "Host EC2 (instance i-0) terminated."),
            (Some(137), "Job attempt duration exceeded timeout"),
        ] {
            assert_eq!(end(exit, reason), WorkerEnd::Expected, "{exit:?} {reason}");
        }
        for (exit, reason) in [
            (None, "CannotStartContainerError"),
            (Some(1), ""),
            (Some(137), "OutOfMemoryError"),
            (Some(0), EndCause::Unresponsive.as_str()),
        ] {
            assert_eq!(end(exit, reason), WorkerEnd::Other, "{exit:?} {reason}");
        }
    }
}
