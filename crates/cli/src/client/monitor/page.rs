//! The monitor as a page: each figure's reference beside now, one file that works from disk.

use super::print::{greatest, headline, known, span};
use crate::inspect::html_text;
use crate::template::fill;
use std::fmt::Write;
use walkaround_messages::monitor::{ModelDocument, ShiftDocument};

const PAGE: &str = include_str!("page.html");
const WIDTH: f64 = 520.0;
const BAR: f64 = 18.0;
const LABEL: f64 = 130.0;
/// Bins of a chart: those with the greatest shares.
const BINS_SHOWN: usize = 20;

/// The page.
pub(super) fn html(model: &ModelDocument) -> String {
    let spans = [("Reference", &model.reference), ("Now", &model.now)];
    let spans: String = spans
        .iter()
        .filter_map(|(name, of)| {
            let of = Option::as_ref(of)?;
            Some(format!("<p>{name}: {}</p>", html_text(&span(of))))
        })
        .collect();
    let parts = [
        ("headline", html_text(&headline(model))),
        ("state", model.state.as_str().to_owned()),
        ("at", html_text(model.at.as_deref().unwrap_or_default())),
        ("spans", spans),
        ("figures", model.figures.iter().map(figure).collect()),
        ("reviews", reviews(model)),
        ("windows", windows(model)),
    ];
    fill(PAGE, &parts.into_iter().collect())
}

fn figure(shift: &ShiftDocument) -> String {
    let since = shift.since.as_deref();
    let since = since.map_or_else(String::new, |since| format!(" since {since}"));
    format!(
        "<figure class=\"{state}\"><h3>{name} <span class=\"state\">{word}{since}</span></h3>{chart}<p class=\"quiet\">PSI \
         {psi:.3}, by chance {chance:.3} (95 of 100 below {chance_95:.3}), drift above {limit:.3}. {now} counts beside \
         {reference}.{greatest}</p></figure>",
        state = html_text(&shift.state),
        name = html_text(&shift.figure),
        word = html_text(&shift.state.replace('_', " ")),
        since = html_text(&since),
        chart = chart(shift),
        psi = shift.psi,
        chance = shift.chance,
        chance_95 = shift.chance_95,
        limit = shift.limit,
        now = shift.now,
        reference = shift.reference,
        greatest = match greatest(shift) {
            text if text.is_empty() => String::new(),
            text => format!(" Greatest change: {}.", html_text(&text)),
        },
    )
}

/// Bars of the reference and of now, bin by bin, in the order of bins.
fn chart(shift: &ShiftDocument) -> String {
    let mut shares: Vec<f64> = shift.bins.iter().map(|b| b.reference.max(b.now)).collect();
    shares.sort_by(|a, b| b.total_cmp(a));
    let least = shares.get(BINS_SHOWN - 1).copied().unwrap_or_default();
    let most = shares.first().copied().unwrap_or(1.0).max(f64::MIN_POSITIVE);
    let shown: Vec<_> = shift
        .bins
        .iter()
        .filter(|b| b.reference.max(b.now) >= least)
        .take(BINS_SHOWN)
        .collect();
    let height = BAR * shown.len().max(1) as f64;
    let mut svg = format!(
        "<svg viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"{}: reference beside now\">",
        html_text(&shift.figure)
    );
    for (at, bin) in shown.iter().enumerate() {
        let y = BAR * at as f64;
        let wide = |share: f64| share / most * (WIDTH - LABEL - 60.0);
        // Writing to a String cannot fail.
        let _ = write!(
            svg,
            "<text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{}</text><rect class=\"reference\" x=\"{LABEL}\" y=\"{:.1}\" \
             width=\"{:.1}\" height=\"7\"/><rect class=\"now\" x=\"{LABEL}\" y=\"{:.1}\" width=\"{:.1}\" height=\"7\"/><text \
             x=\"{:.1}\" y=\"{:.1}\">{:.1} / {:.1} %</text>",
            LABEL - 6.0,
            y + 12.0,
            html_text(&bin.label),
            y + 1.0,
            wide(bin.reference),
            y + 9.0,
            wide(bin.now),
            LABEL + wide(bin.reference.max(bin.now)) + 6.0,
            y + 12.0,
            bin.reference * 100.0,
            bin.now * 100.0,
        );
    }
    svg + "</svg>"
}

fn reviews(model: &ModelDocument) -> String {
    let of = &model.reviews;
    let mut table = format!(
        "<p>{} of {} photos that were drawn are reviewed; of {}.</p><table><tr><th>of</th><th>measure</th><th>estimate</th><th>95 \
         % interval</th><th>reviewed photos</th></tr>",
        of.reviewed,
        of.drawn,
        html_text(&span(&of.span))
    );
    for measure in &of.measures {
        let [estimate, interval] = known(measure);
        let _ = write!(
            table,
            "<tr><td>{}</td><td class=\"text\">{}</td><td>{estimate}</td><td>{interval}</td><td>{}</td></tr>",
            html_text(measure.class.as_deref().unwrap_or("verdict damaged")),
            html_text(&measure.kind),
            measure.photos
        );
    }
    table + "</table>"
}

fn windows(model: &ModelDocument) -> String {
    let mut table = String::from(
        "<table><tr><th>hour (UTC)</th><th>bundle</th><th>photos</th><th>clean</th><th>damaged</th><th>unusable</th><th>failed</th></tr>",
    );
    for window in &model.windows {
        let bundle = window.bundle.as_ref();
        let bundle = bundle.map_or_else(String::new, |b| format!("{} {}", b.name, b.version));
        let _ = write!(
            table,
            "<tr><td>{}</td><td class=\"text\">{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
            html_text(&window.hour),
            html_text(&bundle),
            window.photos,
            window.clean,
            window.damaged,
            window.unusable,
            window.failed
        );
    }
    table + "</table>"
}
