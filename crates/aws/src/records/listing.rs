//! Pages of an index, and counts.
//!
//! How: a query names an index and its partitions, in order. Keys are taken partition after partition; a cursor
//! is the partition's number and the sort key of the last one, both of which never change, so that pages neither
//! skip nor repeat a record whatever is written in between. The records themselves are read by key, consistently,
//! a hundred at a time; one that no longer is what the query asks for is left out: the index lags behind.

use super::DynamoRecords;
use super::item::{Item, text, text_of};
use super::stored::{SHARDS, day_shard, from_item, outcome_shard, record_key};
use super::table::{BY_DAY, BY_OUTCOME, BY_RESERVATION, BY_VEHICLE, IndexDefinition};
use crate::batch_get::{GET_MAX, batch_get};
use crate::fault::port_error;
use aws_sdk_dynamodb::types::Select;
use std::collections::{BTreeMap, HashMap};
use walkaround_domain::Verdict;
use walkaround_ports::{IndexKeys, Page, PortCall, PortError, PortErrorKind, RecordQuery, StoredRecord};

/// Most queries of one page; then it ends short of what was asked for.
const QUERIES_MAX: usize = 32;
/// Bodies of one page in bytes, after which it ends short of what was asked for.
const PAGE_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Most queries to count one day: more than ten million records.
const COUNT_QUERIES_MAX: usize = 2000;
/// Phases that have no verdict; `done` only where something wrote one without.
const PHASES: [&str; 4] = ["accepted", "routed", "done", "failed"];

const AT: PortCall = PortCall::new("records", "list");

/// Where a query searches.
struct Place {
    index: IndexDefinition,
    partitions: Vec<String>,
    /// Whether sort keys ascend.
    forward: bool,
}

impl Place {
    fn of(query: &RecordQuery) -> Self {
        let newest_first = |index, value: &String| Self {
            index,
            // An empty key is refused by the service, and nothing can stand there.
            partitions: Some(value)
                .filter(|v| !v.is_empty())
                .cloned()
                .into_iter()
                .collect(),
            forward: false,
        };
        match query {
            RecordQuery::Vehicle(vehicle) => newest_first(BY_VEHICLE, vehicle),
            RecordQuery::Reservation(reservation) => newest_first(BY_RESERVATION, reservation),
            RecordQuery::VerdictOnDay { verdict, day } => Self {
                index: BY_OUTCOME,
                partitions: (0..SHARDS).map(|s| outcome_shard(verdict, day, s)).collect(),
                forward: true,
            },
            RecordQuery::FailedOnDay(day) => Self {
                index: BY_OUTCOME,
                partitions: (0..SHARDS).map(|s| outcome_shard("failed", day, s)).collect(),
                forward: true,
            },
            RecordQuery::Day(day) => Self {
                index: BY_DAY,
                partitions: (0..SHARDS).map(|s| day_shard(day, s)).collect(),
                forward: true,
            },
        }
    }
}

/// Whether a record is what a query asks for.
fn fits(query: &RecordQuery, keys: &IndexKeys) -> bool {
    match query {
        RecordQuery::Vehicle(vehicle) => keys.vehicle_id.as_ref() == Some(vehicle),
        RecordQuery::Reservation(reservation) => keys.reservation_id.as_ref() == Some(reservation),
        RecordQuery::VerdictOnDay { verdict, day } => {
            keys.verdict.as_ref() == Some(verdict) && keys.day == *day
        }
        RecordQuery::FailedOnDay(day) => keys.phase == "failed" && keys.day == *day,
        RecordQuery::Day(day) => keys.day == *day,
    }
}

/// A place in a listing: everything up to `sort` in the partition was listed; nothing of it when none.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Cursor {
    partition: usize,
    sort: Option<String>,
}

impl Cursor {
    const START: Self = Self {
        partition: 0,
        sort: None,
    };

