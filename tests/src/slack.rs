//! Slack's incoming webhook as a stand-in on this machine: keeps what it gets, answers as configured.

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router};
use serde_json::Value;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

/// In the URL: must not be seen in any log line. Of a word that no other text has.
pub const SECRET_PATH: &str = "/services/T0000/B0000/w3bh00kthatnobodymaysee";

/// A running stand-in.
pub struct SlackStub {
    address: SocketAddr,
    shared: Arc<Shared>,
    /// Ends with the stub.
    _runtime: tokio::runtime::Runtime,
}

#[derive(Default)]
struct Shared {
    answers: Mutex<VecDeque<u16>>,
    messages: Mutex<Vec<Value>>,
}

impl SlackStub {
    /// Serves on a free port until it is dropped.
    ///
    /// # Panics
    /// When it cannot be served.
    pub fn start() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        let shared = Arc::new(Shared::default());
        let app = Router::new()
            .route(SECRET_PATH, post(take))
            .with_state(Arc::clone(&shared));
        let listener = runtime
            .block_on(tokio::net::TcpListener::bind(("127.0.0.1", 0)))
            .expect("a free port of the loopback interface");
        let address = listener.local_addr().expect("a bound listener has an address");
        runtime.spawn(async move { axum::serve(listener, app).await });
        Self {
            address,
            shared,
            _runtime: runtime,
        }
    }

    /// Its URL: the secret.
    pub fn url(&self) -> String {
        format!("http://{}{SECRET_PATH}", self.address)
    }

    /// Statuses of the next answers; after them it answers 200.
    ///
    /// # Panics
    /// Never: nobody panics holding the list.
    pub fn answer_with(&self, statuses: &[u16]) {
        self.shared.answers.lock().expect("a whole list").extend(statuses);
    }

    /// What it got since the last call.
    ///
    /// # Panics
    /// Never: nobody panics holding the list.
    pub fn take_messages(&self) -> Vec<Value> {
        std::mem::take(&mut *self.shared.messages.lock().expect("a whole list"))
    }
}

async fn take(State(shared): State<Arc<Shared>>, Json(message): Json<Value>) -> StatusCode {
    shared.messages.lock().expect("a whole list").push(message);
    let status = shared.answers.lock().expect("a whole list").pop_front();
    StatusCode::from_u16(status.unwrap_or(200)).expect("a status")
}
