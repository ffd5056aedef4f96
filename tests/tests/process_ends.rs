//! How processes end: a hung device, a stalled consumer, the time-out of a job; and that one `up` runs a root.

use std::net::TcpListener;
use std::time::Duration;
use walkaround_domain::PhotoRef;
use walkaround_local::{INTAKE, SEGMENTATION};
use walkaround_tests::onnx_proxy::{OnnxProxy, Sickness};
use walkaround_tests::stack::{
    Running, TestStack, as_json, damaged, ids, is_done, request, request_for, tail, until,
};

const BOUND: Duration = Duration::from_secs(90);

/// A stack whose networks run in a proxy of the library.
fn stack(settings: &[(&str, &str)]) -> (TestStack, OnnxProxy) {
    let proxy = OnnxProxy::build(&[]);
    let mut stack = walkaround_tests::stack!("trivial", settings);
    stack.set("ONNXRUNTIME", &proxy.library().display().to_string());
    stack.set("PHOTO_TIMEOUT_S", "1");
    stack.store([("photo.jpg".to_owned(), damaged().as_slice())]);
    (stack, proxy)
}

fn wait_for(process: &Running, words: &str) {
    assert!(
        until(BOUND, || process.log().contains(words)),
        "no `{words}`:\n{}",
        tail(&process.log(), 40)
    );
}

/// A worker that has a photo on a device that hangs.
fn hung_worker(stack: &TestStack, proxy: &OnnxProxy) -> Running {
    let worker = stack.start(&["worker"], "hung");
    wait_for(&worker, "worker ready");
    proxy.sicken(Sickness::Hang);
    stack.send(SEGMENTATION, &[as_json(&request("photo.jpg"))]);
    worker
}

#[test]
fn a_worker_whose_device_hangs_is_gone_within_its_budget_with_75() {
    let (mut stack, proxy) = stack(&[("STALL_EXIT_S", "2"), ("DRAIN_BUDGET_S", "2"), ("LEASE_S", "2")]);
    let mut worker = hung_worker(&stack, &proxy);
    assert_eq!(worker.exit_code(BOUND), 75, "{}", tail(&worker.log(), 40));

    proxy.cure();
    // It has to wait for the end of the first one's lease.
    stack.set("IDLE_EXIT_S", "10");
    let mut second = stack.start(&["worker"], "second");
    let all = ids(&[request("photo.jpg")]);
    stack.until_all_final(&all, BOUND);
    assert!(is_done(
        &stack.inspections()[all.iter().next().expect("one photo")].phase,
        "damaged"
    ));
    assert_eq!(second.exit_code(BOUND), 0, "{}", second.log());
}

#[test]
fn told_to_stop_a_worker_whose_device_hangs_is_gone_within_its_budget() {
    let (stack, proxy) = stack(&[("DRAIN_BUDGET_S", "2"), ("LEASE_S", "2")]);
    let mut worker = hung_worker(&stack, &proxy);
    // By its heartbeat it is at it, not only about to begin.
    assert!(until(BOUND, || stack.in_flight() == 1), "{}", worker.log());
    worker.terminate();
    assert_eq!(worker.exit_code(BOUND), 0, "{}", tail(&worker.log(), 40));
    assert_eq!(stack.messages(), 1, "the photo comes back");
}

#[test]
fn up_whose_device_hangs_ends_with_1_and_its_workers_with_it() {
    let (stack, proxy) = stack(&[
        ("STALL_EXIT_S", "2"),
        ("DRAIN_BUDGET_S", "2"),
        ("LEASE_S", "2"),
        ("WORKERS_MIN", "1"),
    ]);
    let mut up = stack.start(&["up"], "up");
    wait_for(&up, " up ");
    assert!(until(BOUND, || stack.workers().len() == 1), "{}", stack.logs());
    proxy.sicken(Sickness::Hang);
    stack.send(INTAKE, &[as_json(&request("photo.jpg"))]);
    assert_eq!(up.exit_code(BOUND), 1, "{}", tail(&up.log(), 40));
    assert!(up.log().contains("triage stalled"), "{}", tail(&up.log(), 40));
    assert_eq!(stack.workers(), [] as [i32; 0], "{}", up.log());
}

#[test]
fn a_photo_server_that_hangs_neither_ends_up_nor_keeps_other_photos_waiting() {
    let (mut stack, _proxy) = stack(&[
        ("STALL_EXIT_S", "2"),
        ("DRAIN_BUDGET_S", "2"),
        ("PHOTO_HTTP", "true"),
        ("PHOTO_PRIVATE", "true"),
    ]);
    // It takes connections, by the system's queue, and never answers.
    let server = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = server.local_addr().expect("it is bound").to_string();
    stack.set("PHOTO_HOSTS", &address);
    let mut up = stack.start(&["up"], "up");
    wait_for(&up, " up ");
    let hung = |n: usize| request_for(PhotoRef::Url(format!("http://{address}/{n}.jpg")));
    let requests: Vec<_> = (0..200).map(hung).collect();
    stack.submit(&requests);
    wait_for(
        &up,
        "its host does not answer, and 2 photos of it are being tried",
    );
    let good = request("photo.jpg");
    stack.submit(std::slice::from_ref(&good));
    let is_good_done = || {
        let all = stack.inspections();
        all.values()
            .any(|i| i.request.id == good.id && is_done(&i.phase, "damaged"))
    };
    assert!(until(BOUND, is_good_done), "{}", tail(&up.log(), 40));
    assert!(up.is_running(), "{}", tail(&up.log(), 40));
    up.terminate();
    assert_eq!(up.exit_code(BOUND), 0, "{}", tail(&up.log(), 40));
}

