//! Lambda function `notifier`: notifies people, by Slack, of failed Batch jobs, dead letters, CloudWatch alarms and
//! budgets: one message a cause in a window, with a link and the first thing to try.
//!
//! [`event`] makes causes of events, [`slack`] sends them. Between them stands an item in the table under the cause's
//! key: whoever creates it sends, whoever finds it counts. A message that does not arrive is logged with its cause, and
//! the item ends, so that the next event is sent again. Where that may help, the invocation fails, and Lambda hands the
//! event over again.
//!
//! Without a webhook causes are logged only. Messages of a dead-letter queue are all answered as failed: they stay
//! where they are. (Let an alarm watch those queues. As an event source they work too, with
//! `ReportBatchItemFailures`, and notify again while messages lie there.)

mod arn;
mod cause;
mod dead_letter;
mod event;
mod job;
mod slack;
mod topic;

use cause::{Cause, Notification};
use lambda_runtime::{Context, LambdaEvent, service_fn};
use serde_json::{Value, json};
use slack::{Undelivered, Webhook, message};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;
use tracing::{Instrument, error, info, info_span, warn};
use walkaround_aws::{Aws, Connection, DynamoState, PutIfAbsent, secret_text};
use walkaround_bootstrap::aws::metrics::{AlertOutcome, Metrics};
use walkaround_bootstrap::aws::{AwsStack, time_left};
use walkaround_bootstrap::{Failure, exit, process};
use walkaround_ports::{Clock, PortErrorKind, StateStore};
use walkaround_settings::aws::ALERT_SECRET;

/// Kept free of the invocation's time, for the answer.
const ANSWER_MARGIN: Duration = Duration::from_secs(3);
/// How long an alarm that was sent is remembered, to send its end.
const TOLD_KEPT: Duration = Duration::from_secs(60 * 24 * 3600);

/// Runs until Lambda ends the process.
pub fn main() -> ! {
    process::start_json_log();
    exit::end(process::runtime().and_then(|runtime| runtime.block_on(run())))
}

/// A started function.
struct Function {
    aws: Aws,
    state: DynamoState,
    clock: Arc<dyn Clock>,
    metrics: Metrics,
    window: Duration,
    secret: Option<String>,
    /// Read when there is something to send, and again after a refusal: URLs are changed.
    webhook: Mutex<Option<Webhook>>,
}

/// One attempt to send a message.
#[derive(Clone, Copy)]
struct Attempt<'a> {
    /// Time left for it.
    time: Duration,
    /// Names the record of the event, the same when that event comes again.
    mark: &'a str,
}

/// The result of a cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Sent,
    /// Sent before, in this window.
    Counted,
    /// Not sent, nor will be by this event.
    Lost,
    /// Not sent; another try may succeed.
    TryAgain,
}

/// The result of an event.
#[derive(Default)]
struct Tally {
    sent: u32,
    counted: u32,
    failed: u32,
    try_again: bool,
    nothing: Vec<&'static str>,
}

async fn run() -> Result<ExitCode, Failure> {
    let function = Function::start().await?;
    let function = &function;
    lambda_runtime::run(service_fn(|event: LambdaEvent<Value>| async move {
        function.handle(&event.payload, &event.context).await
    }))
    .await
    .map_err(|error| anyhow::anyhow!("the runtime API failed: {error}"))?;
    Ok(ExitCode::SUCCESS)
}

impl Function {
    async fn start() -> Result<Self, Failure> {
        let stack = AwsStack::open(&Connection::default()).await?;
        let secret = stack.settings.aws.get(ALERT_SECRET).map(str::to_owned);
        if secret.is_none() {
            warn!("{ALERT_SECRET} is not set: causes are logged only");
        }
        Ok(Self {
            aws: stack.aws.clone(),
            state: stack.state()?,
            clock: Arc::clone(&stack.clock),
            metrics: stack.metrics("notifier")?,
            window: stack.settings.alert_window,
            secret,
            webhook: Mutex::new(None),
        })
    }

    async fn handle(&self, event: &Value, context: &Context) -> Result<Value, lambda_runtime::Error> {
        let span = info_span!("invocation", request_id = context.request_id);
        let tally = self.notify_all(event, context).instrument(span).await;
        self.metrics.property("RequestId", context.request_id.clone());
        self.metrics.flush();
        if let Some(kept) = kept_messages(event) {
            return Ok(tally.answer(Some(kept)));
        }
        if tally.try_again {
            return Err("the webhook cannot be reached: this event is to be delivered again".into());
        }
        Ok(tally.answer(None))
    }

    async fn notify_all(&self, event: &Value, context: &Context) -> Tally {
        let mut tally = Tally::default();
        for (nth, notification) in event::notifications(event).into_iter().enumerate() {
            let left = time_left(context.deadline, self.clock.now());
            // The same when this event comes again, another one for a second record of the same cause.
            let mark = format!("{}/{nth}", context.request_id);
            let attempt = Attempt {
                time: left.saturating_sub(ANSWER_MARGIN),
                mark: &mark,
            };
            match notification {
                Notification::Ignore(why) => tally.nothing.push(why),
                Notification::Raise(cause) => tally.add(self.raise(&cause, attempt).await),
                Notification::Resolve { of, cause } => match self.resolve(&of, &cause, attempt).await {
                    Some(outcome) => tally.add(outcome),
                    None => tally.nothing.push("the end of an alarm that was not sent"),
                },
            }
        }
        info!(
            sent = tally.sent,
            counted = tally.counted,
            failed = tally.failed,
            nothing = tally.nothing.join(", "),
            "event done"
        );
        tally
    }

