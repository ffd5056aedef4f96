//! A bound on the memory that decoding may take at once, shared by all threads.

use std::sync::{Condvar, Mutex, PoisonError};

/// Bytes that may be in use at once. Threads wait for their share instead of failing.
#[derive(Debug)]
pub struct MemoryBudget {
    bytes_max: u64,
    free: Mutex<u64>,
    freed: Condvar,
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
            free: Mutex::new(bytes_max),
            freed: Condvar::new(),
        }
    }

    /// Waits until `bytes` are free and takes them. A demand over the whole budget waits for all of it: one
    /// large photo at a time rather than none.
    pub fn take(&self, bytes: u64) -> MemoryShare<'_> {
        let bytes = bytes.min(self.bytes_max);
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        while *free < bytes {
            free = self.freed.wait(free).unwrap_or_else(PoisonError::into_inner);
        }
        *free -= bytes;
        MemoryShare { budget: self, bytes }
    }
}

impl Drop for MemoryShare<'_> {
    fn drop(&mut self) {
        *self.budget.free.lock().unwrap_or_else(PoisonError::into_inner) += self.bytes;
        self.budget.freed.notify_all();
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
        assert_eq!(*budget.free.lock().unwrap(), 100);
    }
}
