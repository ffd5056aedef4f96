//! Items of one table by their keys, until the service has left none out.

use crate::fault::port_error;
use crate::records::item::Item;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::KeysAndAttributes;
use walkaround_ports::{PortCall, PortError, PortErrorKind};

/// Most keys of one `BatchGetItem`.
pub(crate) const GET_MAX: usize = 100;
/// Most rounds for what one `BatchGetItem` left out: it answers 16 MB at most.
const GET_ROUNDS_MAX: usize = 10;

/// The items of at most [`GET_MAX`] keys, read consistently, in any order; those that are gone are left out.
/// See <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html>.
///
/// # Errors
/// [`PortError`]; `Throttled` where keys are left out again and again.
pub(crate) async fn batch_get(
    client: &Client,
    table: &str,
    at: PortCall,
    mut keys: Vec<Item>,
) -> Result<Vec<Item>, PortError> {
    let throttled = |why: String| Err(at.error(PortErrorKind::Throttled, format!("table {table}: {why}")));
    let mut found = Vec::new();
    for _ in 0..GET_ROUNDS_MAX {
        if keys.is_empty() {
            return Ok(found);
        }
        let wanted = KeysAndAttributes::builder()
            .set_keys(Some(keys))
            .consistent_read(true)
            .build()
            .map_err(|e| at.error(PortErrorKind::Invalid, e.to_string()))?;
        let answer = client
            .batch_get_item()
            .request_items(table, wanted)
            .send()
            .await
            .map_err(|e| port_error(at, &format!("table {table}"), &e))?;
        let left = answer.unprocessed_keys.unwrap_or_default();
        keys = left.into_values().flat_map(|k| k.keys).collect();
        let items = answer.responses.unwrap_or_default().into_values().flatten();
        let before = found.len();
        found.extend(items);
        if found.len() == before && !keys.is_empty() {
            return throttled("the service leaves out every key".to_owned());
        }
    }
    if keys.is_empty() {
        return Ok(found);
    }
    throttled(format!("keys left out after {GET_ROUNDS_MAX} rounds"))
}
