//! A bound on the memory that decoding may take at once, shared by all threads, in order of arrival.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, PoisonError};

/// Bytes that may be in use at once. Threads wait for their share instead of failing, each until all that came before
/// it have theirs: a large photo is not put off for as long as small ones come.
#[derive(Debug)]
pub struct MemoryBudget {
    bytes_max: u64,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    free: u64,
    /// Number of the next demand.
    next: u64,
    /// Demands that wait, in the order in which they came.
    waiting: VecDeque<u64>,
}

/// A share of a [`MemoryBudget`]; given back when dropped.
#[derive(Debug)]
pub struct MemoryShare<'a> {
    budget: &'a MemoryBudget,
    bytes: u64,
}

impl MemoryBudget {
    /// A budget of `bytes_max` bytes.
    pub fn new(bytes_max: u64) -> Self {
        Self {
            bytes_max,
            state: Mutex::new(State {
                free: bytes_max,
                next: 0,
                waiting: VecDeque::new(),
            }),
            changed: Condvar::new(),
        }
    }

    /// Waits until all earlier demands are met and `bytes` are free, and takes them. A demand over the whole budget
    /// waits for all of it: one large photo at a time rather than none. A thread that holds a share must not ask for
    /// another: it would wait for itself.
    pub fn take(&self, bytes: u64) -> MemoryShare<'_> {
        let bytes = bytes.min(self.bytes_max);
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let number = state.next;
        state.next += 1;
        state.waiting.push_back(number);
        while state.waiting.front() != Some(&number) || state.free < bytes {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.waiting.pop_front();
        state.free -= bytes;
        // The next one may fit as well.
        self.changed.notify_all();
        MemoryShare { budget: self, bytes }
    }

    /// Demands that wait.
    #[cfg(test)]
    fn waiting(&self) -> usize {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.waiting.len()
    }
}

impl Drop for MemoryShare<'_> {
    fn drop(&mut self) {
        let mut state = self.budget.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.free += self.bytes;
        self.budget.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU64, Ordering};

    #[test]
    fn never_more_than_the_budget_is_out() {
        let budget = MemoryBudget::new(100);
        let (out, most) = (AtomicU64::new(0), AtomicU64::new(0));
        std::thread::scope(|s| {
            for t in 0..8u64 {
                let (budget, out, most) = (&budget, &out, &most);
                s.spawn(move || {
                    for i in 0..200 {
                        let want = 1 + (t * 31 + i * 17) % 150;
                        let share = budget.take(want);
                        let now = out.fetch_add(share.bytes, Ordering::SeqCst) + share.bytes;
                        most.fetch_max(now, Ordering::SeqCst);
                        std::thread::yield_now();
                        out.fetch_sub(share.bytes, Ordering::SeqCst);
                    }
                });
            }
        });
        assert!(most.load(Ordering::SeqCst) <= 100);
        assert_eq!(budget.state.lock().unwrap().free, 100);
    }

    #[test]
    fn a_large_demand_is_met_before_small_ones_that_came_later() {
        let budget = MemoryBudget::new(100);
        let order = Mutex::new(Vec::new());
        let demand = |name: &'static str, bytes: u64| {
            let share = budget.take(bytes);
            order.lock().unwrap().push(name);
            drop(share);
        };
        std::thread::scope(|s| {
            let held = budget.take(50);
            s.spawn(|| demand("large", 100));
            while budget.waiting() < 1 {
                std::thread::yield_now();
            }
            // Fifty bytes are free, but they are the large one's to wait for.
            s.spawn(|| demand("small", 10));
            while budget.waiting() < 2 {
                std::thread::yield_now();
            }
            assert!(order.lock().unwrap().is_empty(), "the small one went first");
            drop(held);
        });
        assert_eq!(*order.lock().unwrap(), ["large", "small"]);
    }
}