    fn token(&self) -> String {
        format!("{} {}", self.partition, self.sort.as_deref().unwrap_or_default())
    }

    /// Tokens come back from outside: what is none must not become a key.
    fn parse(token: &str, partitions: usize) -> Result<Self, PortError> {
        let wrong = || AT.error(PortErrorKind::Invalid, "not a token of an earlier page");
        let (partition, sort) = token.split_once(' ').ok_or_else(wrong)?;
        let partition = partition.parse().map_err(|_| wrong())?;
        if partition >= partitions {
            return Err(wrong());
        }
        let sort = Some(sort.to_owned()).filter(|s| !s.is_empty());
        Ok(Self { partition, sort })
    }
}

impl DynamoRecords {
    pub(super) async fn page(
        &self,
        query: &RecordQuery,
        after: Option<&str>,
        max: usize,
    ) -> Result<Page, PortError> {
        let place = Place::of(query);
        let start = after.map_or(Ok(Cursor::START), |t| Cursor::parse(t, place.partitions.len()))?;
        let (found, end) = self.keys(&place, start, max).await?;
        let mut next = Some(end).filter(|end| end.partition < place.partitions.len());
        let (mut records, mut bytes, mut taken) = (Vec::new(), 0, 0);
        for some in found.chunks(GET_MAX) {
            for record in self.get(some).await? {
                bytes += record.body.len();
                records.push(record);
            }
            taken += some.len();
            if bytes > PAGE_BYTES_MAX && taken < found.len() {
                next = some.last().cloned();
                break;
            }
        }
        records.retain(|record| fits(query, &record.keys));
        Ok(Page {
            records,
            next: next.map(|cursor| cursor.token()),
        })
    }

    /// At most `max` places after a place, each that of one record, and where the next page starts. One key more is
    /// looked for, so that a full page that was the last says so.
    async fn keys(
        &self,
        place: &Place,
        start: Cursor,
        max: usize,
    ) -> Result<(Vec<Cursor>, Cursor), PortError> {
        let (mut found, mut at) = (Vec::new(), start.clone());
        for _ in 0..QUERIES_MAX {
            if found.len() > max || at.partition == place.partitions.len() {
                break;
            }
            let limit = i32::try_from(max + 1 - found.len()).unwrap_or(i32::MAX);
            let (sorts, last) = self.query_keys(place, &at, limit).await?;
            found.extend(sorts.into_iter().map(|sort| Cursor {
                partition: at.partition,
                sort: Some(sort),
            }));
            at = match last {
                Some(sort) => Cursor {
                    sort: Some(sort),
                    ..at
                },
                None => Cursor {
                    partition: at.partition + 1,
                    sort: None,
                },
            };
        }
        if found.len() > max {
            found.truncate(max);
            at = found.last().cloned().unwrap_or(start);
        }
        Ok((found, at))
    }

    /// Sort keys of one partition, and the last that was read, where there may be more.
    async fn query_keys(
        &self,
        place: &Place,
        at: &Cursor,
        limit: i32,
    ) -> Result<(Vec<String>, Option<String>), PortError> {
        let (partition, key) = (&place.partitions[at.partition], place.index.key);
        let from = at.sort.as_deref().map(|sort| {
            let mut from = record_key(id_of(sort));
            from.insert(key.partition.to_owned(), text(partition));
            from.insert(key.sort.to_owned(), text(sort));
            from
        });
        let query = self
            .client
            .query()
            .table_name(&self.table)
            .index_name(place.index.name)
            .key_condition_expression("#partition = :partition")
            .expression_attribute_names("#partition", key.partition)
            .expression_attribute_values(":partition", text(partition))
            .scan_index_forward(place.forward)
            .limit(limit)
            .set_exclusive_start_key(from);
        let answer = query.send().await.map_err(|e| port_error(AT, &self.what(), &e))?;
        let sort = |item: &Item| text_of(item, key.sort).map(str::to_owned);
        let sorts = answer.items().iter().filter_map(sort).collect();
        Ok((sorts, answer.last_evaluated_key().and_then(sort)))
    }

