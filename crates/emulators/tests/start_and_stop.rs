//! Emulators start, answer, forget, and are gone afterwards, also when nobody stops them.

use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpStream};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;
use walkaround_emulators::{Ministack, Moto};

/// Set for the process that is killed while its emulator runs.
const VICTIM: &str = "WALKAROUND_EMULATOR_VICTIM";

fn answers(endpoint: &str) -> bool {
    let address: SocketAddr = endpoint
        .trim_start_matches("http://")
        .parse()
        .expect("host and port");
    assert!(address.ip().is_loopback(), "{endpoint} is open to others");
    TcpStream::connect(address).is_ok()
}

/// Waits, within a bound, until nobody listens there.
fn falls_silent(endpoint: &str) -> bool {
    (0..400).any(|_| {
        sleep(Duration::from_millis(25));
        !answers(endpoint)
    })
}

#[test]
fn both_run_side_by_side_and_end_when_dropped() {
    let (ministack, moto) = (Ministack::start(), Moto::start());
    ministack.reset();
    moto.reset();
    let endpoints = [ministack.endpoint(), moto.endpoint()];
    assert_ne!(endpoints[0], endpoints[1]);
    assert!(endpoints.iter().all(|it| answers(it)), "{endpoints:?}");
    let named = ministack.environment();
    assert!(
        named.contains(&("AWS_ENDPOINT_URL", endpoints[0].clone())),
        "{named:?}"
    );
    drop((ministack, moto));
    assert!(
        endpoints.iter().all(|it| falls_silent(it)),
        "{endpoints:?} still answer"
    );
}

#[test]
fn ends_with_a_test_that_is_killed() {
    if std::env::var_os(VICTIM).is_some() {
        let ministack = Ministack::start();
        println!("{}", ministack.endpoint());
        loop {
            sleep(Duration::from_secs(60));
        }
    }
    let mut victim = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "ends_with_a_test_that_is_killed", "--nocapture"])
        .env(VICTIM, "1")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(victim.stdout.take().unwrap()).lines();
    let endpoint = lines
        .map_while(Result::ok)
        .find(|line| line.starts_with("http://"));
    let endpoint = endpoint.expect("the other process starts its emulator");
    assert!(answers(&endpoint));
    victim.kill().unwrap();
    victim.wait().unwrap();
    assert!(falls_silent(&endpoint), "{endpoint} still answers");
}
