//! A plan as a JSON document.

use super::figures::{Plan, Plans};
use serde_json::{Map, Value, json};
use walkaround_planning::{Day, Given, Percentiles};

/// Version of the document; fields are only ever added.
const SCHEMA: &str = "walkaround.plan/1";

pub(super) fn document(plans: &Plans) -> Value {
    let scenario = &plans.scenario;
    let droughts = scenario.droughts.iter();
    json!({
        "schema": SCHEMA,
        "name": scenario.name,
        "about": scenario.about,
        "seed": scenario.seed,
        "deadline_s": scenario.deadline.as_secs(),
        "deadline_in_requests": scenario.deadline_in_requests,
        "droughts_s": droughts.map(|d| [d.from_ms / 1000, d.to_ms / 1000]).collect::<Vec<_>>(),
        "arrivals": scenario.arrivals.minutes(),
        "plans": plans.plans.iter().map(plan).collect::<Vec<_>>(),
        "observed": plans.observed.as_ref().map(|rows| {
            rows.iter().map(|row| (row.name.clone(), Value::from(row.value.clone()))).collect::<Map<_, _>>()
        }),
    })
}

pub(super) fn assumptions(rows: &[Given]) -> Value {
    let row =
        |row: &Given| json!({"name": row.name, "value": row.value, "unit": row.unit, "about": row.about});
    rows.iter().map(row).collect()
}

fn plan(plan: &Plan) -> Value {
    let rows = plan.assumptions.rows();
    let assumptions: Map<String, Value> = rows
        .iter()
        .map(|row| (row.name.to_owned(), row.value.into()))
        .collect();
    let mut document = day(&plan.day);
    document["changes"] = plan.changes.clone().into();
    document["assumptions"] = assumptions.into();
    document
}

fn day(day: &Day) -> Value {
    let counts = &day.counts;
    json!({
        "photos": day.photos,
        "late": day.missed,
        "without_verdict": day.without_verdict,
        "time_to_verdict_s": percentiles(&day.times),
        "hours": day.hours.iter().map(|hour| json!({
            "photos": hour.photos,
            "late": hour.missed,
            "time_to_verdict_s": percentiles(&hour.times),
        })).collect::<Vec<_>>(),
        "minutes": day.minutes.iter().map(|minute| json!({
            "intake": minute.intake,
            "lane": minute.lane,
            "workers": minute.workers,
            "starting": minute.starting,
            "instances": minute.instances,
            "invocations": minute.invocations,
        })).collect::<Vec<_>>(),
        "inline": counts.inline,
        "on_gpu": counts.on_gpu,
        "taken_back": counts.taken_back,
        "workers_most": day.workers_most(),
        "workers_started": counts.starts,
        "reclaimed": counts.reclaimed,
        "usage": usage(day),
        "usd": bill(day),
    })
}

fn percentiles(times: &Percentiles) -> Value {
    json!({"p50": times.p50, "p95": times.p95, "p99": times.p99})
}

fn usage(day: &Day) -> Value {
    let usage = &day.usage;
    json!({
        "lambda_s": usage.lambda_s,
        "lambda_gb_s": usage.lambda_gb_s,
        "lambda_calls": usage.lambda_calls,
        "gpu_busy_hours": usage.busy_hours,
        "gpu_spot_hours": usage.spot_hours,
        "gpu_ondemand_hours": usage.ondemand_hours,
        "sqs_requests": usage.sqs_calls,
        "s3_puts": usage.s3_puts,
        "s3_gets": usage.s3_gets,
        "result_gb": usage.result_gb,
        "dynamodb_write_units": usage.write_units,
        "dynamodb_read_units": usage.read_units,
        "record_gb": usage.record_gb,
        "events": usage.events,
        "cloudwatch_log_gb": usage.log_gb,
        "traces": usage.traces,
    })
}

fn bill(day: &Day) -> Value {
    let bill = &day.bill;
    let parts: Map<String, Value> = bill
        .parts
        .iter()
        .map(|part| (part.name.to_owned(), part.usd.into()))
        .collect();
    json!({
        "parts_a_day": parts,
        "a_day": bill.total,
        "a_thousand": bill.per_thousand,
        "photo_storage_a_month": bill.photo_storage,
        "endpoints_a_month": bill.endpoints,
    })
}