    /// The records of at most [`GET_MAX`] places, in their order, without those that are gone.
    async fn get(&self, places: &[Cursor]) -> Result<Vec<StoredRecord>, PortError> {
        let ids: Vec<&str> = places
            .iter()
            .filter_map(|p| p.sort.as_deref())
            .map(id_of)
            .collect();
        let keys: Vec<Item> = ids.iter().map(|id| record_key(id)).collect();
        let mut records = HashMap::new();
        for item in batch_get(&self.client, &self.table, AT, keys).await? {
            let record = from_item(&item).map_err(|why| self.corrupt(AT, &why))?;
            records.insert(record.id.as_str().to_owned(), record);
        }
        Ok(ids.into_iter().filter_map(|id| records.remove(id)).collect())
    }

    /// How many records of a day stand in one phase with one verdict. As fresh as the index is.
    ///
    /// # Errors
    /// [`PortError`]; `Invalid` for a day of more records than 2,000 queries count.
    pub async fn counts_on_day(
        &self,
        day: &str,
    ) -> Result<BTreeMap<(String, Option<String>), u64>, PortError> {
        let verdicts = Verdict::ALL.map(|v| ("done", Some(v.as_str())));
        let outcomes = PHASES.map(|phase| (phase, None));
        let mut counts = BTreeMap::new();
        let mut queries_left = COUNT_QUERIES_MAX;
        for (phase, verdict) in verdicts.into_iter().chain(outcomes) {
            let mut count = 0;
            for shard in 0..SHARDS {
                let partition = outcome_shard(verdict.unwrap_or(phase), day, shard);
                count += self.count(&partition, &mut queries_left).await?;
            }
            if count > 0 {
                counts.insert((phase.to_owned(), verdict.map(str::to_owned)), count);
            }
        }
        Ok(counts)
    }

    async fn count(&self, partition: &str, queries_left: &mut usize) -> Result<u64, PortError> {
        let at = PortCall::new("records", "counts");
        let (mut count, mut from) = (0, None);
        while *queries_left > 0 {
            *queries_left -= 1;
            let query = self
                .client
                .query()
                .table_name(&self.table)
                .index_name(BY_OUTCOME.name)
                .key_condition_expression("#partition = :partition")
                .expression_attribute_names("#partition", BY_OUTCOME.key.partition)
                .expression_attribute_values(":partition", text(partition))
                .select(Select::Count)
                .set_exclusive_start_key(from);
            let answer = query.send().await.map_err(|e| port_error(at, &self.what(), &e))?;
            count += u64::try_from(answer.count()).unwrap_or(0);
            from = answer.last_evaluated_key;
            if from.is_none() {
                return Ok(count);
            }
        }
        let detail = format!("the day has more records than {COUNT_QUERIES_MAX} queries can count");
        Err(at.error(PortErrorKind::Invalid, detail))
    }
}

/// The id at the end of a sort key: all of `<id>`, the rest of `<day>#<id>`. Ids have no `#`.
fn id_of(sort: &str) -> &str {
    sort.rsplit('#').next().unwrap_or(sort)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_comes_back_from_its_token() {
        for cursor in [
            Cursor::START,
            Cursor {
                partition: 7,
                sort: Some("2026-11-22#a b".to_owned()),
            },
        ] {
            assert_eq!(Cursor::parse(&cursor.token(), 8).unwrap(), cursor);
        }
    }

    #[test]
    fn a_token_from_nowhere_is_invalid() {
        for token in ["", "7", "x i-1", "-1 i-1", "8 i-1"] {
            let kind = Cursor::parse(token, 8).map_err(|e| e.kind);
            assert_eq!(kind, Err(PortErrorKind::Invalid), "`{token}`");
        }
    }
}
