//! Why AWS Batch starts no worker, as a value: for `doctor`, which reads it from jobs and environments, and for the
//! notifier, which gets it with the event "Batch Job Queue Blocked".
//!
//! See <https://docs.aws.amazon.com/batch/latest/userguide/job_stuck_in_runnable.html> and
//! <https://docs.aws.amazon.com/batch/latest/userguide/batch-job-queue-blocked-events.html>.

/// What keeps workers from starting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blocked {
    /// The account's quota of instances.
    Quota,
    /// AWS has no such instance available.
    Capacity,
    /// The environments' maximum of vCPUs.
    MaxVcpus,
    /// No allowed instance type is large enough.
    NeedsTooMuch,
    /// The instance types do not go with zones or machine image.
    Instances,
    /// A permission of the service role.
    Role,
    /// No environment is valid and enabled.
    NoEnvironment,
    /// The worker's image.
    Image,
}

/// What AWS says for it: a reason that holds one of these. A quota goes first: Batch reports one under the code of missing
/// capacity.
const WORDS: [(Blocked, &[&str]); 8] = [
    (
        Blocked::Quota,
        &[
            "VcpuLimitExceeded",
            "MaxSpotInstanceCountExceeded",
            "InstanceLimitExceeded",
            "vCPU limit",
            "quota",
        ],
    ),
    (
        Blocked::Capacity,
        &[
            "CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY",
            "InsufficientInstanceCapacity",
            "UnfulfillableCapacity",
        ],
    ),
    (
        Blocked::MaxVcpus,
        &["MISCONFIGURATION:COMPUTE_ENVIRONMENT_MAX_RESOURCE"],
    ),
    (
        Blocked::NeedsTooMuch,
        &["MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT"],
    ),
    (
        Blocked::Instances,
        &["MISCONFIGURATION:EC2_INSTANCE_CONFIGURATION_UNSUPPORTED"],
    ),
    (
        Blocked::Role,
        &[
            "MISCONFIGURATION:SERVICE_ROLE_PERMISSIONS",
            "not authorized to perform",
            "ROLE_PERMISSIONS",
        ],
    ),
    (Blocked::NoEnvironment, &["ACTION_REQUIRED"]),
    (
        Blocked::Image,
        &["CannotPullContainer", "CannotPullImage", "ImageNotFound"],
    ),
];

impl Blocked {
    /// What a reason of AWS Batch means; none when it is not known.
    pub fn of(reason: &str) -> Option<Self> {
        let holds = |words: &&[&str]| words.iter().any(|word| reason.contains(word));
        WORDS
            .iter()
            .find(|(_, words)| holds(words))
            .map(|(blocked, _)| *blocked)
    }

    /// A word for keys.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Quota => "quota",
            Self::Capacity => "capacity",
            Self::MaxVcpus => "max_vcpus",
            Self::NeedsTooMuch => "needs_too_much",
            Self::Instances => "instances",
            Self::Role => "role",
            Self::NoEnvironment => "no_environment",
            Self::Image => "image",
        }
    }

    /// What it means, a clause.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Quota => "the account's quota of instances is reached",
            Self::Capacity => "AWS has no such instance available",
            Self::MaxVcpus => "a worker asks for more than the environments' maximum of vCPUs",
            Self::NeedsTooMuch => {
                "a worker asks for more vCPUs, memory or GPUs than any allowed instance type has"
            }
            Self::Instances => "the instance types are not available in this configuration",
            Self::Role => "the service role lacks a permission",
            Self::NoEnvironment => "no environment is valid and enabled",
            Self::Image => "the worker's image cannot be pulled: missing in the registry, or not allowed",
        }
    }

    /// What to try first, a clause.
    pub const fn first_step(self) -> &'static str {
        match self {
            Self::Quota => "ask for more in Service Quotas (EC2, G and VT instances, on-demand and Spot)",
            Self::Capacity => "wait, or allow more instance types and availability zones",
            Self::MaxVcpus => "raise the maximum vCPUs of the compute environments",
            Self::NeedsTooMuch => {
                "lower the requirements of the job definition, or allow larger instance types"
            }
            Self::Instances => "choose instance types that the zones and the machine image support",
            Self::Role => {
                "grant it the permission that the reason names, or use the service-linked role of Batch"
            }
            Self::NoEnvironment => "correct the environments that `walkaround doctor` names",
            Self::Image => {
                "push the image that the job definition names, and check the execution role and the network path to \
                 ECR"
            }
        }
    }
}
