//! Reading an export of Label Studio.

use super::{boxed, turned};
use crate::brush;
use crate::read::{
    FILE_BYTES_MAX, PHOTOS_MAX, ReadError, ReadPhoto, ReadShape, SHAPES_MAX, SizeOf, photo_size,
};
use crate::shapes::{Geometry, ShapeKey};
use serde::Deserialize;
use serde::de::{Deserializer as _, Error as _, SeqAccess, Visitor};
use serde_json::{Deserializer, Value};
use std::fmt;
use std::io::Read;
use walkaround_domain::{Point, Size};
use walkaround_evaluation::StatedSize;

/// Most characters of what a document has wrong: a word of it may be quoted.
const WRONG_CHARS_MAX: usize = 200;

/// Reads a file, task by task; `size_of` says how large the photo of a name is. A task that nobody has annotated is left out:
/// what the machine made of it still stands.
///
/// # Errors
/// A file that is none, or has more than is read.
pub fn read(file: impl Read, size_of: SizeOf<'_>) -> Result<Vec<ReadPhoto>, ReadError> {
    let mut bounded = file.take(FILE_BYTES_MAX + 1);
    let mut document = Deserializer::from_reader(&mut bounded);
    let tasks = document.deserialize_seq(Tasks(size_of));
    let photos = tasks.and_then(|photos| document.end().map(|()| photos));
    if bounded.limit() == 0 {
        let limit = FILE_BYTES_MAX >> 20;
        return Err(ReadError::new(format!(
            "larger than {limit} MiB: export a part of it"
        )));
    }
    photos.map_err(|error| ReadError::new(format!("not an export of Label Studio: {}", short(&error))))
}

fn short(error: &serde_json::Error) -> String {
    error.to_string().chars().take(WRONG_CHARS_MAX).collect()
}

/// One task is held at a time, so that what is in memory grows with what people drew.
struct Tasks<'a>(SizeOf<'a>);

impl<'de> Visitor<'de> for Tasks<'_> {
    type Value = Vec<ReadPhoto>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of tasks")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut tasks: A) -> Result<Self::Value, A::Error> {
        let mut photos = Vec::new();
        let mut count = 0;
        while let Some(task) = tasks.next_element::<Value>()? {
            count += 1;
            if count > PHOTOS_MAX {
                return Err(A::Error::custom(format!("more than {PHOTOS_MAX} tasks")));
            }
            let Some(name) = name(&task) else {
                return Err(A::Error::custom(format!("task {count} has no `data.image`")));
            };
            let shapes = match serde_json::from_value::<Task>(task) {
                Ok(task) => task
                    .last_annotation()
                    .map(|results| shapes(results, &name, self.0)),
                // Of this photo alone.
                Err(error) => Some(Err(ReadError::new(format!("its annotations: {}", short(&error))))),
            };
            photos.extend(shapes.map(|shapes| ReadPhoto { name, shapes }));
        }
        Ok(photos)
    }
}

/// The name of a photo: its digest, where the task kept it.
fn name(task: &Value) -> Option<String> {
    let data = &task["data"];
    let name = data["photo_sha256"].as_str().or_else(|| data["image"].as_str());
    name.map(str::to_owned)
}

#[derive(Deserialize)]
struct Task {
    annotations: Option<Vec<Annotated>>,
}

/// What one person made of a task.
#[derive(Deserialize)]
struct Annotated {
    was_cancelled: Option<bool>,
    skipped: Option<bool>,
    updated_at: Option<String>,
    created_at: Option<String>,
    result: Option<Vec<Region>>,
}

#[derive(Deserialize)]
struct Region {
    id: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
    original_width: Option<u32>,
    original_height: Option<u32>,
    image_rotation: Option<f64>,
    value: Option<Drawn>,
}

/// What is drawn: of each kind of region its own fields.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Drawn {
    points: Option<Vec<[f64; 2]>>,
    rle: Option<Vec<u8>>,
    x: Option<f64>,
    y: Option<f64>,
    width: Option<f64>,
    height: Option<f64>,
    rotation: Option<f64>,
    polygonlabels: Vec<String>,
    brushlabels: Vec<String>,
    rectanglelabels: Vec<String>,
}

impl Task {
    /// The results of the latest annotation that was not cancelled.
    fn last_annotation(&self) -> Option<&[Region]> {
        let all = self.annotations.as_ref()?.iter();
        let standing = all.filter(|one| one.was_cancelled != Some(true) && one.skipped != Some(true));
        // Of equal moments, or none, the last one of the list.
        let latest = standing.max_by_key(|one| one.updated_at.as_ref().or(one.created_at.as_ref()))?;
        latest.result.as_deref()
    }
}

fn shapes(results: &[Region], name: &str, size_of: SizeOf<'_>) -> Result<Vec<ReadShape>, ReadError> {
    if results.len() > SHAPES_MAX {
        return Err(ReadError::new(format!("more than {SHAPES_MAX} regions")));
    }
    let nothing = Drawn::default();
    let mut read = Vec::new();
    for result in results {
        let drawn = result.value.as_ref().unwrap_or(&nothing);
        type Make = fn(&Drawn, Size) -> Result<Geometry, ReadError>;
        let (make, labels): (Make, _) = match result.kind.as_deref().unwrap_or_default() {
            "polygonlabels" => (polygon, &drawn.polygonlabels),
            "brushlabels" => (mask, &drawn.brushlabels),
            "rectanglelabels" => (rectangle, &drawn.rectanglelabels),
            kind @ ("ellipselabels" | "keypointlabels" | "vectorlabels") => {
                let line = format!(
                    "a region of type {kind}: expected polygonlabels, brushlabels or rectanglelabels"
                );
                return Err(ReadError::new(line));
            }
            // Choices and texts are about the photo.
            _ => continue,
        };
        let geometry = make(drawn, result.size(name, size_of)?)?;
        let class = labels.first();
        read.push(ReadShape {
            key: result.id.as_deref().and_then(ShapeKey::parse),
            class: class
                .ok_or_else(|| ReadError::new("a region without a label"))?
                .clone(),
            geometry,
            pixels: None,
        });
    }
    Ok(read)
}

