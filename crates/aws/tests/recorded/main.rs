//! What AWS does and no emulator shows, by recorded answers: throttling, conflicts, batches that fail in part, wrong
//! bytes, and the words that AWS has for stale receipts.

mod answers;
mod blobs;
mod parked;
mod queue;
mod registry;
