//! Cases of small documents.

use crate::suite::{Capabilities, Case, Keep, Outcome, Report, cases, ensure, run};
use crate::time::TimeDriver;
use std::sync::Arc;
use walkaround_ports::{PortErrorKind, STATE_BYTES_MAX, StateStore};

/// A fresh, empty store of documents.
pub struct StateUnderTest {
    /// The port.
    pub state: Arc<dyn StateStore>,
    /// Its time.
    pub time: Arc<dyn TimeDriver>,
    /// Whatever has to stay.
    pub keep: Keep,
}

const CASES: &[Case<StateUnderTest>] = cases![
    what_was_never_written_is_absent,
    the_latest_write_is_read,
    names_are_apart,
    a_document_ends,
    twenty_writers_leave_one_whole_document,
    a_document_has_its_bound,
];

/// Runs every case of documents.
pub async fn state_suite<F: Future<Output = StateUnderTest>>(
    make: impl Fn() -> F,
    capabilities: &Capabilities,
) -> Report {
    run("state", CASES, make, capabilities).await
}

async fn what_was_never_written_is_absent(t: StateUnderTest) -> Outcome {
    let read = t.state.read("gpu-lane").await?;
    ensure!(read.is_none(), "read: {read:?}");
    Ok(())
}

async fn the_latest_write_is_read(t: StateUnderTest) -> Outcome {
    let long = t.time.unit() * 100;
    for body in ["{\"live\": 1}", "{\"live\": 2}", ""] {
        t.state.write("gpu-lane", body, long).await?;
        let read = t.state.read("gpu-lane").await?;
        ensure!(read.as_deref() == Some(body), "wrote `{body}`, read {read:?}");
    }
    Ok(())
}

async fn names_are_apart(t: StateUnderTest) -> Outcome {
    let long = t.time.unit() * 100;
    t.state.write("one", "1", long).await?;
    t.state.write("one/two", "2", long).await?;
    for (name, wanted) in [("one", Some("1")), ("one/two", Some("2")), ("on", None)] {
        let read = t.state.read(name).await?;
        ensure!(read.as_deref() == wanted, "`{name}`: {read:?}");
    }
    Ok(())
}

async fn a_document_ends(t: StateUnderTest) -> Outcome {
    let unit = t.time.unit();
    t.state.write("short", "s", unit).await?;
    t.state.write("long", "l", unit * 100).await?;
    t.time.pass(unit * 2).await;
    let read = t.state.read("short").await?;
    ensure!(read.is_none(), "its time is over: {read:?}");
    let read = t.state.read("long").await?;
    ensure!(read.as_deref() == Some("l"), "its time is not over: {read:?}");
    t.state.write("short", "again", unit * 100).await?;
    let read = t.state.read("short").await?;
    ensure!(read.as_deref() == Some("again"), "written again: {read:?}");
    Ok(())
}

async fn twenty_writers_leave_one_whole_document(t: StateUnderTest) -> Outcome {
    let long = t.time.unit() * 100;
    let writing: Vec<_> = (0..20)
        .map(|n: u32| {
            let state = Arc::clone(&t.state);
            tokio::spawn(async move { state.write("one", &n.to_string().repeat(1000), long).await })
        })
        .collect();
    for one in writing {
        one.await??;
    }
    let read = t.state.read("one").await?.unwrap_or_default();
    let whole = (0..20).any(|n: u32| read == n.to_string().repeat(1000));
    ensure!(whole, "{} bytes of nobody's document", read.len());
    Ok(())
}

async fn a_document_has_its_bound(t: StateUnderTest) -> Outcome {
    let long = t.time.unit() * 100;
    let most = "x".repeat(STATE_BYTES_MAX);
    t.state.write("most", &most, long).await?;
    ensure!(
        t.state.read("most").await?.as_ref() == Some(&most),
        "the longest one"
    );
    let error = t.state.write("more", &format!("{most}x"), long).await.err();
    let kind = error.map(|e| e.kind);
    ensure!(kind == Some(PortErrorKind::Invalid), "one byte more: {kind:?}");
    Ok(())
}
