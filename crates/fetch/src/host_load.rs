//! A host that has stopped answering must not hold every photo in flight: each of its photos waits for a time-out, and
//! the photos of other hosts wait behind them. Two rules keep room for those:
//!
//! - A host holds at most half of the photos that may be fetched at a time ([`SHARE`]) until it has answered one, and again
//!   when it has answered none for [`PROVEN_FOR`]. One that answers may hold all of them: nobody waits behind it for long.
//!   A photo beyond the half waits that long for an answer to another one, and is then left to a later delivery.
//! - After a few time-outs in a row only a few of its photos are tried at a time, until one is answered. That is the circuit
//!   breaker of Nygard (Release It!, chapter 5), half open all the time.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};
use tracing::{info, warn};

/// Waits in a row without an answer after which a host counts as silent.
const SILENT_AFTER: u32 = 3;
/// Photos of a silent host that are tried at a time, and the least that any host may hold.
pub(crate) const TRIED_AT_ONCE: usize = 2;
/// The part of the photos that may be fetched at a time that a host may hold before it answers: one in so many.
const SHARE: usize = 2;
/// How long an answer counts for the photos after it.
const PROVEN_FOR: Duration = Duration::from_secs(3);
/// Hosts that are counted at a time. Those that answer take no room once their photos are there.
const HOSTS_MAX: usize = 1024;

#[derive(Debug, Default)]
struct Load {
    in_flight: usize,
    unanswered: u32,
    answered_at: Option<Instant>,
}

impl Load {
    const fn has_stopped(&self) -> bool {
        self.unanswered >= SILENT_AFTER
    }
}

/// What is asked of each host now, and how many of the last requests were not answered.
#[derive(Debug)]
pub(crate) struct HostLoads {
    loads: Mutex<HashMap<String, Load>>,
    /// A photo was answered, or given up.
    changed: Notify,
    /// Photos that a host may hold before it answers.
    unproven_max: usize,
}

/// A photo being asked for. Without [`Asked::ended`] (the caller gave up) it says nothing of the host.
#[derive(Debug)]
pub(crate) struct Asked<'a> {
    loads: &'a HostLoads,
    host: String,
}

/// Whether there is room for one more photo of a host.
enum Room<'a> {
    Yes(Asked<'a>),
    /// Once the host answers a photo.
    AfterAnAnswer,
    /// It is silent, and enough of its photos are being tried.
    No,
}

/// Why there is no room for a photo.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoRoom {
    /// Its host does not answer; so many of its photos are being tried.
    Unresponsive(usize),
    /// Its host has not answered for a while; so many of its photos wait for it.
    Slow(usize),
}

impl HostLoads {
    /// For a process that fetches up to `at_once` photos at a time.
    pub(crate) fn new(at_once: usize) -> Self {
        Self {
            loads: Mutex::default(),
            changed: Notify::new(),
            unproven_max: (at_once / SHARE).max(TRIED_AT_ONCE),
        }
    }