#[test]
fn a_second_up_on_a_root_is_refused_with_the_process_of_the_first_and_a_killed_one_blocks_nobody() {
    let (stack, _proxy) = stack(&[("WORKERS_MIN", "1")]);
    let mut first = stack.start(&["up"], "first");
    wait_for(&first, " up ");
    assert!(until(BOUND, || stack.workers().len() == 1), "{}", stack.logs());
    let workers = stack.workers();

    let mut second = stack.start(&["up"], "second");
    assert_eq!(second.exit_code(BOUND), 1, "{}", second.log());
    let said = second.log();
    assert!(
        said.lines().count() == 1 && said.contains(&format!("process {}", first.id())),
        "{said}"
    );
    assert_eq!(
        stack.workers(),
        workers,
        "the second touched the workers of the first"
    );
    assert!(first.is_running());

    first.kill();
    let mut third = stack.start(&["up"], "third");
    wait_for(&third, " up ");
    third.terminate();
    assert_eq!(third.exit_code(BOUND), 0, "{}", third.log());
}

#[test]
fn a_worker_ends_with_0_before_the_time_out_of_its_job() {
    let (stack, _proxy) = stack(&[("JOB_TIMEOUT_S", "4"), ("IDLE_EXIT_S", "0")]);
    let mut worker = stack.start(&["worker"], "worker");
    assert_eq!(worker.exit_code(BOUND), 0, "{}", worker.log());
    assert!(
        worker.log().contains("the job's time-out is near"),
        "{}",
        worker.log()
    );
}

#[test]
fn up_takes_bundle_device_library_and_address_from_its_command_line_and_its_workers_too() {
    let (mut stack, proxy) = stack(&[("INLINE_DRAIN_S", "0"), ("LISTEN", "nowhere"), ("THREADS", "3")]);
    let bundle = walkaround_tests::places::root().join("tests/bundles/trivial");
    stack.set("BUNDLE", "/nowhere");
    stack.set("ONNXRUNTIME", "/nowhere");
    let library = proxy.library();
    let (bundle, library) = (bundle.display().to_string(), library.display().to_string());
    let options = [
        "up",
        "--bundle",
        &bundle,
        "--onnxruntime",
        &library,
        "--device",
        "cpu",
        "--threads",
        "1",
        "--listen",
        "127.0.0.1:0",
    ];
    let mut up = stack.start(&options, "up");
    wait_for(&up, "listening");
    wait_for(&up, " up ");
    let all = ids(&[request("photo.jpg")]);
    stack.submit(&[request("photo.jpg")]);
    stack.until_all_final(&all, BOUND);
    let by = stack.inspections().into_values().next().expect("one photo");
    assert!(
        matches!(by.route, Some((walkaround_domain::Lane::Gpu, _))),
        "{by:?}"
    );
    up.terminate();
    assert_eq!(up.exit_code(BOUND), 0, "{}", up.log());
}

#[test]
fn submit_that_waits_says_at_once_when_no_up_takes_photos_in() {
    let (stack, _proxy) = stack(&[]);
    let photo = stack.folder().join("photo.jpg");
    std::fs::write(&photo, damaged()).expect("a photo can be written");
    let photo = photo.display().to_string();
    let arguments = ["submit", &photo, "--wait", "--timeout", "1"];
    let mut submit = stack.start(&arguments, "submit");
    assert_eq!(submit.exit_code(BOUND), 1, "{}", submit.log());
    let words = "photos are not being processed: no `walkaround up` runs on";
    assert!(submit.log().contains(words), "{}", submit.log());

    let mut up = stack.start(&["up"], "up");
    wait_for(&up, " up ");
    let mut submit = stack.start(&arguments, "second");
    submit.exit_code(BOUND);
    assert!(!submit.log().contains("not being processed"), "{}", submit.log());
    up.terminate();
    assert_eq!(up.exit_code(BOUND), 0, "{}", up.log());
}

#[test]
fn the_fewest_workers_stay_up_without_work_and_the_others_go() {
    let (stack, _proxy) = stack(&[("WORKERS_MIN", "1"), ("WORKERS_MAX", "2"), ("IDLE_EXIT_S", "0.5")]);
    let mut up = stack.start(&["up"], "up");
    wait_for(&up, " up ");
    let stays = || stack.logs().matches("idle, but kept").count();
    assert!(until(BOUND, || stays() >= 1), "{}", tail(&stack.logs(), 40));
    let kept = stack.workers();
    assert_eq!(kept.len(), 1, "{}", tail(&stack.logs(), 40));
    // One more than the fewest, started by hand: it came later, so it goes.
    let mut other = stack.start(&["worker"], "other");
    assert_eq!(other.exit_code(BOUND), 0, "{}", other.log());
    let before = stays();
    assert!(
        until(BOUND, || stays() > before + 1),
        "{}",
        tail(&stack.logs(), 40)
    );
    assert_eq!(
        stack.workers(),
        kept,
        "the same worker, not one that was started again"
    );
    up.terminate();
    assert_eq!(up.exit_code(BOUND), 0, "{}", up.log());
}
