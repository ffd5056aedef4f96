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
