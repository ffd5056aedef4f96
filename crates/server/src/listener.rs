//! Connections: how many, how long, and how they end.

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::pin::pin;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tracing::{debug, warn};
use walkaround_pipeline::shutdown::ShutdownSignal;

/// Most connections at once; more wait to be accepted.
const CONNECTIONS_MAX: usize = 32;
/// Longest time for the head of a request to come, silence before it included.
const HEAD_TIME_MAX: Duration = Duration::from_secs(10);
/// Longest head of a request.
const HEAD_BYTES_MAX: usize = 16 << 10;
/// After this a connection ends with the answer in flight.
const CONNECTION_TIME_MAX: Duration = Duration::from_secs(60);
/// From asking a connection to end to cutting it: the time for a slow reader to take its last answer.
const END_TIME_MAX: Duration = Duration::from_secs(5);
/// Pause after a failed accept: out of file descriptors, most likely.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// Answers until asked to stop, and then until the last answer is out.
pub(super) async fn run(listener: TcpListener, router: Router, mut stop: ShutdownSignal) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            () = stop.wait() => break,
            Some(ended) = connections.join_next() => {
                if let Err(error) = ended {
                    warn!(%error, "an http connection failed");
                }
            }
            accepted = listener.accept(), if connections.len() < CONNECTIONS_MAX => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(converse(stream, router.clone(), stop.clone()));
                }
                Err(error) => {
                    warn!(%error, "cannot accept an http connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

async fn converse(stream: TcpStream, router: Router, mut stop: ShutdownSignal) {
    // Only costs time when it cannot be set.
    let _ = stream.set_nodelay(true);
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME_MAX)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        biased;
        () = stop.wait() => None,
        ended = connection.as_mut() => Some(ended),
        () = tokio::time::sleep(CONNECTION_TIME_MAX) => None,
    };
    let ended = match ended {
        Some(ended) => ended,
        None => {
            connection.as_mut().graceful_shutdown();
            tokio::time::timeout(END_TIME_MAX, connection)
                .await
                .unwrap_or(Ok(()))
        }
    };
    if let Err(error) = ended {
        debug!(%error, "http connection");
    }
}
