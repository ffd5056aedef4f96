//! The notice that a Spot instance is about to be taken back: two minutes before, by the instance metadata service.
//!
//! IMDSv2 only (a token first, then the question). From a container the token needs a hop limit of 2, which the
//! launch template sets. See
//! <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/spot-instance-termination-notices.html>.

use aws_config::imds::Client;
use aws_config::imds::client::error::ImdsError;
use std::sync::Arc;
use std::time::Duration;
use tracing::{debug, info, warn};
use walkaround_ports::Clock;

/// AWS recommends a check every 5 s.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// Looks that fail before the first answer: then this is no EC2 instance, or its metadata are closed to us. Once it has
/// answered, the watch never ends.
const FAILURES_MAX: u32 = 3;
/// The service is on this machine: what does not answer at once is not there.
const CONNECT_MAX: Duration = Duration::from_secs(1);
const PATH: &str = "/latest/meta-data/spot/instance-action";

/// Watches for the notice.
pub struct SpotWatch {
    client: Client,
    clock: Arc<dyn Clock>,
}

impl SpotWatch {
    /// A watch that asks the instance metadata service of this machine, or the one that
    /// `AWS_EC2_METADATA_SERVICE_ENDPOINT` names. None where `AWS_EC2_METADATA_DISABLED` is true.
    pub fn from_environment(clock: Arc<dyn Clock>) -> Option<Self> {
        let disabled =
            std::env::var("AWS_EC2_METADATA_DISABLED").is_ok_and(|v| v.eq_ignore_ascii_case("true"));
        (!disabled).then(|| Self {
            client: builder().build(),
            clock,
        })
    }

    /// A watch that asks this endpoint.
    ///
    /// # Errors
    /// When it is no URI.
    pub fn at(
        endpoint: &str,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self {
            client: builder().endpoint(endpoint)?.build(),
            clock,
        })
    }

    /// Returns when the notice comes, with what it says (`terminate` at a moment). Never returns where there is no
    /// such service.
    pub async fn notice(self) -> String {
        let (mut failures, mut answered) = (0, false);
        while answered || failures < FAILURES_MAX {
            match self.client.get(PATH).await {
                Ok(notice) => {
                    let notice = crate::fault::one_line(notice.as_ref());
                    warn!(
                        notice,
                        "spot notice: this instance will be reclaimed in about two minutes"
                    );
                    return format!("spot notice {notice}");
                }
                // 404 is the answer as long as there is no notice.
                Err(ImdsError::ErrorResponse(answer)) if answer.response().status().as_u16() == 404 => {
                    answered = true;
                }
                Err(error) => {
                    failures += 1;
                    debug!(%error, failures, "the instance metadata service does not answer");
                }
            }
            self.clock.sleep(LOOK_EVERY).await;
        }
        info!("no instance metadata service: spot notices are not watched for");
        std::future::pending().await
    }
}

fn builder() -> aws_config::imds::client::Builder {
    Client::builder()
        .connect_timeout(CONNECT_MAX)
        .read_timeout(CONNECT_MAX)
        .max_attempts(1)
}
