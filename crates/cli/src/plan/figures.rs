//! The figures of a plan, as table and page show them.

use walkaround_planning::{Assumptions, DAYS_OF_MONTH, Day, Percentiles, Scenario};

/// A day simulated with one set of assumptions.
pub(super) struct Plan {
    /// `NAME=VALUE` of what differs from the defaults, or from the first plan.
    pub(super) changes: Vec<String>,
    pub(super) assumptions: Assumptions,
    pub(super) day: Day,
}

/// What is printed.
pub(super) struct Plans {
    pub(super) scenario: Scenario,
    /// One, or the two that are compared.
    pub(super) plans: Vec<Plan>,
    /// What happened on the day of a stack.
    pub(super) observed: Option<Vec<Row>>,
}

/// One figure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) name: String,
    pub(super) value: String,
}

impl Row {
    pub(super) fn new(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            value: value.into(),
        }
    }
}

pub(super) const P50: &str = "time to verdict, p50";
pub(super) const P95: &str = "time to verdict, p95";
pub(super) const P99: &str = "time to verdict, p99";
pub(super) const INLINE: &str = "segmented inline";
pub(super) const ON_GPU: &str = "segmented on GPU workers";
pub(super) const BUSY: &str = "GPU seconds busy";

impl Plan {
    /// What distinguishes it.
    pub(super) fn title(&self, at: usize) -> String {
        match (self.changes.is_empty(), at) {
            (true, _) => "as deployed".to_owned(),
            (false, 0) => self.changes.join(", "),
            (false, _) => format!("with {}", self.changes.join(", ")),
        }
    }

    /// The figures of the day.
    pub(super) fn rows(&self, deadline_s: u64) -> Vec<Row> {
        let (day, usage) = (&self.day, &self.day.usage);
        let mut rows = vec![
            Row::new("photos", count(day.photos)),
            Row::new(P50, seconds(day.times.p50)),
            Row::new(P95, seconds(day.times.p95)),
            Row::new(P99, seconds(day.times.p99)),
            Row::new(format!("later than {deadline_s} s"), count(day.missed)),
            Row::new("without a verdict", count(day.without_verdict)),
            Row::new("most photos in the intake queue", count(day.intake_most())),
            Row::new(INLINE, count(day.counts.inline)),
            Row::new(ON_GPU, count(day.counts.on_gpu)),
            Row::new("returned by the GPU lane", count(day.counts.taken_back)),
            Row::new("most workers at once", count(u64::from(day.workers_most()))),
            Row::new("workers started", count(day.counts.starts)),
            Row::new(BUSY, count(whole(usage.busy_hours * 3600.0))),
            Row::new("GPU instance hours", format!("{:.1}", day.gpu_hours())),
            Row::new("of them on Spot", format!("{:.1}", usage.spot_hours)),
            Row::new("Spot instances reclaimed", count(day.counts.reclaimed)),
            Row::new("Lambda seconds", count(whole(usage.lambda_s))),
            Row::new("Lambda calls", count(whole(usage.lambda_calls))),
            Row::new("SQS requests", count(whole(usage.sqs_calls))),
            Row::new("S3 PUTs", count(whole(usage.s3_puts))),
            Row::new("S3 GETs", count(whole(usage.s3_gets))),
            Row::new("DynamoDB write units", count(whole(usage.write_units))),
            Row::new("DynamoDB read units", count(whole(usage.read_units))),
            Row::new("CloudWatch logs", format!("{:.2} GB", usage.log_gb)),
            Row::new("CloudWatch metrics", count(whole(self.assumptions.fleet.metrics))),
        ];
        rows.extend(self.bill());
        rows
    }

    /// Its costs.
    pub(super) fn bill(&self) -> Vec<Row> {
        let bill = &self.day.bill;
        let part =
            |part: &walkaround_planning::Part| Row::new(format!("USD a day: {}", part.name), money(part.usd));
        let mut rows: Vec<Row> = bill.parts.iter().map(part).collect();
        rows.push(Row::new("USD a day", money(bill.total)));
        rows.push(Row::new(
            "USD a month of such days",
            money(bill.total * DAYS_OF_MONTH),
        ));
        rows.push(Row::new(
            "USD a thousand photos",
            format!("{:.3}", bill.per_thousand),
        ));
        rows
    }
}

fn whole(value: f64) -> u64 {
    value.round() as u64
}

/// `1,234,567`.
pub(super) fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `12.3 s`; `never` where the photo of that rank has no verdict.
pub(super) fn seconds(time: Option<f64>) -> String {
    match time {
        None => "never".to_owned(),
        Some(s) if s < 100.0 => format!("{s:.1} s"),
        Some(s) => format!("{} s", count(whole(s))),
    }
}

/// Times of an hour: three cells, or none without photos.
pub(super) fn times(photos: u64, times: &Percentiles) -> [String; 3] {
    match photos {
        0 => [const { String::new() }; 3],
        _ => [times.p50, times.p95, times.p99].map(seconds),
    }
}

fn money(usd: f64) -> String {
    if usd >= 1000.0 {
        count(whole(usd))
    } else {
        format!("{usd:.2}")
    }
}

/// Short and exact: 0.0000166667, not 1.66667e-05.
pub(super) fn figure(value: f64) -> String {
    let text = format!("{value:.12}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::{count, figure, seconds};

    #[test]
    fn numbers_are_grouped_and_exact() {
        let counts = [0, 999, 1_000, 1_234_567].map(count);
        assert_eq!(counts, ["0", "999", "1,000", "1,234,567"]);
        assert_eq!(
            [0.000_016_666_7, 14.0, 0.3].map(figure),
            ["0.0000166667", "14", "0.3"]
        );
        assert_eq!(
            [Some(0.04), Some(1234.5), None].map(seconds),
            ["0.0 s", "1,235 s", "never"]
        );
    }
}
