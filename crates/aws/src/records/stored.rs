//! A record as an item, and back.
//!
//! Short bodies are kept as text, so that the console shows them; long ones are gzipped, which keeps them far
//! from the 400 KB that DynamoDB allows an item.

use super::item::{Item, expiry, key, number, number_of, text, text_of};
use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use std::io::{Read, Write};
use std::time::Duration;
use walkaround_domain::{InspectionId, Timestamp};
use walkaround_ports::{IndexKeys, ResultKey, StoredRecord};

/// Sort key of the record of an inspection.
pub(super) const RECORD: &str = "R";
/// Longest body in bytes.
pub(super) const RECORD_BYTES_MAX: usize = 1024 * 1024;
/// Longest body that is kept as text, in bytes.
const PLAIN_BYTES_MAX: usize = 32 * 1024;
/// Longest body as it is stored, in bytes: DynamoDB takes 400 KB an item, keys and names included.
const STORED_BYTES_MAX: usize = 350 * 1024;
/// Parts of a day in the indexes by day and by outcome.
pub(super) const SHARDS: u64 = 8;

/// Primary key of the record of an inspection.
pub(crate) fn record_key(id: &str) -> Item {
    key(format!("I#{id}"), RECORD)
}

/// Primary key of the item that names the inspection with a result. It begins like a record's, for policies that allow
/// `I#*`; no id has a `#`, so none is another's.
pub(super) fn result_key(result: &ResultKey) -> Item {
    let digest = InspectionId::from_digest(result.photo_sha256);
    key(
        format!("I##{digest}"),
        format!("{}#{}", result.bundle.name, result.bundle.version),
    )
}

/// Partition of the index by day.
pub(super) fn day_shard(day: &str, shard: u64) -> String {
    format!("{day}#{shard}")
}

/// Partition of the index by outcome. The outcome is the verdict, or the phase where there is none.
pub(super) fn outcome_shard(outcome: &str, day: &str, shard: u64) -> String {
    format!("{outcome}#{day}#{shard}")
}

/// Sort key of the indexes by vehicle and by reservation.
pub(super) fn day_id(day: &str, id: &str) -> String {
    format!("{day}#{id}")
}

/// The shard of an id: FNV-1a, for ids that callers choose may end in the same digits.
pub(crate) fn shard_of(id: &str) -> u64 {
    let fold = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    let hash = id.bytes().fold(0xcbf2_9ce4_8422_2325, fold);
    // The low bits of FNV see only the low bits of the text.
    (hash ^ (hash >> 32)) % SHARDS
}

/// The item of a record with its new version and the token of this write; why it cannot be stored otherwise.
pub(super) fn to_item(
    record: &StoredRecord,
    version: u64,
    token: &str,
    keep_for: Option<Duration>,
) -> Result<Item, String> {
    let (id, keys) = (record.id.as_str(), &record.keys);
    let shard = shard_of(id);
    let outcome = keys.verdict.as_deref().unwrap_or(&keys.phase);
    let mut item = record_key(id);
    let mut set = |name: &str, value: AttributeValue| item.insert(name.to_owned(), value);
    set("id", text(id));
    set("version", number(version));
    set("write_token", text(token));
    set("updated_at", number(record.updated_at.0));
    set("phase", text(&keys.phase));
    set("day", text(&keys.day));
    set("day_shard", text(day_shard(&keys.day, shard)));
    set("outcome_shard", text(outcome_shard(outcome, &keys.day, shard)));
    if let Some(verdict) = &keys.verdict {
        set("verdict", text(verdict));
    }
    // An index key cannot be empty; messages do not let an empty name through.
    for (name, value) in [
        ("vehicle", &keys.vehicle_id),
        ("reservation", &keys.reservation_id),
    ] {
        if let Some(value) = value.as_deref().filter(|v| !v.is_empty()) {
            set(name, text(value));
            set("day_id", text(day_id(&keys.day, id)));
        }
    }
    if let Some(keep_for) = keep_for {
        set("expires_at", expiry(record.updated_at, keep_for));
    }
    let (name, body) = pack(&record.body)?;
    set(name, body);
    Ok(item)
}

/// The record of an item; what is wrong with it otherwise.
pub(super) fn from_item(item: &Item) -> Result<StoredRecord, String> {
    let owned = |name: &str| text_of(item, name).map(str::to_owned);
    let missing = |name: &str| format!("the item has no `{name}`");
    let id = owned("id").ok_or_else(|| missing("id"))?;
    Ok(StoredRecord {
        id: InspectionId::new(id).map_err(|e| e.to_string())?,
        version: number_of(item, "version").ok_or_else(|| missing("version"))?,
        updated_at: Timestamp(number_of(item, "updated_at").ok_or_else(|| missing("updated_at"))?),
        keys: IndexKeys {
            phase: owned("phase").ok_or_else(|| missing("phase"))?,
            verdict: owned("verdict"),
            day: owned("day").ok_or_else(|| missing("day"))?,
            vehicle_id: owned("vehicle"),
            reservation_id: owned("reservation"),
        },
        body: unpack(item)?,
    })
}

