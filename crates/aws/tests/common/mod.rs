//! Clients of an emulator.

use aws_sdk_sqs::config::Credentials;
use walkaround_aws::{Aws, Connection};
use walkaround_emulators::{CREDENTIALS, REGION};

/// Clients of the emulator at `endpoint`, whatever the environment says.
pub(crate) async fn aws(endpoint: String) -> Aws {
    let connection = Connection {
        region: Some(REGION.to_owned()),
        endpoint_url: Some(endpoint),
        ..Connection::default()
    };
    let credentials = Credentials::new(CREDENTIALS.0, CREDENTIALS.1, None, None, "emulator");
    Aws::new(&connection.loader().credentials_provider(credentials).load().await)
}

/// Why races of conditional writes are not run on moto. It serves each request in a thread; `Table.put_item` of its 5.2.5
/// reads the item, evaluates the condition and writes without a lock in between, and so does S3's `If-None-Match`. Eight
/// threads that call `put_item` straight, without any client of ours, get more successes than the version counts. AWS and
/// ministack give each condition one winner, and there every case runs.
#[allow(dead_code, reason = "each test file uses a part of it")]
pub(crate) const MOTO_RACES: &str = "moto evaluates a condition and writes in two steps without a lock: now and then \
                                     two writers win";
