//! A host that has stopped answering must not hold every photo in flight: each of its photos waits for a time-out, and
//! the photos of other hosts wait behind them. After a few such waits in a row only a few of its photos are tried at a
//! time, until one is answered. That is the circuit breaker of Nygard (Release It!, chapter 5), half open all the time.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Waits in a row without an answer after which a host counts as silent.
const SILENT_AFTER: u32 = 3;
/// Photos of a silent host that are tried at a time.
pub(crate) const TRIED_AT_ONCE: u32 = 2;
/// Hosts that are counted at a time. Those that answer take no room once their photos are there.
const HOSTS_MAX: usize = 1024;

#[derive(Debug, Default)]
struct Load {
    in_flight: u32,
    unanswered: u32,
}

/// What is asked of each host now, and how many of the last requests were not answered.
#[derive(Debug, Default)]
pub(crate) struct HostLoads(Mutex<HashMap<String, Load>>);

/// A photo being asked for. Without [`Asked::ended`] (the caller gave up) it says nothing of the host.
#[derive(Debug)]
pub(crate) struct Asked<'a> {
    loads: &'a HostLoads,
    host: String,
}

impl HostLoads {
    /// Room for one more photo of a host; none while the host is silent and enough of its photos are being tried.
    pub(crate) fn ask(&self, host: &str) -> Option<Asked<'_>> {
        let mut loads = self.lock();
        if loads.len() < HOSTS_MAX || loads.contains_key(host) {
            let load = loads.entry(host.to_owned()).or_default();
            if load.unanswered >= SILENT_AFTER && load.in_flight >= TRIED_AT_ONCE {
                return None;
            }
            load.in_flight += 1;
        }
        Some(Asked {
            loads: self,
            host: host.to_owned(),
        })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Load>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Asked<'_> {
    /// Whether the host answered, be it with a refusal, or left the photo waiting.
    pub(crate) fn ended(self, answered: bool) {
        if let Some(load) = self.loads.lock().get_mut(&self.host) {
            load.unanswered = if answered {
                0
            } else {
                load.unanswered.saturating_add(1)
            };
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
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silent_host_is_asked_for_few_photos_until_it_answers() {
        let loads = HostLoads::default();
        for _ in 0..SILENT_AFTER {
            loads.ask("a").unwrap().ended(false);
        }
        let first = loads.ask("a").unwrap();
        let _second = loads.ask("a").unwrap();
        assert!(loads.ask("a").is_none(), "two are being tried");
        assert!(loads.ask("b").is_some(), "another host is asked");
        first.ended(true);
        let many: Vec<_> = (0..10).map(|_| loads.ask("a").unwrap()).collect();
        assert_eq!(many.len(), 10, "it answers again");
    }

    #[test]
    fn who_gives_up_says_nothing_of_the_host_and_hosts_that_answer_take_no_room() {
        let loads = HostLoads::default();
        for _ in 0..10 {
            drop(loads.ask("a").unwrap());
            loads.ask("a").unwrap().ended(true);
        }
        assert!(loads.lock().is_empty());
    }
}
