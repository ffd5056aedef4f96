//! Names of things on AWS taken apart, and links to them in the console.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// What may stand in a fragment of the console's addresses as it is.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

/// An Amazon Resource Name: `arn:PARTITION:SERVICE:REGION:ACCOUNT:RESOURCE`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Arn<'a> {
    partition: &'a str,
    region: &'a str,
    account: &'a str,
    resource: &'a str,
}

impl<'a> Arn<'a> {
    /// The parts; none when it is no ARN.
    pub(crate) fn parse(text: &'a str) -> Option<Self> {
        let mut parts = text.splitn(6, ':');
        let ("arn", partition, _service) = (parts.next()?, parts.next()?, parts.next()?) else {
            return None;
        };
        Some(Self {
            partition,
            region: parts.next()?,
            account: parts.next()?,
            resource: parts.next()?,
        })
    }

    /// Last part of the resource: what people call it. A revision (`name:3`) stays.
    pub(crate) fn name(&self) -> &'a str {
        let resource = self.resource.strip_prefix("alarm:").unwrap_or(self.resource);
        resource.rsplit('/').next().unwrap_or(resource)
    }

    fn console(&self) -> &'static str {
        match self.partition {
            "aws-cn" => "console.amazonaws.cn",
            "aws-us-gov" => "console.amazonaws-us-gov.com",
            _ => "console.aws.amazon.com",
        }
    }

    fn at(&self, page: &str) -> String {
        let (region, console) = (self.region, self.console());
        // Of an alarm's ARN the region is known; of a malformed one the console's choice has to do.
        if region.is_empty() {
            return format!("https://{console}/");
        }
        let page = page.replacen("REGION", region, 1);
        format!("https://{region}.{console}/{page}")
    }

    /// The page of a job of AWS Batch.
    pub(crate) fn job(&self, id: &str) -> String {
        self.at(&format!("batch/home?region=REGION#jobs/detail/{}", escaped(id)))
    }

    /// The page of an alarm.
    pub(crate) fn alarm(&self, name: &str) -> String {
        self.at(&format!(
            "cloudwatch/home?region=REGION#alarmsV2:alarm/{}",
            escaped(name)
        ))
    }

    /// The page of a function.
    pub(crate) fn function(&self, name: &str) -> String {
        self.at(&format!("lambda/home?region=REGION#/functions/{}", escaped(name)))
    }

    /// The page of a topic.
    pub(crate) fn topic(&self, arn: &str) -> String {
        self.at(&format!("sns/v3/home?region=REGION#/topic/{arn}"))
    }

    /// The page of a queue.
    pub(crate) fn queue(&self) -> String {
        let domain = if self.partition == "aws-cn" {
            "amazonaws.com.cn"
        } else {
            "amazonaws.com"
        };
        let url = format!(
            "https://sqs.{}.{domain}/{}/{}",
            self.region, self.account, self.resource
        );
        self.at(&format!("sqs/v3/home?region=REGION#/queues/{}", escaped(&url)))
    }
}

fn escaped(text: &str) -> String {
    utf8_percent_encode(text, ESCAPED).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_name_region_and_partition() {
        let queue = Arn::parse("arn:aws:sqs:eu-central-1:111122223333:photos-dead").unwrap();
        assert_eq!(
            queue.queue(),
            "https://eu-central-1.console.aws.amazon.com/sqs/v3/home?region=eu-central-1#/queues/\
             https%3A%2F%2Fsqs.eu-central-1.amazonaws.com%2F111122223333%2Fphotos-dead"
        );
        let alarm =
            Arn::parse("arn:aws-cn:cloudwatch:cn-north-1:111122223333:alarm:too old: lane/1").unwrap();
        assert_eq!(
            alarm.alarm("too old: lane/1"),
            "https://cn-north-1.console.amazonaws.cn/cloudwatch/home?region=cn-north-1#alarmsV2:alarm/\
             too%20old%3A%20lane%2F1"
        );
        let job = Arn::parse("arn:aws:batch:eu-west-1:111122223333:job-queue/workers").unwrap();
        assert_eq!(job.name(), "workers");
        assert_eq!(
            job.job("4c75-99"),
            "https://eu-west-1.console.aws.amazon.com/batch/home?region=eu-west-1#jobs/detail/4c75-99"
        );
        assert_eq!(Arn::parse("photos"), None);
    }
}
