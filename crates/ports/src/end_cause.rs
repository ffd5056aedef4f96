//! Why a worker ended, or does not start, as a value. Words become one here and nowhere else: those that this program
//! gives as a reason when it ends a worker, and those of AWS Batch and Amazon ECS.

/// Why a worker ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EndCause {
    /// It sent no heartbeat, and the scaler ended it.
    Unresponsive,
    /// `up` ended, and its workers with it.
    Stopping,
    /// The process that had started it was gone.
    StarterGone,
    /// Another process had started it: its exit code is not known.
    Adopted,
    /// AWS took the instance back (Spot), or lost it.
    InstanceLost,
    /// It ran longer than its job definition allows.
    TimedOut,
    /// It ran out of memory.
    OutOfMemory,
    /// Its image could not be pulled.
    ImageNotPulled,
    /// The container runtime refused the image: the machine's NVIDIA driver is older than the image asks for.
    DriverTooOld,
    /// The container runtime could not start the container. There is no exit code then.
    ContainerNotStarted,
}

/// Words, in lower case, all of which a reason of this cause has. The first cause that fits counts.
const WORDS: [(EndCause, &[&str]); 20] = [
    (EndCause::Unresponsive, &["no heartbeat"]),
    (EndCause::Stopping, &["up is stopping"]),
    (EndCause::StarterGone, &["its starter is gone"]),
    (EndCause::Adopted, &["it was adopted"]),
    // "Host EC2 (instance i-0123456789abcdef0) terminated."
    (EndCause::InstanceLost, &["host ec2"]),
    (EndCause::OutOfMemory, &["outofmemory"]),
    // The NVIDIA base image asks for a driver by NVIDIA_REQUIRE_CUDA, and its runtime hook refuses an older one:
    // "nvidia-container-cli: requirement error: unsatisfied condition: cuda>=13.0, please update your driver to a newer
    // version".
    (EndCause::DriverTooOld, &["unsatisfied condition", "cuda"]),
    (EndCause::DriverTooOld, &["unsatisfied condition", "driver"]),
    (EndCause::DriverTooOld, &["update your driver"]),
    (EndCause::DriverTooOld, &["driver version is insufficient"]),
    (EndCause::DriverTooOld, &["driver/library version mismatch"]),
    (EndCause::ImageNotPulled, &["cannotpullcontainer"]),
    (EndCause::ImageNotPulled, &["cannotpullimage"]),
    (EndCause::ImageNotPulled, &["cannotpullecrcontainer"]),
    (EndCause::ImageNotPulled, &["imagenotfound"]),
    // https://docs.aws.amazon.com/AmazonECS/latest/developerguide/stopped-task-error-codes.html
    (EndCause::ContainerNotStarted, &["cannotstartcontainer"]),
    (EndCause::ContainerNotStarted, &["cannotcreatecontainer"]),
    (EndCause::ContainerNotStarted, &["resourceinitializationerror"]),
    (EndCause::ContainerNotStarted, &["dockertimeouterror"]),
    // "Job attempt duration exceeded timeout".
    (EndCause::TimedOut, &["exceeded timeout"]),
];

impl EndCause {
    /// The cause that a reason names; none when it names none that is known.
    pub fn of(reason: &str) -> Option<Self> {
        let reason = reason.to_lowercase();
        let fits = |words: &&(Self, &[&str])| words.1.iter().all(|word| reason.contains(word));
        WORDS.iter().find(fits).map(|(cause, _)| *cause)
    }

    /// The reason that this program gives for it, or the word for logs and keys.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unresponsive => "no heartbeat",
            Self::Stopping => "up is stopping",
            Self::StarterGone => "its starter is gone",
            Self::Adopted => "it was adopted",
            Self::InstanceLost => "instance_lost",
            Self::TimedOut => "timeout",
            Self::OutOfMemory => "memory",
            Self::ImageNotPulled => "image",
            Self::DriverTooOld => "driver",
            Self::ContainerNotStarted => "container",
        }
    }

    /// Whether somebody wanted this end, or nobody could help it.
    pub const fn is_nobodys_fault(self) -> bool {
        matches!(
            self,
            Self::Stopping | Self::StarterGone | Self::Adopted | Self::InstanceLost
        )
    }
}

#[cfg(test)]
mod tests {
    use super::EndCause;

    #[test]
    fn words_become_a_cause_in_one_place() {
        for ours in [
            EndCause::Unresponsive,
            EndCause::Stopping,
            EndCause::StarterGone,
            EndCause::Adopted,
        ] {
            assert_eq!(EndCause::of(ours.as_str()), Some(ours));
        }
        let cases = [
            (
                "Host EC2 (instance i-0123456789abcdef0) terminated.",
                Some(EndCause::InstanceLost),
            ),
            (
                "OutOfMemoryError: Container killed due to memory usage",
                Some(EndCause::OutOfMemory),
            ),
            ("Job attempt duration exceeded timeout", Some(EndCause::TimedOut)),
            (
                "CannotPullContainerError: pull image manifest has been retried 5 time(s)",
                Some(EndCause::ImageNotPulled),
            ),
            (
                "CannotStartContainerError: Error response from daemon: failed to create task for container: ... \
                 nvidia-container-cli: requirement error: unsatisfied condition: cuda>=13.0, please update your driver",
                Some(EndCause::DriverTooOld),
            ),
            (
                "Task failed to start CannotStartContainerError: Error response from daemon: OCI runtime create failed",
                Some(EndCause::ContainerNotStarted),
            ),
            (
                "Timeout waiting for network interface provisioning to complete",
                None,
            ),
            ("Essential container in task exited", None),
            ("", None),
        ];
        for (reason, cause) in cases {
            assert_eq!(EndCause::of(reason), cause, "{reason}");
        }
    }
}
