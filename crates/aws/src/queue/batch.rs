//! Batches of SQS: cutting them, and putting each answer where it belongs.

use crate::fault::kind_of;
use aws_sdk_sqs::types::BatchResultErrorEntry;
use walkaround_ports::{PortCall, PortError, PortErrorKind};

/// Most entries of one batch request.
pub(super) const ENTRIES_MAX: usize = 10;

/// Cuts `(place, bytes, item)` in order into batches of at most [`ENTRIES_MAX`] items and `bytes_max` bytes. An item that
/// is larger by itself gets a batch by itself.
pub(super) fn of_bytes<T>(items: Vec<(usize, usize, T)>, bytes_max: usize) -> Vec<Vec<(usize, T)>> {
    let mut batches: Vec<Vec<(usize, T)>> = Vec::new();
    let mut open_bytes = 0;
    for (place, bytes, item) in items {
        match batches.last_mut() {
            Some(open) if open.len() < ENTRIES_MAX && open_bytes + bytes <= bytes_max => {
                open.push((place, item));
                open_bytes += bytes;
            }
            _ => {
                batches.push(vec![(place, item)]);
                open_bytes = bytes;
            }
        }
    }
    batches
}

/// One answer an item, in order, while batches come in.
pub(super) struct Answers<T> {
    slots: Vec<Option<Result<T, PortError>>>,
    /// Whether any batch was answered.
    answered: bool,
    /// Why later batches are not sent.
    stopped: Option<(PortErrorKind, String)>,
    at: PortCall,
}

impl<T> Answers<T> {
    pub(super) fn new(at: PortCall, count: usize) -> Self {
        Self {
            slots: std::iter::repeat_with(|| None).take(count).collect(),
            answered: false,
            stopped: None,
            at,
        }
    }

    pub(super) fn put(&mut self, place: usize, answer: Result<T, PortError>) {
        self.slots[place] = Some(answer);
    }

    /// Whether the batch at `places` should be sent: after one that failed, the rest would most likely fail as
    /// slowly, so each of its items gets an error that says so.
    pub(super) fn may_go_on(&mut self, places: &[usize]) -> bool {
        let Some((kind, detail)) = self.stopped.clone() else {
            return true;
        };
        for &place in places {
            let detail = format!("not tried after an earlier batch failed: {detail}");
            self.put(place, Err(self.at.error(kind, detail)));
        }
        false
    }

    /// Takes the outcome of a batch. An error when it was the first one: nothing is known about any item then.
    pub(super) fn take(
        &mut self,
        places: &[usize],
        outcome: Result<Vec<Result<T, PortError>>, PortError>,
    ) -> Result<(), PortError> {
        match outcome {
            Ok(answers) => {
                self.answered = true;
                for (&place, answer) in places.iter().zip(answers) {
                    self.put(place, answer);
                }
            }
            Err(error) if !self.answered => return Err(error),
            Err(error) => {
                for &place in places {
                    self.put(place, Err(self.at.error(error.kind, error.detail.clone())));
                }
                self.stopped = Some((error.kind, error.detail));
            }
        }
        Ok(())
    }

    pub(super) fn finish(self) -> Vec<Result<T, PortError>> {
        let at = self.at;
        let unanswered = || {
            Err(at.error(
                PortErrorKind::Unavailable,
                "the service returned no result for it",
            ))
        };
        self.slots
            .into_iter()
            .map(|slot| slot.unwrap_or_else(unanswered))
            .collect()
    }
}

/// The answers of one batch in the order of its entries, whose ids are their places. `outcome_of` says which failures
/// are outcomes.
pub(super) fn by_entry<'a, T>(
    at: PortCall,
    count: usize,
    successful: impl Iterator<Item = (&'a str, T)>,
    failed: &[BatchResultErrorEntry],
    outcome_of: impl Fn(&BatchResultErrorEntry) -> Option<T>,
) -> Vec<Result<T, PortError>> {
    let mut answers = Answers::new(at, count);
    for (id, outcome) in successful {
        if let Some(place) = place_of(id, count) {
            answers.put(place, Ok(outcome));
        }
    }
    for entry in failed {
        let Some(place) = place_of(entry.id(), count) else {
            continue;
        };
        answers.put(place, outcome_of(entry).ok_or_else(|| entry_error(at, entry)));
    }
    answers.finish()
}

fn place_of(id: &str, count: usize) -> Option<usize> {
    id.parse().ok().filter(|place| *place < count)
}

fn entry_error(at: PortCall, entry: &BatchResultErrorEntry) -> PortError {
    let kind = entry_kind(entry.code(), entry.sender_fault());
    let detail = format!("{}: {}", entry.code(), entry.message().unwrap_or("no message"));
    at.error(kind, detail)
}

/// The kind of a failed entry of a batch.
fn entry_kind(code: &str, sender_fault: bool) -> PortErrorKind {
    let code = code.rsplit('.').next().unwrap_or(code);
    kind_of(code, if sender_fault { 400 } else { 500 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_keep_order_and_both_bounds() {
        let items = (0..23).map(|i| (i, 1, i)).collect();
        let sizes: Vec<usize> = of_bytes(items, 100).iter().map(Vec::len).collect();
        assert_eq!(sizes, [10, 10, 3]);
        let items = [40, 60, 1, 100, 101, 99, 1].iter().enumerate();
        let batches = of_bytes(items.map(|(i, &bytes)| (i, bytes, ())).collect(), 100);
        let places: Vec<Vec<usize>> = batches
            .iter()
            .map(|b| b.iter().map(|(p, ())| *p).collect())
            .collect();
        assert_eq!(places, [vec![0, 1], vec![2], vec![3], vec![4], vec![5, 6]]);
    }
}
