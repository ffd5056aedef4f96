//! Moments on the wire: `google.protobuf.Timestamp`, in JSON as RFC 3339.

use crate::Unreadable;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};
use std::time::Duration;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use walkaround_domain::Timestamp;

/// The last moment that RFC 3339 can write: 9999-12-31T23:59:59.999Z, in milliseconds since 1970.
const LAST_MS: u64 = 253_402_300_799_999;

/// `google.protobuf.Timestamp`, with its JSON form. (The usual type of that name has none.)
#[derive(Clone, Copy, PartialEq, Eq, Hash, prost::Message)]
pub struct WireTime {
    /// Seconds since 1970-01-01T00:00:00Z.
    #[prost(int64, tag = "1")]
    pub seconds: i64,
    /// Nanoseconds after that second, 0 to 999,999,999.
    #[prost(int32, tag = "2")]
    pub nanos: i32,
}

impl From<Timestamp> for WireTime {
    /// Moments after the year 9999 become its last one: nothing can write them.
    fn from(at: Timestamp) -> Self {
        let since = Duration::from_millis(at.0.min(LAST_MS));
        Self {
            seconds: i64::try_from(since.as_secs()).unwrap_or(i64::MAX),
            nanos: i32::try_from(since.subsec_nanos()).unwrap_or(0),
        }
    }
}

impl TryFrom<WireTime> for Timestamp {
    type Error = Unreadable;

    /// Cuts off what is finer than a millisecond.
    fn try_from(wire: WireTime) -> Result<Self, Unreadable> {
        let out = || Unreadable::new("expected a moment from 1970 to 9999");
        let seconds = u64::try_from(wire.seconds).map_err(|_| out())?;
        let nanos = u32::try_from(wire.nanos).map_err(|_| out())?;
        if seconds > LAST_MS / 1000 || nanos > 999_999_999 {
            return Err(out());
        }
        Ok(Self(seconds * 1000 + u64::from(nanos / 1_000_000)))
    }
}

impl WireTime {
    fn calendar(self) -> Option<OffsetDateTime> {
        let nanos = i128::from(self.seconds) * 1_000_000_000 + i128::from(self.nanos);
        OffsetDateTime::from_unix_timestamp_nanos(nanos).ok()
    }
}

impl Serialize for WireTime {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = self.calendar().and_then(|c| c.format(&Rfc3339).ok());
        match text {
            Some(text) => serializer.serialize_str(&text),
            None => Err(ser::Error::custom(
                "a moment beyond the years that RFC 3339 can write",
            )),
        }
    }
}

impl<'de> Deserialize<'de> for WireTime {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let expected = "a moment, expected RFC 3339 such as 2026-11-22T17:04:05Z";
        let text = String::deserialize(deserializer).map_err(|_| de::Error::custom(expected))?;
        let read = OffsetDateTime::parse(&text, &Rfc3339).map_err(|_| de::Error::custom(expected))?;
        Ok(Self {
            seconds: read.unix_timestamp(),
            nanos: i32::try_from(read.nanosecond()).unwrap_or(0),
        })
    }
}

/// The moment as RFC 3339 in UTC: `2026-11-22T17:04:05.123Z`.
pub fn rfc3339(at: Timestamp) -> String {
    let calendar = WireTime::from(at).calendar();
    // The conversion to the wire keeps within the years that can be written.
    calendar.and_then(|c| c.format(&Rfc3339).ok()).unwrap_or_default()
}

/// Reads a moment from RFC 3339.
///
/// # Errors
/// When it is none, or before 1970.
pub fn parse_rfc3339(text: &str) -> Result<Timestamp, Unreadable> {
    let read = OffsetDateTime::parse(text, &Rfc3339)
        .map_err(|_| Unreadable::new("expected RFC 3339 such as 2026-11-22T17:04:05Z"))?;
    let nanos = i32::try_from(read.nanosecond()).unwrap_or(0);
    Timestamp::try_from(WireTime {
        seconds: read.unix_timestamp(),
        nanos,
    })
}

/// The UTC day of a moment, `2026-11-22`: what records are listed by.
pub fn utc_day(at: Timestamp) -> String {
    let mut text = rfc3339(at);
    text.truncate("2026-11-22".len());
    text
}