    /// Room for one more photo of a host, waiting for it a little.
    pub(crate) async fn ask(&self, host: &str) -> Result<Asked<'_>, NoRoom> {
        let until = Instant::now() + PROVEN_FOR;
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            // From here on, so that no change between the look and the wait is missed.
            changed.as_mut().enable();
            match self.room(host) {
                Room::Yes(asked) => return Ok(asked),
                Room::No => return Err(NoRoom::Unresponsive(TRIED_AT_ONCE)),
                Room::AfterAnAnswer => {
                    if timeout_at(until, changed).await.is_err() {
                        return Err(NoRoom::Slow(self.unproven_max));
                    }
                }
            }
        }
    }

    fn room(&self, host: &str) -> Room<'_> {
        let mut loads = self.lock();
        if loads.len() < HOSTS_MAX || loads.contains_key(host) {
            let load = loads.entry(host.to_owned()).or_default();
            if load.has_stopped() && load.in_flight >= TRIED_AT_ONCE {
                return Room::No;
            }
            let is_proven = load.answered_at.is_some_and(|at| at.elapsed() < PROVEN_FOR);
            if !is_proven && load.in_flight >= self.unproven_max {
                return Room::AfterAnAnswer;
            }
            load.in_flight += 1;
        }
        Room::Yes(Asked {
            loads: self,
            host: host.to_owned(),
        })
    }

    /// Hosts that have stopped answering, in order.
    pub(crate) fn unresponsive(&self) -> Vec<String> {
        let loads = self.lock();
        let stopped = loads.iter().filter(|(_, load)| load.has_stopped());
        let mut hosts: Vec<String> = stopped.map(|(host, _)| host.clone()).collect();
        hosts.sort();
        hosts
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Load>> {
        self.loads.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Asked<'_> {
    /// Whether the host answered, be it with a refusal, or left the photo waiting.
    pub(crate) fn ended(self, answered: bool) {
        let mut loads = self.loads.lock();
        let Some(load) = loads.get_mut(&self.host) else {
            return;
        };
        let had_stopped = load.has_stopped();
        if answered {
            load.unanswered = 0;
            load.answered_at = Some(Instant::now());
        } else {
            load.unanswered = load.unanswered.saturating_add(1);
        }
        match (had_stopped, load.has_stopped()) {
            (false, true) => warn!(
                host = self.host,
                tried_at_once = TRIED_AT_ONCE,
                "a photo host has stopped answering, its photos are tried a few at a time"
            ),
            (true, false) => info!(host = self.host, "a photo host answers again"),
            _ => {}
        }
    }
}

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        let mut loads = self.loads.lock();
        if let Some(load) = loads.get_mut(&self.host) {
            load.in_flight = load.in_flight.saturating_sub(1);
            if load.in_flight == 0 && load.unanswered == 0 {
                loads.remove(&self.host);
            }
        }
        self.loads.changed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT_ONCE: usize = 16;

    #[tokio::test(start_paused = true)]
    async fn a_silent_host_is_asked_for_few_photos_until_it_answers() {
        let loads = HostLoads::new(AT_ONCE);
        for _ in 0..SILENT_AFTER {
            assert!(loads.unresponsive().is_empty());
            loads.ask("a").await.unwrap().ended(false);
        }
        assert_eq!(loads.unresponsive(), ["a"]);
        let first = loads.ask("a").await.unwrap();
        let _second = loads.ask("a").await.unwrap();
        assert_eq!(loads.ask("a").await.unwrap_err(), NoRoom::Unresponsive(2));
        assert!(loads.ask("b").await.is_ok(), "another host is asked");
        first.ended(true);
        assert!(loads.unresponsive().is_empty(), "it answers again");
        let mut many = Vec::new();
        for _ in 0..AT_ONCE {
            many.push(loads.ask("a").await.unwrap());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_gives_up_says_nothing_of_the_host_and_hosts_that_answer_take_no_room() {
        let loads = HostLoads::new(AT_ONCE);
        for _ in 0..10 {
            drop(loads.ask("a").await.unwrap());
            loads.ask("a").await.unwrap().ended(true);
        }
        assert!(loads.lock().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_host_that_has_not_answered_yet_holds_half() {
        for (at_once, half) in [(1, 2), (4, 2), (16, 8)] {
            let loads = HostLoads::new(at_once);
            let mut held = Vec::new();
            for _ in 0..half {
                held.push(loads.ask("a").await.unwrap());
            }
            let refused = loads.ask("a").await;
            assert_eq!(refused.unwrap_err(), NoRoom::Slow(half), "of {at_once}");
            assert!(loads.ask("b").await.is_ok(), "another host is asked");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_host_that_answers_may_hold_all_until_it_does_not() {
        let loads = HostLoads::new(AT_ONCE);
        let mut held = Vec::new();
        for _ in 0..AT_ONCE / 2 {
            held.push(loads.ask("a").await.unwrap());
        }
        // Who waits beyond the half goes on as soon as one is answered.
        let answer = async {
            tokio::time::sleep(PROVEN_FOR / 2).await;
            held.pop().unwrap().ended(true);
        };
        let (waited, ()) = tokio::join!(loads.ask("a"), answer);
        held.push(waited.unwrap());
        while held.len() < AT_ONCE {
            held.push(loads.ask("a").await.unwrap());
        }
        // It stops answering: what ends is not replaced beyond the half.
        tokio::time::sleep(PROVEN_FOR).await;
        assert_eq!(loads.ask("a").await.unwrap_err(), NoRoom::Slow(AT_ONCE / 2));
    }
}
