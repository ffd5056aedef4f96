//! The one table: its key, its indexes, its TTL attribute.
//!
//! [`TABLE`] is plain data, so that tests can make the table by hand and hold the infrastructure's template to
//! the same words.
//!
//! | item | `pk` | `sk` |
//! | --- | --- | --- |
//! | record of an inspection | `I#<id>` | `R` |
//! | review of an inspection | `I#<id>` | `V#<revision>` |
//! | review task of an inspection | `I#<id>` | `T` |
//! | inspection with a result | `I##<SHA-256 of the photo>` | `<bundle>#<version>` |
//! | heartbeat | `W` | hour it was sent in, `#`, worker |
//! | lock | `L#<name>` | `L` |
//! | state document | `S#<key>` | `S` |
//!
//! All key attributes are texts. Indexes are sparse: only records have the attributes of the
//! first four, and only tasks that are not done those of the last.

use crate::fault::port_error;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::client::Waiters;
use aws_sdk_dynamodb::error::{BuildError, SdkError};
use aws_sdk_dynamodb::operation::create_table::builders::CreateTableFluentBuilder;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType, Projection,
    ProjectionType, ScalarAttributeType, TimeToLiveSpecification,
};
use std::collections::BTreeSet;
use std::time::Duration;
use walkaround_ports::{PortCall, PortError, PortErrorKind};

/// Longest wait for a new table.
const CREATE_WAIT_MAX: Duration = Duration::from_secs(60);

/// A key of the table or of an index: names of its partition and sort attributes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyNames {
    /// Partition key.
    pub partition: &'static str,
    /// Sort key.
    pub sort: &'static str,
}

/// A global secondary index, projecting keys only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IndexDefinition {
    /// Its name.
    pub name: &'static str,
    /// Its key.
    pub key: KeyNames,
}

/// What the table is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TableDefinition {
    /// Its key.
    pub key: KeyNames,
    /// Its indexes.
    pub indexes: [IndexDefinition; 5],
    /// The attribute with the second since 1970 at which an item may go.
    pub ttl_attribute: &'static str,
}

pub(crate) const BY_VEHICLE: IndexDefinition = index("by_vehicle", "vehicle", "day_id");
pub(crate) const BY_RESERVATION: IndexDefinition = index("by_reservation", "reservation", "day_id");
pub(crate) const BY_OUTCOME: IndexDefinition = index("by_outcome", "outcome_shard", "id");
pub(crate) const BY_DAY: IndexDefinition = index("by_day", "day_shard", "id");

pub(crate) const BY_REVIEW: IndexDefinition = index("by_review", "review_shard", "review_order");

/// The table that this crate works on: on-demand capacity, all key attributes texts.
pub const TABLE: TableDefinition = TableDefinition {
    key: KeyNames {
        partition: "pk",
        sort: "sk",
    },
    indexes: [BY_VEHICLE, BY_RESERVATION, BY_OUTCOME, BY_DAY, BY_REVIEW],
    ttl_attribute: "expires_at",
};

const fn index(name: &'static str, partition: &'static str, sort: &'static str) -> IndexDefinition {
    IndexDefinition {
        name,
        key: KeyNames { partition, sort },
    }
}

/// Makes the table and waits until it serves. A table that is there is left as it is. For tests and
/// development: the infrastructure's template makes the real one.
///
/// # Errors
/// [`PortError`] of `records.create_table`.
pub async fn create_table(client: &Client, name: &str) -> Result<(), PortError> {
    let at = PortCall::new("records", "create_table");
    let what = format!("table {name}");
    let request =
        request(client, name).map_err(|e| at.error(PortErrorKind::Invalid, format!("{what}: {e}")))?;
    match request.send().await {
        Ok(_) => {}
        Err(SdkError::ServiceError(e)) if e.err().is_resource_in_use_exception() => return Ok(()),
        Err(error) => return Err(port_error(at, &what, &error)),
    }
    let wait = client.wait_until_table_exists().table_name(name);
    wait.wait(CREATE_WAIT_MAX).await.map_err(|_| {
        let detail = format!(
            "{what}: it does not exist {} s after its creation",
            CREATE_WAIT_MAX.as_secs()
        );
        at.error(PortErrorKind::Unavailable, detail)
    })?;
    let ttl = TimeToLiveSpecification::builder()
        .enabled(true)
        .attribute_name(TABLE.ttl_attribute)
        .build()
        .map_err(|e| at.error(PortErrorKind::Invalid, format!("{what}: {e}")))?;
    let ttl = client
        .update_time_to_live()
        .table_name(name)
        .time_to_live_specification(ttl);
    ttl.send().await.map_err(|e| port_error(at, &what, &e))?;
    Ok(())
}

fn request(client: &Client, name: &str) -> Result<CreateTableFluentBuilder, BuildError> {
    let mut request = client
        .create_table()
        .table_name(name)
        .billing_mode(BillingMode::PayPerRequest)
        .set_key_schema(Some(schema(TABLE.key)?));
    let keys = TABLE.indexes.iter().map(|i| i.key).chain([TABLE.key]);
    let attributes: BTreeSet<&str> = keys.flat_map(|k| [k.partition, k.sort]).collect();
    for attribute in attributes {
        let definition = AttributeDefinition::builder()
            .attribute_name(attribute)
            .attribute_type(ScalarAttributeType::S);
        request = request.attribute_definitions(definition.build()?);
    }
    for index in TABLE.indexes {
        let keys_only = Projection::builder().projection_type(ProjectionType::KeysOnly);
        let definition = GlobalSecondaryIndex::builder()
            .index_name(index.name)
            .set_key_schema(Some(schema(index.key)?))
            .projection(keys_only.build());
        request = request.global_secondary_indexes(definition.build()?);
    }
    Ok(request)
}

fn schema(key: KeyNames) -> Result<Vec<KeySchemaElement>, BuildError> {
    let of = |name, kind| {
        KeySchemaElement::builder()
            .attribute_name(name)
            .key_type(kind)
            .build()
    };
    Ok(vec![
        of(key.partition, KeyType::Hash)?,
        of(key.sort, KeyType::Range)?,
    ])
}
