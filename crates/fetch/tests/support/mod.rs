//! A small HTTP server, name look-ups and a blob store for tests.

use async_trait::async_trait;
use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use walkaround_domain::PhotoRef;
use walkaround_fetch::{FetchSettings, Fetcher, Resolver};
use walkaround_ports::{
    BlobAddress, BlobMeta, Blobs, FetchError, PhotoSource, PortCall, PortError, PortErrorKind, PutOutcome,
};

/// What the server does for a path.
#[derive(Clone)]
pub(crate) enum Reply {
    /// These bytes, then the connection is closed.
    Close(String),
    /// Answers in turn, the last one again and again, each closed.
    Turns(Arc<Mutex<Vec<Vec<u8>>>>),
    /// These bytes, then nothing until the other side goes away.
    Hold(String),
}

/// Answers in turn, each with its head and the bytes behind it.
pub(crate) fn turns(answers: &[(&str, &[u8])]) -> Reply {
    let whole = |(head, body): &(&str, &[u8])| {
        let head = format!("HTTP/1.1 200 OK\r\nconnection: close\r\n{head}\r\n");
        [head.as_bytes(), body].concat()
    };
    Reply::Turns(Arc::new(Mutex::new(answers.iter().map(whole).collect())))
}

/// An answer with a body.
pub(crate) fn answer(status: &str, body: &str) -> Reply {
    Reply::Close(format!(
        "HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    ))
}

/// An answer that leads elsewhere.
pub(crate) fn redirect(to: &str) -> Reply {
    Reply::Close(format!(
        "HTTP/1.1 302 Found\r\nlocation: {to}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
    ))
}

/// A server on 127.0.0.1, and the request heads that it has seen.
pub(crate) struct Server {
    pub(crate) port: u16,
    replies: Arc<Mutex<HashMap<String, Reply>>>,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Server {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = Self {
            port: listener.local_addr().unwrap().port(),
            replies: Arc::default(),
            seen: Arc::default(),
        };
        let (replies, seen) = (Arc::clone(&server.replies), Arc::clone(&server.seen));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(talk(stream, Arc::clone(&replies), Arc::clone(&seen)));
            }
        });
        server
    }

    /// Sets what is answered for a path (with its query).
    pub(crate) fn on(&self, path: &str, reply: Reply) {
        self.replies.lock().unwrap().insert(path.to_owned(), reply);
    }

    /// The request heads so far, in lower case.
    pub(crate) fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }

    pub(crate) fn url(&self, host: &str, path: &str) -> String {
        format!("http://{host}:{}{path}", self.port)
    }
}

async fn talk(
    mut stream: TcpStream,
    replies: Arc<Mutex<HashMap<String, Reply>>>,
    seen: Arc<Mutex<Vec<String>>>,
) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let Ok(byte) = stream.read_u8().await else { return };
        head.push(byte);
    }
    let head = String::from_utf8(head).unwrap();
    let path = head.split(' ').nth(1).unwrap().to_owned();
    seen.lock().unwrap().push(head.to_lowercase());
    let reply = replies.lock().unwrap().get(&path).cloned();
    match reply.unwrap_or_else(|| answer("404 Not Found", "nothing")) {
        Reply::Close(text) => {
            let _ = stream.write_all(text.as_bytes()).await;
            let _ = stream.shutdown().await;
        }
        Reply::Turns(turns) => {
            let next = {
                let mut turns = turns.lock().unwrap();
                let next = turns[0].clone();
                if turns.len() > 1 {
                    turns.remove(0);
                }
                next
            };
            let _ = stream.write_all(&next).await;
            let _ = stream.shutdown().await;
        }
        Reply::Hold(text) => {
            let _ = stream.write_all(text.as_bytes()).await;
            let _ = stream.read_u8().await;
        }
    }
}

/// Answers look-ups from a script; the last line of it is repeated.
pub(crate) struct Script {
    answers: Vec<Vec<IpAddr>>,
    calls: AtomicUsize,
}

impl Script {
    pub(crate) fn new(answers: &[&[&str]]) -> Arc<Self> {
        let parse = |list: &&[&str]| list.iter().map(|text| text.parse().unwrap()).collect();
        Arc::new(Self {
            answers: answers.iter().map(parse).collect(),
            calls: AtomicUsize::new(0),
        })
    }