    /// Sends a cause, unless it was sent in this window. An invocation that ended before it had sent anything is
    /// repeated with the same request id, and then finds its own mark: that does not count as sent.
    async fn raise(&self, cause: &Cause, attempt: Attempt<'_>) -> Outcome {
        let Attempt { time, mark } = attempt;
        let item = window_item(&cause.key);
        match self.state.put_if_absent(&item, mark, self.window).await {
            Ok(PutIfAbsent::Exists(by)) if by != mark => {
                info!(key = cause.key, what = cause.what, "already sent in this window");
                metrics::counter!("Alerts", "Outcome" => "counted").increment(1);
                return Outcome::Counted;
            }
            Ok(_) => {}
            // Better twice than never.
            Err(error) => warn!(%error, "cannot tell whether this was sent before"),
        }
        let sent = self.send(cause, time).await;
        self.metrics.alert(match sent {
            Ok(_) => AlertOutcome::Sent,
            Err(_) => AlertOutcome::Failed,
        });
        let Err(undelivered) = sent else {
            info!(key = cause.key, title = cause.title, "sent");
            if cause.ends {
                self.remember(&told_item(&cause.key), &cause.title, TOLD_KEPT)
                    .await;
            }
            return Outcome::Sent;
        };
        error!(
            key = cause.key,
            title = cause.title,
            what = cause.what,
            link = cause.link,
            first_step = cause.first_step,
            why = undelivered.why,
            "not sent"
        );
        self.forget(&item).await;
        if undelivered.may_pass {
            Outcome::TryAgain
        } else {
            Outcome::Lost
        }
    }

    /// Sends the end of a cause, if its beginning was sent. From then on its next beginning is sent at once: the last
    /// message must show the present state.
    async fn resolve(&self, of: &str, cause: &Cause, attempt: Attempt<'_>) -> Option<Outcome> {
        match self.state.read(&told_item(of)).await {
            Ok(None) => return None,
            Ok(Some(_)) => {}
            Err(error) => warn!(%error, "cannot tell whether the beginning was sent"),
        }
        let outcome = self.raise(cause, attempt).await;
        if outcome == Outcome::Sent {
            self.forget(&told_item(of)).await;
            self.forget(&window_item(of)).await;
        }
        Some(outcome)
    }

    async fn send(&self, cause: &Cause, time: Duration) -> Result<(), Undelivered> {
        let webhook = self.webhook().await?;
        let sent = webhook.send(&message(cause), time).await;
        if sent.as_ref().is_err_and(|undelivered| !undelivered.may_pass) {
            *self.webhook.lock().await = None;
        }
        sent
    }

    async fn webhook(&self) -> Result<Webhook, Undelivered> {
        let mut known = self.webhook.lock().await;
        if let Some(webhook) = known.as_ref() {
            return Ok(webhook.clone());
        }
        let Some(secret) = &self.secret else {
            return Err(Undelivered {
                may_pass: false,
                why: format!("no webhook: {ALERT_SECRET} is not set"),
            });
        };
        let url = secret_text(&self.aws.secrets, secret)
            .await
            .map_err(|error| Undelivered {
                may_pass: matches!(error.kind, PortErrorKind::Unavailable | PortErrorKind::Throttled),
                why: error.to_string(),
            })?;
        let webhook = Webhook::new(&url)?;
        *known = Some(webhook.clone());
        Ok(webhook)
    }

    async fn remember(&self, item: &str, body: &str, keep_for: Duration) {
        if let Err(error) = self.state.write(item, body, keep_for).await {
            warn!(%error, "the sent message cannot be recorded");
        }
    }

    /// An item that lives no longer is taken as absent.
    async fn forget(&self, item: &str) {
        self.remember(item, "", Duration::ZERO).await;
    }
}

impl Tally {
    fn add(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Sent => self.sent += 1,
            Outcome::Counted => self.counted += 1,
            Outcome::Lost => self.failed += 1,
            Outcome::TryAgain => {
                self.failed += 1;
                self.try_again = true;
            }
        }
    }

    /// The answer; with messages that a queue has to keep, Lambda reads it as a partial batch response.
    fn answer(&self, kept: Option<Vec<Value>>) -> Value {
        let mut answer = json!({
            "sent": self.sent,
            "counted": self.counted,
            "failed": self.failed,
            "nothing": self.nothing,
        });
        if let Some(kept) = kept {
            answer["batchItemFailures"] = Value::from(kept);
        }
        answer
    }
}

/// The messages of a queue's event, as ones to keep.
fn kept_messages(event: &Value) -> Option<Vec<Value>> {
    let records = event["Records"].as_array()?;
    let of_queue = records
        .first()
        .is_some_and(|first| first["eventSource"] == "aws:sqs");
    of_queue.then(|| {
        records
            .iter()
            .map(|record| json!({"itemIdentifier": record["messageId"]}))
            .collect()
    })
}

fn window_item(key: &str) -> String {
    format!("alert/{key}")
}

fn told_item(key: &str) -> String {
    format!("sent/{key}")
}