fn pack(body: &str) -> Result<(&'static str, AttributeValue), String> {
    if body.len() <= PLAIN_BYTES_MAX {
        return Ok(("body", text(body)));
    }
    if body.len() > RECORD_BYTES_MAX {
        return Err(format!(
            "a body of {} bytes, at most {RECORD_BYTES_MAX}",
            body.len()
        ));
    }
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    let packed = encoder.write_all(body.as_bytes()).and_then(|()| encoder.finish());
    let packed = packed.map_err(|e| format!("the body cannot be compressed: {e}"))?;
    if packed.len() > STORED_BYTES_MAX {
        return Err(format!(
            "a body of {} bytes when compressed, expected at most {STORED_BYTES_MAX}",
            packed.len()
        ));
    }
    Ok(("body_gzip", AttributeValue::B(Blob::new(packed))))
}

fn unpack(item: &Item) -> Result<String, String> {
    if let Some(body) = text_of(item, "body") {
        return Ok(body.to_owned());
    }
    let packed = item.get("body_gzip").and_then(|value| value.as_b().ok());
    let packed = packed.ok_or("the item has no `body`")?;
    let mut body = String::new();
    // Reading one byte more than allowed shows whether there is more.
    let mut unpacked = GzDecoder::new(packed.as_ref()).take(RECORD_BYTES_MAX as u64 + 1);
    let read = unpacked.read_to_string(&mut body);
    match read {
        Ok(bytes) if bytes <= RECORD_BYTES_MAX => Ok(body),
        Ok(_) => Err(format!("a compressed body of more than {RECORD_BYTES_MAX} bytes")),
        Err(_) => Err("a compressed body that cannot be read".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(body: String) -> StoredRecord {
        StoredRecord {
            id: InspectionId::new("i-1").unwrap(),
            version: 0,
            updated_at: Timestamp(1_795_305_600_123),
            keys: IndexKeys {
                phase: "routed".to_owned(),
                day: "2026-11-22".to_owned(),
                ..IndexKeys::default()
            },
            body,
        }
    }

    /// Text that does not compress below half.
    fn noise(bytes: usize) -> String {
        let mut state = 1_u64;
        let next = |_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            char::from(b'!' + u8::try_from((state >> 33) % 90).unwrap())
        };
        (0..bytes).map(next).collect()
    }

    #[test]
    fn a_long_body_is_packed_and_comes_back() {
        for (body, packed) in [
            (noise(PLAIN_BYTES_MAX), false),
            (noise(PLAIN_BYTES_MAX + 1), true),
        ] {
            let item = to_item(&record(body.clone()), 1, "t", None).unwrap();
            assert_eq!(item.contains_key("body_gzip"), packed);
            assert_eq!(from_item(&item).unwrap().body, body);
        }
    }

    #[test]
    fn a_body_beyond_either_bound_is_refused_by_name() {
        let long = to_item(&record("x".repeat(RECORD_BYTES_MAX + 1)), 1, "t", None).unwrap_err();
        assert!(long.contains("1048577 bytes, at most 1048576"), "{long}");
        let dense = to_item(&record(noise(RECORD_BYTES_MAX)), 1, "t", None).unwrap_err();
        assert!(
            dense.ends_with("when compressed, expected at most 358400"),
            "{dense}"
        );
    }

    #[test]
    fn a_packed_body_that_grows_beyond_the_bound_is_refused() {
        let mut item = to_item(&record(noise(PLAIN_BYTES_MAX + 1)), 1, "t", None).unwrap();
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(&vec![b' '; RECORD_BYTES_MAX + 1]).unwrap();
        let bomb = AttributeValue::B(Blob::new(encoder.finish().unwrap()));
        item.insert("body_gzip".to_owned(), bomb);
        assert!(from_item(&item).unwrap_err().contains("more than 1048576"));
    }

    #[test]
    fn ids_that_count_up_spread_over_all_shards() {
        for pattern in ["i-", "2026-11-22-"] {
            let mut sizes = [0_u32; SHARDS as usize];
            for number in 0..8000 {
                sizes[usize::try_from(shard_of(&format!("{pattern}{number}"))).unwrap()] += 1;
            }
            assert!(sizes.iter().all(|size| (700..1300).contains(size)), "{sizes:?}");
        }
    }

    #[test]
    fn an_item_goes_no_earlier_than_it_may() {
        let day = Duration::from_secs(86_400);
        let item = to_item(&record(String::new()), 1, "t", Some(day)).unwrap();
        assert_eq!(number_of(&item, "expires_at"), Some(1_795_305_601 + 86_400));
        let forever = to_item(&record(String::new()), 1, "t", None).unwrap();
        assert!(!forever.contains_key("expires_at"));
    }
}
