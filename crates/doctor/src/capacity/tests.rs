//! Tables of what Batch may say, and what is made of it.

use super::*;
use crate::finding::Level;

const NOW: Timestamp = Timestamp(1_000_000_000);

fn spot() -> EnvironmentHealth {
    EnvironmentHealth {
        name: "spot".to_owned(),
        enabled: true,
        status: "VALID".to_owned(),
        reason: Some("ComputeEnvironment Healthy".to_owned()),
        instance_types: vec!["g4dn.xlarge".to_owned(), "g5.2xlarge".to_owned()],
        vcpus_max: Some(56),
        has_newer_image: false,
    }
}

fn queue(environment: EnvironmentHealth) -> JobQueueHealth {
    JobQueueHealth {
        enabled: true,
        status: "VALID".to_owned(),
        reason: None,
        environments: vec![environment],
    }
}

fn needs(vcpus: u32, memory_mib: u32, gpus: u32) -> WorkerNeeds {
    WorkerNeeds {
        image: "worker:1.2.3".to_owned(),
        vcpus,
        memory_mib,
        gpus,
    }
}

fn job(waited_s: u64, reason: Option<&str>) -> WorkerJob {
    WorkerJob {
        id: "j".to_owned(),
        state: WorkerJobState::Starting,
        since: NOW - Duration::from_secs(waited_s),
        reason: reason.map(str::to_owned),
    }
}

#[test]
fn a_queue_in_order_has_nothing_to_tell() {
    let mut found = queue_and_environments(&queue(spot()));
    found.push(definition(Some(&needs(4, 14_000, 1)), &[spot()]));
    found.push(waiting(&[], NOW));
    assert!(found.iter().all(|f| f.level == Level::Ok), "{found:?}");
    assert_eq!(definition(None, &[spot()]).level, Level::Fail);
    // Environments that could not be asked for: nothing speaks against it.
    assert_eq!(definition(Some(&needs(4, 14_000, 1)), &[]).level, Level::Ok);
}

#[test]
fn an_environment_on_an_old_machine_image_is_named() {
    let old = EnvironmentHealth {
        has_newer_image: true,
        ..spot()
    };
    let found = queue_and_environments(&queue(old));
    let warned = found.iter().find(|f| f.level == Level::Warn);
    let warned = warned.unwrap_or_else(|| panic!("{found:?}"));
    assert!(warned.what.contains("newer machine image"), "{warned:?}");
    assert!(
        warned
            .fix
            .as_deref()
            .unwrap_or_default()
            .contains("MachineImageRefresh")
    );
    let refused =
        batch_problem("CannotStartContainerError: Error response from daemon: nvidia-container-cli");
    assert!(refused.unwrap().0.contains("driver"));
}

#[test]
fn what_a_worker_asks_for_is_compared_with_the_instance_types() {
    let cases = [
        ((4, 14_000, 1), spot(), None),
        ((8, 30_000, 1), spot(), None),
        ((16, 14_000, 1), spot(), Some("8 vCPUs")),
        ((4, 32_768, 1), spot(), Some("30474 MiB")),
        ((4, 14_000, 2), spot(), Some("1 GPUs")),
        (
            (8, 14_000, 1),
            EnvironmentHealth {
                vcpus_max: Some(4),
                ..spot()
            },
            Some("at most 4 vCPUs in all"),
        ),
        // A family has all its sizes, and what is not known here may have anything.
        (
            (4, 14_000, 8),
            EnvironmentHealth {
                instance_types: vec!["g4dn".to_owned()],
                ..spot()
            },
            None,
        ),
        (
            (56, 600_000, 8),
            EnvironmentHealth {
                instance_types: vec!["p9.large".to_owned()],
                ..spot()
            },
            None,
        ),
    ];
    for ((vcpus, memory_mib, gpus), environment, words) in cases {
        let found = definition(Some(&needs(vcpus, memory_mib, gpus)), &[environment]);
        match words {
            None => assert_eq!(found.level, Level::Ok, "{found:?}"),
            Some(words) => {
                assert_eq!(
                    found.level,
                    Level::Fail,
                    "{vcpus} vCPUs, {memory_mib} MiB: {found:?}"
                );
                assert!(found.what.contains(words), "{words}: {found:?}");
            }
        }
    }
}

#[test]
fn states_and_reasons_are_causes() {
    let with = |change: fn(&mut EnvironmentHealth)| {
        let mut e = spot();
        change(&mut e);
        environment(&e)
    };
    let disabled = with(|e| e.enabled = false);
    assert!(
        disabled.level == Level::Fail && disabled.what.contains("disabled"),
        "{disabled:?}"
    );
    let invalid = with(|e| {
        e.status = "INVALID".to_owned();
        e.reason = Some("CLIENT_ERROR - subnet subnet-1 does not exist".to_owned());
    });
    assert!(
        invalid.level == Level::Fail && invalid.what.contains("subnet-1"),
        "{invalid:?}"
    );
    let quota = with(|e| e.reason = Some("VcpuLimitExceeded: you have requested more".to_owned()));
    assert!(quota.what.contains("quota"), "{quota:?}");

    let mut queue = queue(spot());
    queue.enabled = false;
    assert!(job_queue(&queue).what.contains("disabled"));
    queue.enabled = true;
    queue.environments.clear();
    assert!(job_queue(&queue).what.contains("no compute environment"));
}

#[test]
fn jobs_that_wait_are_stuck_when_batch_says_so_or_after_a_while() {
    let cases = [
        (vec![], Level::Ok, "0 jobs"),
        (vec![job(60, None)], Level::Ok, "1 job starting"),
        (
            vec![job(660, None)],
            Level::Fail,
            "1 job stuck, the longest for 11 min",
        ),
        (
            vec![job(
                1,
                Some("MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT - The job resource requirement"),
            )],
            Level::Fail,
            "more vCPUs, memory or GPUs",
        ),
        (
            vec![
                job(1, None),
                job(
                    1,
                    Some("MISCONFIGURATION:COMPUTE_ENVIRONMENT_MAX_RESOURCE - CE(s)"),
                ),
            ],
            Level::Fail,
            "maximum of vCPUs",
        ),
        (
            vec![job(
                1,
                Some("CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY - Service cannot fulfill"),
            )],
            Level::Fail,
            "no such instance available",
        ),
        (
            vec![job(
                1,
                Some("MISCONFIGURATION:SERVICE_ROLE_PERMISSIONS - Batch service role"),
            )],
            Level::Fail,
            "service role",
        ),
        (
            vec![job(900, Some("UNDETERMINED - blocked"))],
            Level::Fail,
            "UNDETERMINED",
        ),
    ];
    for (jobs, level, words) in cases {
        let found = waiting(&jobs, NOW);
        assert_eq!(found.level, level, "{found:?}");
        assert!(found.what.contains(words), "{words}: {found:?}");
    }
}