    pub(crate) fn loopback() -> Arc<Self> {
        Self::new(&[&["127.0.0.1"]])
    }

    pub(crate) fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl Resolver for Script {
    async fn resolve(&self, _host: &str) -> io::Result<Vec<IpAddr>> {
        let call = self.calls.fetch_add(1, Ordering::SeqCst);
        Ok(self.answers[call.min(self.answers.len() - 1)].clone())
    }
}

/// Settings that open http on loopback for these hosts (`name` gets the server's port).
pub(crate) fn lab(server: &Server, names: &[&str]) -> FetchSettings {
    FetchSettings {
        hosts: names
            .iter()
            .map(|name| format!("{name}:{}", server.port))
            .collect(),
        allow_http: true,
        allow_private: true,
        connect_timeout: Duration::from_secs(60),
        total_timeout: Duration::from_secs(60),
        ..FetchSettings::default()
    }
}

pub(crate) fn fetcher(settings: FetchSettings, resolver: Arc<Script>) -> Fetcher {
    Fetcher::with_resolver(settings, Arc::new(FakeBlobs::default()), resolver).unwrap()
}

/// Fetches at most 1,000 bytes.
pub(crate) async fn get(fetcher: &Fetcher, url: &str) -> Result<Vec<u8>, FetchError> {
    fetcher.fetch(&PhotoRef::Url(url.to_owned()), 1000).await
}

/// A blob store that answers every key of bucket `photos` with itself, or with the error that it names.
#[derive(Default)]
pub(crate) struct FakeBlobs {
    pub(crate) asked: Mutex<Vec<BlobAddress>>,
}

fn fault(kind: PortErrorKind) -> PortError {
    PortError::new(PortCall::new("blobs", "get"), kind, "as asked")
}

#[async_trait]
impl Blobs for FakeBlobs {
    async fn head(&self, at: &BlobAddress) -> Result<Option<BlobMeta>, PortError> {
        let known = |etag: Option<&str>, version: Option<&str>| BlobMeta {
            bytes: 9,
            sha256: None,
            etag: etag.map(str::to_owned),
            version: version.map(str::to_owned),
        };
        match at.key.as_str() {
            "versioned" => Ok(Some(known(Some("e"), Some("v")))),
            "plain" => Ok(Some(known(Some("e"), None))),
            "fixed" => Ok(Some(known(None, None))),
            "missing" => Ok(None),
            "denied" => Err(fault(PortErrorKind::Denied)),
            _ => Err(fault(PortErrorKind::Invalid)),
        }
    }

    async fn get_version(
        &self,
        at: &BlobAddress,
        version: &str,
        bytes_max: u64,
    ) -> Result<Vec<u8>, PortError> {
        let current = self.get(at, bytes_max).await?;
        Ok([&current[..], b" of ", version.as_bytes()].concat())
    }

    async fn get(&self, at: &BlobAddress, _bytes_max: u64) -> Result<Vec<u8>, PortError> {
        self.asked.lock().unwrap().push(at.clone());
        match at.key.as_str() {
            "missing" => Err(fault(PortErrorKind::NotFound)),
            "denied" => Err(fault(PortErrorKind::Denied)),
            "large" => Err(fault(PortErrorKind::TooLarge)),
            "refused" => Err(fault(PortErrorKind::Invalid)),
            "busy" => Err(fault(PortErrorKind::Throttled)),
            "down" => Err(fault(PortErrorKind::Unavailable)),
            "corrupt" => Err(fault(PortErrorKind::Corrupt)),
            key => Ok(key.as_bytes().to_vec()),
        }
    }

    async fn put_if_absent(&self, _: &BlobAddress, _: &[u8], _: &str) -> Result<PutOutcome, PortError> {
        Err(fault(PortErrorKind::Invalid))
    }

    async fn download(&self, _: &BlobAddress, _: &[u8; 32], _: &Path) -> Result<(), PortError> {
        Err(fault(PortErrorKind::Invalid))
    }

    async fn list(&self, _: &BlobAddress, _: Option<&str>, _: usize) -> Result<Vec<String>, PortError> {
        Err(fault(PortErrorKind::Invalid))
    }
}
