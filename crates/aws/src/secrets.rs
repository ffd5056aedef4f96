//! Secrets: the text of one, from Secrets Manager. It is nowhere printed, logged or put into an error.

use crate::fault::port_error;
use aws_sdk_secretsmanager::Client;
use walkaround_ports::{PortCall, PortError, PortErrorKind};

/// The text of a secret, by name or ARN.
///
/// # Errors
/// [`PortError`] of `secrets.read`, with the id and never the text; `Invalid` for a secret that is bytes.
pub async fn secret_text(client: &Client, id: &str) -> Result<String, PortError> {
    let at = PortCall::new("secrets", "read");
    let what = format!("secret {id}");
    let get = client.get_secret_value().secret_id(id);
    let answer = get.send().await.map_err(|e| port_error(at, &what, &e))?;
    let missing = || {
        at.error(
            PortErrorKind::Invalid,
            format!("{what}: it holds bytes, not text"),
        )
    };
    answer.secret_string.ok_or_else(missing)
}
