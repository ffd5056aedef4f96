//! A comparison in tables and lines.

use crate::client::table::{cell, print_line, print_table, table};
use walkaround_evaluation::comparison::{Comparison, RightShare};
use walkaround_messages::BundleDocument;

/// Photos that the table of the largest differences shows.
const WORST_SHOWN: usize = 8;

pub(super) fn tables(comparison: &Comparison) -> std::io::Result<()> {
    print_line(header(comparison))?;
    let mut verdicts = table(&["verdict before", "verdict now", "photos"]);
    for pair in &comparison.verdicts {
        verdicts.add_row([cell(&pair.old), cell(&pair.new), cell(pair.photos)]);
    }
    print_table(verdicts)?;
    if !comparison.classes.is_empty() {
        let mut classes = table(&[
            "class",
            "photos before",
            "now",
            "both",
            "findings before",
            "now",
            "both",
            "IoU",
        ]);
        for class in &comparison.classes {
            classes.add_row([
                cell(&class.class),
                cell(class.photos_old),
                cell(class.photos_new),
                cell(class.photos_both),
                cell(class.findings_old),
                cell(class.findings_new),
                cell(class.findings_both),
                cell(number(class.mean_iou)),
            ]);
        }
        print_table(classes)?;
    }
    for line in lines(comparison) {
        print_line(line)?;
    }
    let mut worst = table(&["inspection", "verdict before", "now", "gate before", "now", "IoU"]);
    for one in comparison.worst.iter().take(WORST_SHOWN) {
        let photo = &one.photo;
        worst.add_row([
            cell(&photo.inspection_id),
            cell(&photo.old.verdict),
            cell(&photo.new.verdict),
            cell(number(photo.old.gate.map(f64::from))),
            cell(number(photo.new.gate.map(f64::from))),
            cell(number(photo.iou)),
        ]);
    }
    if worst.row_count() > 0 {
        print_table(worst)?;
    }
    Ok(())
}

/// Which bundles, how many photos, how many flips.
pub(super) fn header(comparison: &Comparison) -> String {
    let names = |all: &[BundleDocument]| {
        let all: Vec<String> = all.iter().map(|b| format!("{} {}", b.name, b.version)).collect();
        all.join(", ")
    };
    let thresholds = comparison.thresholds.iter();
    let thresholds: String = thresholds
        .map(|(name, value)| format!(" {name}={value}"))
        .collect();
    format!(
        "{} and {}{thresholds} on {} photos: {} with another verdict ({})",
        names(&comparison.old),
        names(&comparison.new),
        comparison.photos,
        comparison.flips,
        share(comparison.flip_share)
    )
}

/// What is no table.
pub(super) fn lines(comparison: &Comparison) -> Vec<String> {
    let mut lines = vec![format!(
        "IoU of everything that is found, over photos on which either finds something: {}",
        number(comparison.mean_iou)
    )];
    let gate = &comparison.gate;
    if gate.photos > 0 {
        lines.push(format!(
            "gate: mean {} before, {} now; absolute change {} in the median, {} at the 95th percentile",
            number(gate.mean_old),
            number(gate.mean_new),
            number(gate.change_median),
            number(gate.change_p95)
        ));
    }
    let time = &comparison.time;
    let ms = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), |ms| format!("{ms:.1} ms"));
    lines.push(format!(
        "networks: {} before, {} now in the median; {} and {} at the 95th percentile, each on the machine that ran them",
        ms(time.old_median_ms),
        ms(time.new_median_ms),
        ms(time.old_p95_ms),
        ms(time.new_p95_ms)
    ));
    let reviews = &comparison.reviews;
    lines.push(match reviews.reviewed {
        0 => "nobody has reviewed any of these photos: who is right is not known".to_owned(),
        n => format!(
            "of {n} reviewed photos {} have another verdict: before it was right in {}, now in {}; weighted by inclusion, the \
             verdict is right on {} before, {} now",
            reviews.flips,
            reviews.flips_old_right,
            reviews.flips_new_right,
            share(reviews.old_right),
            share(reviews.new_right)
        ),
    });
    if !comparison.left_out.is_empty() {
        let words = comparison.left_out.iter();
        let words: Vec<String> = words.map(|(word, n)| format!("{n} {word}")).collect();
        lines.push(format!("left out: {}", words.join(", ")));
    }
    lines
}

/// `4.0 % (3.1–5.2)`.
fn share(share: RightShare) -> String {
    let percent = |value: f64| format!("{:.1}", value * 100.0);
    match (share.value, share.low, share.high) {
        (Some(value), Some(low), Some(high)) => {
            format!(
                "{} %, 95 % interval {}–{}",
                percent(value),
                percent(low),
                percent(high)
            )
        }
        (Some(value), ..) => format!("{} %, too few for an interval", percent(value)),
        (None, ..) => "too few to say".to_owned(),
    }
}

pub(super) fn number(value: Option<f64>) -> String {
    value.map_or_else(|| "–".to_owned(), |value| format!("{value:.3}"))
}
