//! SQLite off the async runtime: one thread writes, one thread reads.
//!
//! A connection belongs to its thread; callers hand it closures and await the answer. A caller that has gone
//! away before its turn is not served.

use crate::error::{Fault, OpenError};
use rusqlite::{Connection, Transaction, TransactionBehavior};
use std::thread;
use tokio::sync::{mpsc, oneshot};
use walkaround_ports::{PortCall, PortError, PortErrorKind};

/// Calls that wait for a thread before callers have to wait to be queued.
const CALLS_WAITING_MAX: usize = 1024;

type Work = Box<dyn FnOnce(&mut Connection) + Send>;

/// Both threads.
#[derive(Debug)]
pub(crate) struct Db {
    writer: mpsc::Sender<Work>,
    reader: mpsc::Sender<Work>,
}

impl Db {
    pub(crate) fn start(writer: Connection, reader: Connection) -> Result<Self, OpenError> {
        Ok(Self {
            writer: serve("walkaround-db-write", writer)?,
            reader: serve("walkaround-db-read", reader)?,
        })
    }

    /// Runs `work` in one immediate transaction, which is committed when it returns `Ok`.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        at: PortCall,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, PortError> {
        call(&self.writer, at, move |connection| {
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let answer = work(&transaction)?;
            transaction.commit()?;
            Ok(answer)
        })
        .await
    }

    /// Runs `work` on what is committed.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        at: PortCall,
        work: impl FnOnce(&Connection) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, PortError> {
        call(&self.reader, at, move |connection| work(connection)).await
    }

    /// Queues a write from a thread that is not async (the reaper of a child) and does not wait for it.
    pub(crate) fn write_later(&self, work: impl FnOnce(&Connection) -> Result<(), Fault> + Send + 'static) {
        // Nothing waits for the result; the next look at the process finds what a reaper could not write.
        let _ = self.writer.blocking_send(Box::new(move |connection| {
            let _ = work(connection);
        }));
    }
}

fn serve(name: &str, mut connection: Connection) -> Result<mpsc::Sender<Work>, OpenError> {
    let (sender, mut calls) = mpsc::channel::<Work>(CALLS_WAITING_MAX);
    thread::Builder::new()
        .name(name.to_owned())
        .spawn(move || {
            while let Some(call) = calls.blocking_recv() {
                call(&mut connection);
            }
        })
        .map_err(|e| OpenError::Options(format!("cannot start the database thread: {e}")))?;
    Ok(sender)
}

async fn call<T: Send + 'static>(
    lane: &mpsc::Sender<Work>,
    at: PortCall,
    work: impl FnOnce(&mut Connection) -> Result<T, Fault> + Send + 'static,
) -> Result<T, PortError> {
    let ended = || at.error(PortErrorKind::Unavailable, "the database thread has ended");
    let (reply, answer) = oneshot::channel();
    let call: Work = Box::new(move |connection| {
        if !reply.is_closed() {
            // The caller may go away meanwhile; what was committed stays committed.
            let _ = reply.send(work(connection));
        }
    });
    lane.send(call).await.map_err(|_| ended())?;
    answer.await.map_err(|_| ended())?.map_err(|fault| fault.at(at))
}
