//! `walkaround show`: everything on one record, and where its files are.

use super::open;
use super::table::{print_document, print_line, standing};
use crate::args::{Printed, ShowArgs};
use crate::failure::Failure;
use anyhow::anyhow;
use serde_json::json;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::process::ExitCode;
use walkaround_bootstrap::process::runtime;
use walkaround_bootstrap::terminal::printable;
use walkaround_client::format::{clock_time, duration};
use walkaround_client::{IfMissing, StackClient, inspection};
use walkaround_domain::{FindingSummary, Inspection, Occasion, Outcome, Phase, Timestamp};
use walkaround_ports::AddressKind;

pub(crate) fn run(args: &ShowArgs) -> Result<ExitCode, Failure> {
    runtime()?.block_on(show(args))
}

async fn show(args: &ShowArgs) -> Result<ExitCode, Failure> {
    let stack = open(&args.stack, IfMissing::Fail).await?;
    let read = stack.records()?.read(&args.id).await?;
    let record = read.ok_or_else(|| anyhow!("no inspection `{}`", args.id))?;
    let i = inspection(&record)?;
    match args.stack.format {
        Printed::Json => {
            print_document(&record.body)?;
            if args.links {
                let places = places(&i, &*stack, true).await?;
                let links: BTreeMap<&str, String> = places.into_iter().collect();
                print_document(json!({"links": links}))?;
            }
        }
        Printed::Table => {
            let places = places(&i, &*stack, args.links).await?;
            for line in text(&i, places).lines() {
                print_line(line)?;
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Where report and marked picture are.
async fn places(
    i: &Inspection,
    stack: &dyn StackClient,
    links: bool,
) -> Result<Vec<(&'static str, String)>, Failure> {
    let kind = if links {
        AddressKind::Link
    } else {
        AddressKind::Location
    };
    let mut places = Vec::new();
    let Some(outcome) = &i.outcome else {
        return Ok(places);
    };
    for (name, blob) in [("report", &outcome.report), ("overlay", &outcome.overlay)] {
        let Some(blob) = blob else { continue };
        places.push((
            name,
            stack
                .operations()
                .locate(&blob.into(), kind)
                .await
                .map_err(Failure::of_port)?,
        ));
    }
    Ok(places)
}

/// Lines of a name and what it is.
#[derive(Default)]
struct Lines(String);

impl Lines {
    fn add(&mut self, name: &str, what: impl std::fmt::Display) {
        // Writing to a String cannot fail.
        let _ = writeln!(self.0, "{name:<12} {}", printable(&what.to_string()));
    }

    fn maybe(&mut self, name: &str, what: Option<impl std::fmt::Display>) {
        if let Some(what) = what {
            self.add(name, what);
        }
    }
}

fn text(i: &Inspection, places: Vec<(&str, String)>) -> String {
    let mut lines = Lines::default();
    lines.add("inspection", &i.request.id);
    lines.add("photo", &i.request.photo);
    match &i.phase {
        Phase::Done { .. } => lines.add("verdict", standing(i)),
        Phase::Failed { code, detail } => lines.add("failed", format!("{}: {detail}", code.as_str())),
        Phase::Accepted | Phase::Routed { .. } => lines.add("phase", standing(i)),
    }
    let route = i.route.as_ref().map(|(lane, reason)| format!("{lane}: {reason}"));
    lines.maybe("lane", route);
    request(&mut lines, i);
    if let Some(outcome) = &i.outcome {
        looked(&mut lines, outcome);
    }
    for (name, place) in places {
        lines.add(name, place);
    }
    times(&mut lines, i);
    lines.0
}

fn request(lines: &mut Lines, i: &Inspection) {
    let r = &i.request;
    lines.maybe("vehicle", r.vehicle_id.as_ref());
    lines.maybe("reservation", r.reservation_id.as_ref());
    lines.maybe("occasion", r.occasion.map(Occasion::as_str));
    lines.maybe("viewpoint", r.viewpoint.as_ref());
    lines.maybe("taken", r.taken_at.map(clock_time));
    lines.maybe("deadline", r.deadline.map(clock_time));
    for (name, value) in &r.labels {
        lines.add("label", format!("{name}={value}"));
    }
}

fn looked(lines: &mut Lines, o: &Outcome) {
    for reason in &o.reasons {
        lines.add("reason", format!("{}: {}", reason.code.as_str(), reason.detail));
    }
    lines.maybe("gate", o.gate.map(|g| format!("{g:.3}")));
    for finding in &o.findings {
        lines.add("finding", one_finding(finding));
    }
    lines.maybe(
        "size",
        o.size.map(|s| format!("{} × {} pixels", s.width, s.height)),
    );
    let digest = o
        .photo_sha256
        .as_ref()
        .map(|digest| walkaround_domain::hex(digest));
    lines.maybe("sha256", digest);
    lines.add("bundle", o.bundle.to_string().trim());
    let reused = o.reused_from.as_ref();
    lines.maybe(
        "reused from",
        reused.map(|id| format!("inspection {id}: same photo, same bundle, no networks ran")),
    );
    lines.add("inspected by", &o.worker);
    let timings: Vec<String> = o
        .timings_ms
        .iter()
        .map(|(stage, ms)| format!("{stage} {ms:.1}"))
        .collect();
    if !timings.is_empty() {
        lines.add("timings", format!("{} ms", timings.join(", ")));
    }
}

fn one_finding(f: &FindingSummary) -> String {
    format!(
        "{} {:.2} · {} px, {:.2} % of the photo · {} × {} at ({}, {})",
        f.class,
        f.probability,
        f.area_px,
        f.area_share * 100.0,
        f.bbox.width,
        f.bbox.height,
        f.bbox.x,
        f.bbox.y
    )
}

fn times(lines: &mut Lines, i: &Inspection) {
    lines.add("accepted", clock_time(i.accepted_at));
    let after = |at: Timestamp| {
        let took = duration(at.since(i.accepted_at));
        format!("{} ({took} later)", clock_time(at))
    };
    lines.maybe("routed", i.routed_at.map(after));
    lines.maybe("finished", i.finished_at.map(after));
    lines.maybe("published", i.published_at.map(after));
    lines.add("attempts", i.attempts);
    let other = i.photo_history.other_bytes.as_ref();
    lines.maybe(
        "changed",
        other.map(|id| format!("the photo later had other bytes: inspection {id}")),
    );
}
