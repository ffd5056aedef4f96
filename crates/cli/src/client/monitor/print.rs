//! The monitor as tables.

use crate::client::table::{cell, print_line, print_table, table};
use crate::failure::Failure;
use comfy_table::{Cell, Color};
use walkaround_messages::monitor::{MeasureDocument, ModelDocument, ModelState, ShiftDocument, SpanDocument};

/// Windows that a table has; a page has all.
const WINDOWS_SHOWN: usize = 24;

/// The first line: what it comes to.
pub(super) fn headline(model: &ModelDocument) -> String {
    let bundle = model.bundle.as_ref();
    let bundle = bundle.map_or_else(String::new, |b| format!("{} {}", b.name, b.version));
    let gathered = model.reference.as_ref().map_or(0, |span| span.photos);
    match model.state {
        ModelState::Empty => "no photo was finished yet".to_owned(),
        ModelState::Learning => format!(
            "{bundle}: learning, {gathered} of {} photos of the reference, which spans 24 hours at least",
            model.reference_photos
        ),
        ModelState::Waiting => format!("{bundle}: the reference is fixed, too few photos since to compare"),
        ModelState::Steady => format!("{bundle}: steady, the photos are as in the reference"),
        ModelState::Drift => {
            let figures: Vec<&str> = model.drifting().map(|f| f.figure.as_str()).collect();
            format!("{bundle}: drift in {}", figures.join(", "))
        }
    }
}

pub(super) fn span(span: &SpanDocument) -> String {
    format!("{} photos, {} to {} (UTC)", span.photos, span.from, span.to)
}

pub(super) fn print(model: &ModelDocument) -> Result<(), Failure> {
    print_line(headline(model))?;
    for (name, of) in [("reference", &model.reference), ("now", &model.now)] {
        if let Some(of) = of {
            print_line(format!("{name:<10} {}", span(of)))?;
        }
    }
    if let Some(at) = &model.at {
        print_line(format!("last pass  {at}"))?;
    }
    if !model.figures.is_empty() {
        print_line("")?;
        figures(model)?;
    }
    print_line("")?;
    reviews(model)?;
    if !model.windows.is_empty() {
        print_line("")?;
        windows(model)?;
    }
    Ok(())
}

/// The greatest change of a bin, in words.
pub(super) fn greatest(shift: &ShiftDocument) -> String {
    let change = |bin: &&walkaround_messages::monitor::BinDocument| (bin.now - bin.reference).abs();
    let most = shift.bins.iter().max_by(|a, b| change(a).total_cmp(&change(b)));
    most.map_or_else(String::new, |bin| {
        format!(
            "{}: {} to {}",
            bin.label,
            percent(bin.reference),
            percent(bin.now)
        )
    })
}

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

fn figures(model: &ModelDocument) -> Result<(), Failure> {
    let mut table = table(&[
        "figure",
        "state",
        "PSI",
        "by chance",
        "limit",
        "counts",
        "greatest change",
    ]);
    for shift in &model.figures {
        table.add_row([
            cell(&shift.figure),
            state(shift),
            cell(format!("{:.3}", shift.psi)),
            cell(format!("{:.3}", shift.chance)),
            cell(format!("{:.3}", shift.limit)),
            cell(format!("{} / {}", shift.now, shift.reference)),
            cell(greatest(shift)),
        ]);
    }
    Ok(print_table(table)?)
}

fn state(shift: &ShiftDocument) -> Cell {
    match shift.state.as_str() {
        "drift" => {
            let since = shift.since.as_deref().unwrap_or_default();
            cell(format!("drift since {since}")).fg(Color::Red)
        }
        "too_few" => cell("too few"),
        other => cell(other),
    }
}

fn reviews(model: &ModelDocument) -> Result<(), Failure> {
    let reviews = &model.reviews;
    print_line(format!(
        "reviews    {} of {} photos that were drawn; of {}",
        reviews.reviewed,
        reviews.drawn,
        span(&reviews.span)
    ))?;
    let mut table = table(&["of", "measure", "estimate", "95 % interval", "reviewed photos"]);
    for measure in &reviews.measures {
        let [estimate, interval] = known(measure);
        table.add_row([
            cell(measure.class.as_deref().unwrap_or("verdict damaged")),
            cell(&measure.kind),
            cell(estimate),
            cell(interval),
            cell(measure.photos),
        ]);
    }
    Ok(print_table(table)?)
}

/// Estimate and interval in words.
pub(super) fn known(measure: &MeasureDocument) -> [String; 2] {
    match (measure.value, measure.low, measure.high) {
        (Some(value), Some(low), Some(high)) => {
            [percent(value), format!("{} to {}", percent(low), percent(high))]
        }
        _ => ["too few".to_owned(), String::new()],
    }
}

fn windows(model: &ModelDocument) -> Result<(), Failure> {
    let mut table = table(&[
        "hour (UTC)",
        "bundle",
        "photos",
        "clean",
        "damaged",
        "unusable",
        "failed",
    ]);
    let skipped = model.windows.len().saturating_sub(WINDOWS_SHOWN);
    for window in &model.windows[skipped..] {
        let bundle = window.bundle.as_ref();
        table.add_row([
            cell(&window.hour),
            cell(bundle.map_or_else(String::new, |b| format!("{} {}", b.name, b.version))),
            cell(window.photos),
            cell(window.clean),
            cell(window.damaged),
            cell(window.unusable),
            cell(window.failed),
        ]);
    }
    print_table(table)?;
    if skipped > 0 {
        print_line(format!("and {skipped} windows before: --format html has all"))?;
    }
    Ok(())
}