impl Region {
    /// The size of its photo, which is what its numbers are of.
    fn size(&self, name: &str, size_of: SizeOf<'_>) -> Result<Size, ReadError> {
        if self.image_rotation.unwrap_or(0.0) != 0.0 {
            return Err(ReadError::new(
                "a region of a photo that was turned in Label Studio",
            ));
        }
        let stated = self.original_width.zip(self.original_height);
        let (width, height) = stated
            .ok_or_else(|| ReadError::new("a region without `original_width` and `original_height`"))?;
        photo_size(name, StatedSize::Of(Size::new(width, height)), size_of)
    }
}

fn polygon(drawn: &Drawn, size: Size) -> Result<Geometry, ReadError> {
    let points = drawn.points.as_deref().unwrap_or_default();
    if points.len() < 3 {
        return Err(ReadError::new("a polygon of fewer than 3 points"));
    }
    let point = |&[x, y]: &[f64; 2]| Point {
        x: (x / 100.0 * f64::from(size.width)) as f32,
        y: (y / 100.0 * f64::from(size.height)) as f32,
    };
    Ok(Geometry::Rings(vec![points.iter().map(point).collect()]))
}

fn mask(drawn: &Drawn, size: Size) -> Result<Geometry, ReadError> {
    let code = drawn.rle.as_ref();
    let code = code.ok_or_else(|| ReadError::new("a brush stroke without a run-length code"))?;
    Ok(Geometry::Mask(brush::decode(code, size)?))
}

fn rectangle(drawn: &Drawn, size: Size) -> Result<Geometry, ReadError> {
    let number = |name: &str, percent: Option<f64>, side: u32| -> Result<f64, ReadError> {
        let percent = percent.ok_or_else(|| ReadError::new(format!("a rectangle without `{name}`")))?;
        Ok(percent / 100.0 * f64::from(side))
    };
    let stated = [
        number("x", drawn.x, size.width)?,
        number("y", drawn.y, size.height)?,
        number("width", drawn.width, size.width)?,
        number("height", drawn.height, size.height)?,
    ];
    let degrees = drawn.rotation.unwrap_or(0.0);
    Ok(if degrees == 0.0 {
        boxed(stated)
    } else {
        Geometry::Rings(vec![turned(stated, degrees)])
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn task(result: &Value) -> String {
        json!([
            {"data": {"image": "a.jpg"}, "annotations": [{"result": result}]},
            {"data": {"image": "b.jpg"}, "annotations": [{"result": []}]},
        ])
        .to_string()
    }

    fn read_of(text: &str) -> Result<Vec<ReadPhoto>, ReadError> {
        read(text.as_bytes(), &|_| Some(Size::new(20, 10)))
    }

    #[test]
    fn what_is_wrong_with_one_photo_is_an_error_of_it_alone() {
        let polygon = |points: Value, width: u32| {
            json!([{"type": "polygonlabels", "original_width": width, "original_height": 10,
                "value": {"points": points, "polygonlabels": ["dent"]}}])
        };
        let good = json!([[0, 0], [50, 0], [50, 50]]);
        let photos = read_of(&task(&polygon(good.clone(), 20))).unwrap();
        assert_eq!(photos[0].shapes.as_ref().unwrap()[0].class, "dent");
        let brush = json!([{"type": "brushlabels", "original_width": 20, "original_height": 10,
            "value": {"rle": [0, 0, 300], "brushlabels": ["dent"]}}]);
        for (result, words) in [
            (
                polygon(json!([[0, 0], ["x", 1], [2, 2]]), 20),
                "its annotations: invalid type",
            ),
            (polygon(json!([[0, 0]]), 20), "fewer than 3 points"),
            (
                polygon(good, 40),
                "the file says 40 x 10 pixels, expected 20 x 10",
            ),
            (brush, "its annotations: invalid value"),
        ] {
            let photos = read_of(&task(&result)).unwrap();
            let error = photos[0].shapes.as_ref().unwrap_err();
            assert!(error.0.contains(words), "{error}");
            assert_eq!(photos[1].shapes, Ok(Vec::new()));
        }
    }

    #[test]
    fn what_is_no_export_is_one_short_line() {
        let long = format!("[{{\"data\": {{\"image\": \"{}\"}}", "x".repeat(1000));
        for (text, words) in [
            ("{}", "expected a list of tasks"),
            ("[{}]", "task 1 has no `data.image`"),
            ("[] []", "trailing characters"),
            (&long, "EOF"),
        ] {
            let error = read_of(text).unwrap_err().0;
            assert!(error.contains(words) && error.len() < 300, "{error}");
        }
        let many = format!(
            "[{}]",
            vec!["{\"data\":{\"image\":\"a\"}}"; PHOTOS_MAX + 1].join(",")
        );
        assert!(read_of(&many).unwrap_err().0.contains("more than 300000 tasks"));
    }
}
