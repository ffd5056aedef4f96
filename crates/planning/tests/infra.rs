//! The deployment that a plan assumes is the one of the templates.

use std::fs;
use std::path::Path;
use walkaround_planning::Assumptions;

fn template(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../infra")
        .join(name);
    fs::read_to_string(path).expect("a template of the checkout")
}

/// The default of a parameter.
fn default(template: &str, parameter: &str) -> f64 {
    let (_, rest) = template
        .split_once(&format!("\n  {parameter}:\n"))
        .unwrap_or_else(|| panic!("no parameter {parameter}"));
    let line = rest.lines().find_map(|line| line.trim().strip_prefix("Default:"));
    let text = line.expect("a default").trim().trim_matches('\'');
    text.parse().unwrap_or_else(|_| panic!("{parameter}: {text}"))
}

#[test]
fn the_deployment_is_that_of_the_templates() {
    let (pipeline, gpu) = (template("pipeline.yaml"), template("gpu.yaml"));
    let deployment = Assumptions::default().deployment;
    for (parameter, given) in [
        ("TriageConcurrency", deployment.triage_processes),
        ("BatchSize", deployment.triage_batch),
        ("BatchWindowS", deployment.batch_window_s),
        ("TriageMemoryMiB", deployment.triage_mib),
        ("WorkersMin", deployment.workers_min),
        ("WorkersMax", deployment.workers_max),
        ("WorkerRate", deployment.worker_rate),
        ("ColdStartS", deployment.cold_start_s),
        ("DrainTargetS", deployment.drain_target_s),
        ("InlineDrainS", deployment.inline_drain_s),
    ] {
        assert_eq!(default(&pipeline, parameter), given, "{parameter}");
    }
    for (parameter, given) in [
        ("IdleExitS", deployment.idle_exit_s),
        ("ScaleDownDelayMinutes", deployment.scale_down_s / 60.0),
        ("VolumeGiB", deployment.volume_gib),
        ("VolumeMiBs", deployment.volume_mibs),
    ] {
        assert_eq!(default(&gpu, parameter), given, "{parameter}");
    }
    for (variable, given) in [
        ("LANE_CACHE", deployment.lane_cache_s),
        ("SCALE_EVERY", deployment.scale_every_s),
    ] {
        assert!(
            pipeline.contains(&format!("WALKAROUND_{variable}_S: '{given}'")),
            "{variable}"
        );
    }
    assert!(pipeline.contains(&format!(
        "      Timeout: {}\n      MemorySize: !Ref TriageMemoryMiB",
        deployment.triage_timeout_s
    )));
    let fleet = Assumptions::default().fleet;
    assert_eq!(
        fleet.placement_s + fleet.boot_s + fleet.load_s,
        deployment.cold_start_s
    );
    assert_eq!(fleet.gpu_rate, deployment.worker_rate);
}

#[test]
fn alarms_are_those_of_the_templates() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../infra");
    let mut names: Vec<_> = fs::read_dir(folder)
        .expect("the templates")
        .map(|entry| {
            entry
                .expect("an entry")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .filter(|name| name.ends_with(".yaml"))
        .collect();
    names.sort();
    let texts: Vec<String> = names.iter().map(|name| template(name)).collect();
    let alarms: Vec<String> = texts
        .iter()
        .flat_map(|text| resources(text))
        .filter(|resource| resource.contains("\n    Type: AWS::CloudWatch::Alarm\n"))
        .collect();
    // CloudWatch counts metrics, not alarms. Six codes of failures (docs/messages.md), of triage and of workers.
    let watched: usize = alarms
        .iter()
        .map(|alarm| alarm.matches("MetricName: ").count() + 12 * alarm.matches("SELECT ").count())
        .sum();
    let rows = Assumptions::default().rows();
    let given = rows.iter().find(|row| row.name == "alarms").expect("a row");
    assert_eq!(given.value, watched as f64, "{} alarms", alarms.len());
    assert!(
        given.about.contains(&format!("the {} alarms", alarms.len())),
        "{}",
        given.about
    );
}

/// Blocks that begin with a name at an indent of two.
fn resources(text: &str) -> Vec<String> {
    let mut blocks = vec![String::new()];
    for line in text.lines() {
        let name = line.strip_prefix("  ").and_then(|line| line.strip_suffix(':'));
        if name.is_some_and(|name| !name.is_empty() && name.chars().all(char::is_alphanumeric)) {
            blocks.push(String::new());
        }
        let block = blocks.last_mut().expect("there is one");
        block.push_str(line);
        block.push('\n');
    }
    blocks
}
