//! The comparison as a page that works from disk: figures, and the largest differences in pictures beside each other.

use super::print::{header, lines, number};
use crate::failure::Failure;
use crate::inspect::{html_text, html_url};
use crate::small_picture::{polygons, small_jpeg};
use crate::template::fill;
use anyhow::Context;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use walkaround_bootstrap::photo_source;
use walkaround_client::whole_file::write_whole;
use walkaround_client::{StackClient, inspection};
use walkaround_domain::InspectionId;
use walkaround_evaluation::comparison::{BundleResult, ComparedPhoto, Comparison, Outline, Worst};
use walkaround_ports::PhotoSource;

const PAGE: &str = include_str!("page.html");
/// Folder of the pictures, inside the page's.
const FOLDER: &str = "pictures";

/// Writes `index.html`, `comparison.json` and the pictures; the path of the page.
pub(super) async fn write(
    stack: &dyn StackClient,
    comparison: &Comparison,
    out: &Path,
) -> Result<PathBuf, Failure> {
    let folder = out.join(FOLDER);
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot create folder {}", folder.display()))?;
    let photos = photo_source(stack.settings(), stack.blobs())?;
    let mut figures = String::new();
    for (number, worst) in (1..).zip(&comparison.worst) {
        let file = format!("{FOLDER}/difference-{number:02}.jpg");
        let picture = match small_copy(stack, &*photos, &worst.photo).await {
            Some(jpeg) => {
                write_whole(&out.join(&file), &jpeg)?;
                Some(file.as_str())
            }
            None => None,
        };
        figures += &figure(worst, picture);
    }
    if figures.is_empty() {
        figures = "<p>None.</p>".to_owned();
    }
    let facts: String = lines(comparison)
        .iter()
        .map(|line| format!("<li>{}</li>", html_text(line)))
        .collect();
    let parts = [
        ("title", html_text(&title(comparison))),
        ("header", html_text(&header(comparison))),
        ("verdicts", verdicts(comparison)),
        ("classes", classes(comparison)),
        ("facts", facts),
        ("worst", figures),
    ];
    write_whole(&out.join("comparison.json"), comparison.to_json()?.as_bytes())?;
    let page = out.join("index.html");
    write_whole(&page, fill(PAGE, &parts.into_iter().collect()).as_bytes())?;
    Ok(page)
}

/// A small copy of a photo; none when it can no longer be had.
async fn small_copy(
    stack: &dyn StackClient,
    photos: &dyn PhotoSource,
    photo: &ComparedPhoto,
) -> Option<Vec<u8>> {
    let id = InspectionId::new(photo.inspection_id.as_str()).ok()?;
    let record = stack.records().ok()?.read(&id).await.ok()??;
    let reference = inspection(&record).ok()?.request.photo;
    let bytes = photos
        .fetch(&reference, stack.settings().photo_bytes_max)
        .await
        .ok()?;
    small_jpeg(&bytes)
}

fn title(comparison: &Comparison) -> String {
    let all = comparison.old.iter().chain(&comparison.new);
    let all: Vec<String> = all
        .map(|bundle| format!("{} {}", bundle.name, bundle.version))
        .collect();
    all.join(" and ")
}

fn verdicts(comparison: &Comparison) -> String {
    let mut table = String::from("<table><tr><th>before</th><th>now</th><th>photos</th></tr>");
    for pair in &comparison.verdicts {
        let class = if pair.old == pair.new {
            ""
        } else {
            " class=\"flip\""
        };
        // Writing to a String cannot fail.
        let _ = write!(
            table,
            "<tr{class}><td>{}</td><td>{}</td><td class=\"n\">{}</td></tr>",
            html_text(&pair.old),
            html_text(&pair.new),
            pair.photos
        );
    }
    table + "</table>"
}

fn classes(comparison: &Comparison) -> String {
    if comparison.classes.is_empty() {
        return "<p>Neither finds anything.</p>".to_owned();
    }
    let mut table = String::from(
        "<table><tr><th></th><th>photos before</th><th>now</th><th>both</th><th>findings before</th><th>now</th>\
         <th>both</th><th>IoU</th></tr>",
    );
    for class in &comparison.classes {
        let _ = write!(table, "<tr><td>{}</td>", html_text(&class.class));
        for count in [
            class.photos_old,
            class.photos_new,
            class.photos_both,
            class.findings_old,
            class.findings_new,
            class.findings_both,
        ] {
            let _ = write!(table, "<td class=\"n\">{count}</td>");
        }
        let _ = write!(table, "<td class=\"n\">{}</td></tr>", number(class.mean_iou));
    }
    table + "</table>"
}

fn figure(worst: &Worst, picture: Option<&str>) -> String {
    let photo = &worst.photo;
    let mut caption = html_text(&photo.inspection_id);
    if let Some(vehicle) = &photo.vehicle_id {
        let _ = write!(caption, " · {}", html_text(vehicle));
    }
    format!(
        "<figure>{}{}<figcaption>{caption}<small>{} · IoU {}</small></figcaption></figure>",
        side(photo, &photo.old, picture),
        side(photo, &photo.new, picture),
        html_text(&photo.photo),
        number(photo.iou)
    )
}

fn side(photo: &ComparedPhoto, result: &BundleResult, picture: Option<&str>) -> String {
    let (width, height) = (photo.width.unwrap_or(4), photo.height.unwrap_or(3));
    let label = format!("{} {}", result.bundle.name, result.bundle.version);
    let mut svg = format!(
        "<svg viewBox=\"0 0 {width} {height}\" role=\"img\" aria-label=\"{}\">",
        html_text(&label)
    );
    if let Some(file) = picture {
        let _ = write!(
            svg,
            "<image href=\"{}\" width=\"100%\" height=\"100%\" preserveAspectRatio=\"none\"/>",
            html_url(file)
        );
    }
    for outline in &result.outlines {
        let _ = write!(
            svg,
            "<path class=\"found\" d=\"{}\"><title>{} {:.2}</title></path>",
            path(outline),
            html_text(&outline.class),
            outline.probability
        );
    }
    let mut facts = vec![result.verdict.clone()];
    facts.extend(result.reasons.iter().cloned());
    if let Some(gate) = result.gate {
        facts.push(format!("gate {gate:.2}"));
    }
    let found = result.outlines.iter();
    facts.extend(found.map(|outline| format!("{} {:.2}", outline.class, outline.probability)));
    format!(
        "<div class=\"side\">{svg}</svg><p><b>{}</b> {}</p></div>",
        html_text(&label),
        html_text(&facts.join(" · "))
    )
}

/// A finding's outline, or its box where it has none.
fn path(outline: &Outline) -> String {
    if !outline.polygons.is_empty() {
        return polygons(&outline.polygons);
    }
    let [x, y, width, height] = outline.bbox;
    format!("M{x} {y}h{width}v{height}h-{width}Z")
}
