//! Label Studio's JSON (labelstud.io, "import pre-annotated data" and "label studio JSON format"): one task a photo, points
//! in percent of the photo beside `original_width` and `original_height`, no holes. So one ring is a polygon, and what has
//! holes or several parts is a brush code ([`crate::brush`] says how it is written).
//!
//! What nobody has reviewed is a prediction, which people accept or change; what is reviewed is an annotation.

use crate::annotation::Photo;
use crate::brush;
use crate::cvat::escaped;
use crate::shapes::{Format, Geometry, Losses, Shape, lower};
use serde_json::{Value, json};
use std::io::{self, Write};
use walkaround_domain::{PixelBox, Point, Size};

mod read;

pub use read::read;

/// Where Label Studio finds the photos: local files below the folder of the data set
/// (`LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT`).
const PLACE: &str = "/data/local-files/?d=images/";

/// Writes a file photo by photo.
pub struct Writer<W> {
    out: W,
    tasks: u64,
}

impl<W: Write> Writer<W> {
    /// Begins a file.
    ///
    /// # Errors
    /// Errors of the output, here and below.
    pub fn new(mut out: W) -> io::Result<Self> {
        write!(out, "[")?;
        Ok(Self { out, tasks: 0 })
    }

    /// Adds a photo.
    ///
    /// # Errors
    /// Errors of the output; a mask that has no code.
    pub fn add(&mut self, photo: &Photo) -> io::Result<Losses> {
        self.tasks += 1;
        let (shapes, losses) = lower(Format::LabelStudio, photo);
        let size = photo.size();
        let results = shapes.iter().map(|shape| result(shape, size));
        let results: Vec<Value> = results.collect::<io::Result<_>>()?;
        let entry = &photo.entry;
        let made = if entry.is_reviewed() {
            json!({"annotations": [{"id": self.tasks, "result": results}]})
        } else {
            let bundle = format!("{} {}", entry.bundle.name, entry.bundle.version);
            json!({"predictions": [{"id": self.tasks, "model_version": bundle, "result": results}]})
        };
        let mut task = json!({
            "id": self.tasks,
            "data": {
                "image": format!("{PLACE}{}", photo.file_name()),
                "photo_sha256": entry.photo_sha256,
                "reviewed": entry.is_reviewed(),
                "split": entry.split,
            },
        });
        if let (Some(task), Value::Object(made)) = (task.as_object_mut(), made) {
            task.extend(made);
        }
        let separator = if self.tasks == 1 { "\n" } else { ",\n" };
        write!(self.out, "{separator}{task}")?;
        Ok(losses)
    }

    /// Ends the file.
    ///
    /// # Errors
    /// Errors of the output.
    pub fn finish(mut self) -> io::Result<W> {
        writeln!(self.out, "\n]")?;
        Ok(self.out)
    }
}

fn result(shape: &Shape<'_>, size: Size) -> io::Result<Value> {
    let class = &shape.annotation.class;
    let percent = |value: f64, side: u32| value / f64::from(side) * 100.0;
    let (kind, from, value) = match &shape.geometry {
        Geometry::Rings(rings) => {
            let points = rings.iter().flatten();
            let points: Vec<[f64; 2]> = points
                .map(|p| [percent(p.x.into(), size.width), percent(p.y.into(), size.height)])
                .collect();
            let value = json!({"closed": true, "points": points, "polygonlabels": [class]});
            ("polygonlabels", "polygon", value)
        }
        Geometry::Mask(mask) => {
            let code = brush::encode(mask).map_err(io::Error::other)?;
            let value = json!({"format": "rle", "rle": code, "brushlabels": [class]});
            ("brushlabels", "brush", value)
        }
        Geometry::Box(PixelBox { x, y, width, height }) => {
            let value = json!({
                "x": percent((*x).into(), size.width),
                "y": percent((*y).into(), size.height),
                "width": percent((*width).into(), size.width),
                "height": percent((*height).into(), size.height),
                "rotation": 0,
                "rectanglelabels": [class],
            });
            ("rectanglelabels", "box", value)
        }
    };
    Ok(json!({
        "id": shape.key.to_string(),
        "type": kind,
        "from_name": from,
        "to_name": "image",
        "original_width": size.width,
        "original_height": size.height,
        "image_rotation": 0,
        "value": value,
    }))
}

/// The labelling configuration that fits the tasks.
pub fn config(classes: &[String]) -> String {
    let labels: String = classes
        .iter()
        .map(|class| format!("    <Label value=\"{}\"/>\n", escaped(class)))
        .collect();
    let control =
        |tag: &str, name: &str| format!("  <{tag} name=\"{name}\" toName=\"image\">\n{labels}  </{tag}>\n");
    format!(
        "<View>\n  <Image name=\"image\" value=\"$image\" zoom=\"true\" zoomControl=\"true\"/>\n{}{}{}</View>\n",
        control("PolygonLabels", "polygon"),
        control("BrushLabels", "brush"),
        control("RectangleLabels", "box"),
    )
}

/// A box that was turned around its top left corner, clockwise, in degrees.
fn turned(stated: [f64; 4], degrees: f64) -> Vec<Point> {
    let [x, y, width, height] = stated;
    let (sin, cos) = degrees.to_radians().sin_cos();
    let corner = |across: f64, down: f64| Point {
        x: (x + across * cos - down * sin) as f32,
        y: (y + across * sin + down * cos) as f32,
    };
    vec![
        corner(0.0, 0.0),
        corner(width, 0.0),
        corner(width, height),
        corner(0.0, height),
    ]
}

/// A box of whole pixels is one; any other is the ring of its corners.
fn boxed(stated: [f64; 4]) -> Geometry {
    let near = stated
        .iter()
        .all(|side| (side - side.round()).abs() < 0.01 && *side >= 0.0);
    let [x, y, width, height] = stated.map(|side| side.round() as u32);
    let whole = PixelBox { x, y, width, height };
    if near && width > 0 && height > 0 {
        return Geometry::Box(whole);
    }
    Geometry::Rings(vec![turned(stated, 0.0)])
}
