//! Just enough HTTP to ask an emulator on this machine whether it is there: one request a connection.

use std::io::{Read, Result, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// Longest wait for the next bytes of an answer.
const ANSWER_MAX: Duration = Duration::from_secs(20);
/// Most bytes of an answer that are read.
const ANSWER_BYTES_MAX: u64 = 64 << 10;

/// Status of the answer to `method path` with a JSON body (none when empty) on the loopback port.
pub(crate) fn status(port: u16, method: &str, path: &str, body: &str) -> Result<u16> {
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let mut stream = TcpStream::connect_timeout(&address, ANSWER_MAX)?;
    stream.set_read_timeout(Some(ANSWER_MAX))?;
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    )?;
    let mut answer = Vec::new();
    stream.take(ANSWER_BYTES_MAX).read_to_end(&mut answer)?;
    let line = String::from_utf8_lossy(answer.split(|&b| b == b'\n').next().unwrap_or_default()).into_owned();
    let status = line.split(' ').nth(1).and_then(|word| word.parse().ok());
    status.ok_or_else(|| std::io::Error::other(format!("not an HTTP answer: `{}`", line.trim())))
}
