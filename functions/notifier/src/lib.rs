//! Lambda function `notifier`: tells people, by Slack, of failed Batch jobs, dead letters, CloudWatch alarms and
//! budgets: one message a cause in a window, with a link and the first thing to try.
//!
//! [`cause`] makes causes of events, [`slack`] sends them. Between them stands an item in the table under the cause's
//! key: whoever creates it tells, whoever finds it counts. A message that does not arrive is logged with its cause, and
//! the item ends, so that the next event tells again. Where that may help, the invocation fails, and Lambda hands the
//! event over again.
//!
//! Without a webhook causes are logged only. Messages of a dead-letter queue are all answered as failed: they stay
//! where they are. (Let an alarm watch those queues. As an event source they work too, with
//! `ReportBatchItemFailures`, and tell again while messages lie there.)

mod arn;
mod cause;
mod dead_letter;
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
/// How long an alarm that was told is remembered, to tell its end.
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
    /// Read when there is something to tell, and again after a refusal: URLs are changed.
    webhook: Mutex<Option<Webhook>>,
}

/// What became of a cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Told,
    /// Told before, in this window.
    Counted,
    /// Not told, nor will be by this event.
    Lost,
    /// Not told; another try may.
    TryAgain,
}

/// What became of an event.
#[derive(Default)]
struct Tally {
    told: u32,
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
        let tally = self.tell_all(event, context).instrument(span).await;
        self.metrics.property("RequestId", context.request_id.clone());
        self.metrics.flush();
        if let Some(kept) = kept_messages(event) {
            return Ok(tally.answer(Some(kept)));
        }
        if tally.try_again {
            return Err("the webhook cannot be reached: this event should come again".into());
        }
        Ok(tally.answer(None))
    }

    async fn tell_all(&self, event: &Value, context: &Context) -> Tally {
        let mut tally = Tally::default();
        for (nth, heard) in cause::heard(event).into_iter().enumerate() {
            let left = time_left(context.deadline, self.clock.now());
            // The same when this event comes again, another one for a second record of the same cause.
            let mark = format!("{}/{nth}", context.request_id);
            let at = (left.saturating_sub(ANSWER_MARGIN), mark.as_str());
            match heard {
                Notification::Ignore(why) => tally.nothing.push(why),
                Notification::Raise(cause) => tally.add(self.tell(&cause, at).await),
                Notification::Resolve { of, cause } => match self.tell_end(&of, &cause, at).await {
                    Some(outcome) => tally.add(outcome),
                    None => tally.nothing.push("the end of an alarm that was not told"),
                },
            }
        }
        info!(
            told = tally.told,
            counted = tally.counted,
            failed = tally.failed,
            nothing = tally.nothing.join(", "),
            "event done"
        );
        tally
    }

    /// Tells a cause, unless it was told in this window. Whose invocation ended before it had told anybody is invoked
    /// again with the same request id, and then finds its own mark: that is no telling.
    async fn tell(&self, cause: &Cause, (time, mark): (Duration, &str)) -> Outcome {
        let item = window_item(&cause.key);
        match self.state.put_if_absent(&item, mark, self.window).await {
            Ok(PutIfAbsent::Exists(by)) if by != mark => {
                info!(key = cause.key, what = cause.what, "told already in this window");
                metrics::counter!("Alerts", "Outcome" => "counted").increment(1);
                return Outcome::Counted;
            }
            Ok(_) => {}
            // Better twice than never.
            Err(error) => warn!(%error, "whether this was told before is not known"),
        }
        let sent = self.send(cause, time).await;
        self.metrics.alert(match sent {
            Ok(_) => AlertOutcome::Sent,
            Err(_) => AlertOutcome::Failed,
        });
        let Err(undelivered) = sent else {
            info!(key = cause.key, title = cause.title, "told");
            if cause.ends {
                self.remember(&told_item(&cause.key), &cause.title, TOLD_KEPT)
                    .await;
            }
            return Outcome::Told;
        };
        error!(
            key = cause.key,
            title = cause.title,
            what = cause.what,
            link = cause.link,
            first_step = cause.first_step,
            why = undelivered.why,
            "not told"
        );
        self.forget(&item).await;
        if undelivered.may_pass {
            Outcome::TryAgain
        } else {
            Outcome::Lost
        }
    }

    /// Tells the end of a cause, if its beginning was told. From then on its next beginning is told at once: the last
    /// message must be what is.
    async fn tell_end(&self, of: &str, cause: &Cause, at: (Duration, &str)) -> Option<Outcome> {
        match self.state.read(&told_item(of)).await {
            Ok(None) => return None,
            Ok(Some(_)) => {}
            Err(error) => warn!(%error, "whether the beginning was told is not known"),
        }
        let outcome = self.tell(cause, at).await;
        if outcome == Outcome::Told {
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
            warn!(%error, "what was told cannot be remembered");
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
            Outcome::Told => self.told += 1,
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
            "told": self.told,
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
    format!("told/{key}")
}
