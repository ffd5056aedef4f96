//! A short lock, so that of several processes one acts.
//!
//! A conditional item with a deadline: whoever finds none, or one whose deadline has passed, puts its own. Nobody
//! has to release it: a holder that died is waited for until the deadline, not longer. The deadline is compared
//! with the clock of each contender, so keep it well above the difference of two clocks (seconds, where they are
//! kept by NTP), and end the work before it: a holder that overruns is not stopped.

use crate::fault::port_error;
use crate::records::item::{expiry, key, nonce, number, number_of, text, text_of};
use crate::records::refused;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::ReturnValuesOnConditionCheckFailure;
use std::sync::Arc;
use std::time::Duration;
use walkaround_domain::Timestamp;
use walkaround_ports::{Clock, PortCall, PortError, PortErrorKind};

/// Longest time that a lock is held for.
pub const LOCK_MAX: Duration = Duration::from_secs(15 * 60);

/// Locks in the table.
#[derive(Clone)]
pub struct FleetLock {
    client: Client,
    table: String,
    clock: Arc<dyn Clock>,
}

/// The outcome of asking for a lock.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Acquired {
    /// It is the caller's until its deadline.
    Held(Hold),
    /// It is somebody's, until then at most.
    Taken {
        /// Deadline of the holder.
        until: Timestamp,
        /// Who holds it.
        owner: String,
    },
}

/// A lock that is held. Dropping it does nothing: the deadline frees the lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    name: String,
    token: String,
    /// When it ends.
    pub until: Timestamp,
}

/// The outcome of a release.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Released {
    /// It was the caller's, and is free.
    Freed,
    /// It was not the caller's any more: the deadline had passed.
    Lost,
}

impl FleetLock {
    /// Locks in `table`.
    pub fn new(client: Client, table: impl Into<String>, clock: Arc<dyn Clock>) -> Self {
        Self {
            client,
            table: table.into(),
            clock,
        }
    }

    /// Takes the lock `name` for at most `hold_for`, or says who has it. `owner` is for people to read; two calls
    /// with the same owner are two contenders.
    ///
    /// # Errors
    /// [`PortError`] of `lock.acquire`; `Invalid` for a time of zero or above [`LOCK_MAX`].
    pub async fn acquire(&self, name: &str, owner: &str, hold_for: Duration) -> Result<Acquired, PortError> {
        let at = PortCall::new("lock", "acquire");
        if hold_for.is_zero() || hold_for > LOCK_MAX {
            let detail = format!(
                "{} s: more than 0, at most {}",
                hold_for.as_secs(),
                LOCK_MAX.as_secs()
            );
            return Err(at.error(PortErrorKind::Invalid, detail));
        }
        let (now, token) = (self.clock.now(), nonce());
        let until = now + hold_for;
        let put = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(key(format!("L#{name}"), "L")))
            .item("lock_owner", text(owner))
            .item("lock_token", text(&token))
            .item("held_until", number(until.0))
            // Of no use to the lock, but what nobody asks for any more goes away.
            .item("expires_at", expiry(until, LOCK_MAX))
            .condition_expression("attribute_not_exists(pk) OR held_until <= :now")
            .expression_attribute_values(":now", number(now.0))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let held = Hold {
            name: name.to_owned(),
            token,
            until,
        };
        let standing = match put.send().await {
            Ok(_) => return Ok(Acquired::Held(held)),
            Err(error) => match refused(&error) {
                Some(standing) => standing,
                None => return Err(port_error(at, &self.what(name), &error)),
            },
        };
        // The call was sent again after an answer that never came, and meets its own item.
        if text_of(&standing, "lock_token") == Some(&held.token) {
            return Ok(Acquired::Held(held));
        }
        Ok(Acquired::Taken {
            // Without an answer about the holder it may be the longest.
            until: number_of(&standing, "held_until").map_or(now + LOCK_MAX, Timestamp),
            owner: text_of(&standing, "lock_owner").unwrap_or_default().to_owned(),
        })
    }

    /// Gives the lock back before its deadline.
    ///
    /// # Errors
    /// [`PortError`] of `lock.release`; nothing is lost, the deadline frees the lock.
    pub async fn release(&self, hold: &Hold) -> Result<Released, PortError> {
        let at: PortCall = PortCall::new("lock", "release");
        let delete = self
            .client
            .delete_item()
            .table_name(&self.table)
            .set_key(Some(key(format!("L#{}", hold.name), "L")))
            .condition_expression("lock_token = :token")
            .expression_attribute_values(":token", text(&hold.token));
        match delete.send().await {
            Ok(_) => Ok(Released::Freed),
            Err(error) => match error.as_service_error() {
                Some(refusal) if refusal.is_conditional_check_failed_exception() => Ok(Released::Lost),
                _ => Err(port_error(at, &self.what(&hold.name), &error)),
            },
        }
    }

    fn what(&self, name: &str) -> String {
        format!("lock {name} in table {}", self.table)
    }
}
