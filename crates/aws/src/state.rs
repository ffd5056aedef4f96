//! Small named documents with a time to live: what the scaler needed lately, what the notifier has sent.
//!
//! DynamoDB removes expired items only within days, so each item carries its end in milliseconds and is taken as
//! absent from then on, by the caller's clock.

use crate::fault::port_error;
use crate::records::item::{Item, expiry, key, nonce, number, number_of, text, text_of};
use crate::records::refused;
use async_trait::async_trait;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::put_item::builders::PutItemFluentBuilder;
use aws_sdk_dynamodb::types::ReturnValuesOnConditionCheckFailure;
use std::sync::Arc;
use std::time::Duration;
use walkaround_domain::Timestamp;
use walkaround_ports::{Clock, PortCall, PortError, PortErrorKind, STATE_BYTES_MAX, StateStore};

/// Documents in the table.
#[derive(Clone)]
pub struct DynamoState {
    client: Client,
    table: String,
    clock: Arc<dyn Clock>,
}

/// The outcome of a write on condition that there is none.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum PutIfAbsent {
    /// There was none; the document is stored.
    Created,
    /// This one is there.
    Exists(String),
}

impl DynamoState {
    /// Documents in `table`.
    pub fn new(client: Client, table: impl Into<String>, clock: Arc<dyn Clock>) -> Self {
        Self {
            client,
            table: table.into(),
            clock,
        }
    }

    /// Stores the document if there is none.
    ///
    /// # Errors
    /// [`PortError`] of `state.put_if_absent`; `Invalid` for one above [`STATE_BYTES_MAX`].
    pub async fn put_if_absent(
        &self,
        name: &str,
        body: &str,
        keep_for: Duration,
    ) -> Result<PutIfAbsent, PortError> {
        let at: PortCall = PortCall::new("state", "put_if_absent");
        let (put, version) = self.put(at, name, body, keep_for)?;
        let put = put
            .condition_expression("attribute_not_exists(pk) OR lives_until <= :now")
            .expression_attribute_values(":now", number(self.clock.now().0));
        let Err(error) = put.send().await else {
            return Ok(PutIfAbsent::Created);
        };
        match refused(&error) {
            None => Err(port_error(at, &self.what(name), &error)),
            // A write that was sent twice meets its own item.
            Some(standing) if text_of(&standing, "state_version") == Some(version.as_str()) => {
                Ok(PutIfAbsent::Created)
            }
            Some(standing) => {
                let standing = body_of(&standing).map(PutIfAbsent::Exists);
                standing.ok_or_else(|| corrupt(at, name))
            }
        }
    }

    /// The write of a document, and the token that identifies it.
    fn put(
        &self,
        at: PortCall,
        name: &str,
        body: &str,
        keep_for: Duration,
    ) -> Result<(PutItemFluentBuilder, String), PortError> {
        if body.len() > STATE_BYTES_MAX {
            let detail = format!("state {name}: {} bytes, at most {STATE_BYTES_MAX}", body.len());
            return Err(at.error(PortErrorKind::Invalid, detail));
        }
        let (now, version) = (self.clock.now(), nonce());
        let put = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(item_key(name)))
            .item("body", text(body))
            .item("state_version", text(&version))
            .item("lives_until", number((now + keep_for).0))
            .item("expires_at", expiry(now, keep_for))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        Ok((put, version))
    }

    fn what(&self, name: &str) -> String {
        format!("state {name} in table {}", self.table)
    }
}

#[async_trait]
impl StateStore for DynamoState {
    async fn read(&self, name: &str) -> Result<Option<String>, PortError> {
        let at: PortCall = PortCall::new("state", "read");
        let get = self
            .client
            .get_item()
            .table_name(&self.table)
            .set_key(Some(item_key(name)))
            .consistent_read(true);
        let answer = get
            .send()
            .await
            .map_err(|e| port_error(at, &self.what(name), &e))?;
        let now = self.clock.now();
        match answer.item.filter(|item| lives(item, now)) {
            None => Ok(None),
            Some(item) => body_of(&item).map(Some).ok_or_else(|| corrupt(at, name)),
        }
    }

    async fn write(&self, name: &str, body: &str, keep_for: Duration) -> Result<(), PortError> {
        let at: PortCall = PortCall::new("state", "write");
        let put = self.put(at, name, body, keep_for)?.0;
        put.send()
            .await
            .map_err(|e| port_error(at, &self.what(name), &e))?;
        Ok(())
    }
}

fn item_key(name: &str) -> Item {
    key(format!("S#{name}"), "S")
}

fn lives(item: &Item, now: Timestamp) -> bool {
    number_of(item, "lives_until").is_some_and(|until| until > now.0)
}

fn body_of(item: &Item) -> Option<String> {
    text_of(item, "body").map(str::to_owned)
}

fn corrupt(at: PortCall, name: &str) -> PortError {
    at.error(PortErrorKind::Corrupt, format!("state {name}: not a document"))
}
