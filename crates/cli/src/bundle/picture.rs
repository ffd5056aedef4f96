//! `walkaround bundle check --picture`: what each network says of one picture.

use crate::client::table::{cell, plain_table, print_line, print_table};
use crate::failure::Failure;
use crate::photo_file::read_picture;
use anyhow::anyhow;
use std::path::Path;
use std::process::ExitCode;
use walkaround_domain::Finding;
use walkaround_inference::{Engine, OnnxEngine, Vehicle};
use walkaround_pipeline::inspection::Sides;
use walkaround_vision::decode::{Limits, decode, inspect_header};
use walkaround_vision::findings::{Segmentation, findings};

pub(super) fn print(engine: &mut OnnxEngine, picture: &Path) -> Result<ExitCode, Failure> {
    let bytes = read_picture(picture)?;
    let at = |long_side: u32| {
        decode(&bytes, &Limits::default(), long_side)
            .map_err(|reason| anyhow!("{}: {}", picture.display(), reason.detail))
    };
    let limits = Limits::default();
    let sides = Sides::of(engine);
    let header = inspect_header(&bytes, &limits, sides.segmentation)
        .map_err(|reason| anyhow!("{}: {}", picture.display(), reason.detail))?;
    let sides = sides.of_photo(header.format, bytes.len());
    let screened = at(sides.screening)?;
    let size = screened.original;
    print_line(format_args!(
        "{}: {} x {} pixels",
        picture.display(),
        size.width,
        size.height
    ))?;
    let screening = engine.screen(&[&screened.pixels])?.remove(0);
    match screening.vehicle {
        Vehicle::NotAsked => {}
        Vehicle::Absent => {
            print_line("locator: no vehicle at or above its threshold; no other network is asked")?;
            return Ok(ExitCode::SUCCESS);
        }
        Vehicle::Found { region, score } => print_line(format_args!(
            "locator: vehicle at {:.0}, {:.0} to {:.0}, {:.0}, score {score:.4}",
            region.x0 * size.width as f32,
            region.y0 * size.height as f32,
            region.x1 * size.width as f32,
            region.y1 * size.height as f32,
        ))?,
    }
    if let Some(gate) = screening.gate {
        let what = if screening.suspect { "suspect" } else { "clean" };
        print_line(format_args!("gates: P(damage) {gate:.4}, {what}"))?;
    }
    let region = screening.vehicle.region();
    let found = engine
        .segment(&[(&at(sides.segmentation)?.pixels, region)])?
        .remove(0);
    print_classes(engine, &found)?;
    print_findings(&findings(&found, engine.classes(), size, true))?;
    Ok(ExitCode::SUCCESS)
}

/// How sure the networks are of each class, found or not.
fn print_classes(engine: &OnnxEngine, found: &Segmentation) -> anyhow::Result<()> {
    let mut table = plain_table();
    table.set_header(["class", "cut at", "highest probability", "objects"]);
    for (at, class) in engine.classes().iter().enumerate() {
        let maps = found.maps.iter().filter(|map| map.class == at);
        let highest = maps.flat_map(|map| map.values.iter().copied()).reduce(f32::max);
        let objects = found.instances.iter().filter(|object| object.class == at);
        let best = objects.clone().map(|object| object.score).reduce(f32::max);
        let number = |value: Option<f32>| value.map_or_else(|| "-".to_owned(), |v| format!("{v:.4}"));
        table.add_row([
            cell(&class.name),
            cell(class.policy.threshold),
            cell(number(highest.into_iter().chain(best).reduce(f32::max))),
            cell(objects.count()),
        ]);
    }
    print_line("")?;
    print_table(table)?;
    Ok(())
}

fn print_findings(findings: &[Finding]) -> anyhow::Result<()> {
    if findings.is_empty() {
        print_line("")?;
        print_line("no findings")?;
        return Ok(());
    }
    let mut table = plain_table();
    table.set_header([
        "finding",
        "class",
        "probability",
        "x, y, size",
        "share of the photo",
    ]);
    for (at, finding) in findings.iter().enumerate() {
        let bbox = &finding.bbox;
        table.add_row([
            cell(at + 1),
            cell(&finding.class),
            cell(format!("{:.4}", finding.probability)),
            cell(format!(
                "{}, {}, {} x {}",
                bbox.x, bbox.y, bbox.width, bbox.height
            )),
            cell(format!("{:.3} %", 100.0 * finding.area_share)),
        ]);
    }
    print_line("")?;
    print_table(table)?;
    Ok(())
}
