//! Reading an export of Label Studio.

use super::{boxed, turned};
use crate::brush;
use crate::read::{FILE_BYTES_MAX, ReadError, ReadPhoto, ReadShape, SHAPES_MAX};
use crate::shapes::{Geometry, ShapeKey};
use serde_json::Value;
use std::io::Read;
use walkaround_domain::{Point, Size};

/// Reads a file. A task that nobody has annotated is left out: what the machine made of it still stands.
///
/// # Errors
/// A file that is none.
pub fn read(file: impl Read) -> Result<Vec<ReadPhoto>, ReadError> {
    let tasks: Value = serde_json::from_reader(file.take(FILE_BYTES_MAX))
        .map_err(|e| ReadError::new(format!("not a JSON document: {e}")))?;
    let tasks = tasks
        .as_array()
        .ok_or_else(|| ReadError::new("not an export of Label Studio: expected a list of tasks"))?;
    let mut photos = Vec::new();
    for (at, task) in (1..).zip(tasks) {
        let data = &task["data"];
        let name = data["photo_sha256"].as_str().or_else(|| data["image"].as_str());
        let name = name.ok_or_else(|| ReadError::new(format!("task {at} has no `data.image`")))?;
        if let Some(results) = last_annotation(task) {
            photos.push(ReadPhoto {
                name: name.to_owned(),
                shapes: shapes(results),
            });
        }
    }
    Ok(photos)
}

/// The results of the latest annotation that was not cancelled.
fn last_annotation(task: &Value) -> Option<&[Value]> {
    let all = task["annotations"].as_array()?.iter();
    let standing = all.filter(|one| one["was_cancelled"] != true && one["skipped"] != true);
    // Of equal moments, or none, the last one of the list.
    let latest = standing.max_by_key(|one| {
        let moment = one["updated_at"].as_str().or_else(|| one["created_at"].as_str());
        moment.unwrap_or_default()
    })?;
    latest["result"].as_array().map(Vec::as_slice)
}

fn shapes(results: &[Value]) -> Result<Vec<ReadShape>, ReadError> {
    if results.len() > SHAPES_MAX {
        return Err(ReadError::new(format!("more than {SHAPES_MAX} regions")));
    }
    let read = results.iter().map(|result| {
        let kind = result["type"].as_str().unwrap_or_default();
        let geometry = match kind {
            "polygonlabels" => polygon(result),
            "brushlabels" => mask(result),
            "rectanglelabels" => rectangle(result),
            "ellipselabels" | "keypointlabels" | "vectorlabels" => {
                let line = format!(
                    "a region of type {kind}: expected polygonlabels, brushlabels or rectanglelabels"
                );
                return Some(Err(ReadError::new(line)));
            }
            // Choices and texts are about the photo.
            _ => return None,
        };
        let class = result["value"][kind][0].as_str();
        Some(geometry.and_then(|geometry| {
            Ok(ReadShape {
                key: result["id"].as_str().and_then(ShapeKey::parse),
                class: class
                    .ok_or_else(|| ReadError::new("a region without a label"))?
                    .to_owned(),
                geometry,
            })
        }))
    });
    read.flatten().collect()
}

fn size(result: &Value) -> Result<Size, ReadError> {
    if result["image_rotation"].as_f64().unwrap_or(0.0) != 0.0 {
        return Err(ReadError::new(
            "a region of a photo that was turned in Label Studio",
        ));
    }
    let side = |name: &str| {
        let side = result[name].as_u64().and_then(|side| u32::try_from(side).ok());
        side.filter(|side| *side > 0)
            .ok_or_else(|| ReadError::new(format!("a region without `{name}`")))
    };
    Ok(Size::new(side("original_width")?, side("original_height")?))
}

fn polygon(result: &Value) -> Result<Geometry, ReadError> {
    let size = size(result)?;
    let wrong = || ReadError::new("a polygon whose points are not pairs of numbers");
    let points = result["value"]["points"].as_array().ok_or_else(wrong)?;
    let point = |point: &Value| -> Result<Point, ReadError> {
        let x = point[0].as_f64().ok_or_else(wrong)?;
        let y = point[1].as_f64().ok_or_else(wrong)?;
        Ok(Point {
            x: (x / 100.0 * f64::from(size.width)) as f32,
            y: (y / 100.0 * f64::from(size.height)) as f32,
        })
    };
    let ring: Vec<Point> = points.iter().map(point).collect::<Result<_, _>>()?;
    if ring.len() < 3 {
        return Err(ReadError::new("a polygon of fewer than 3 points"));
    }
    Ok(Geometry::Rings(vec![ring]))
}

fn mask(result: &Value) -> Result<Geometry, ReadError> {
    let size = size(result)?;
    let wrong = || ReadError::new("a brush stroke without a run-length code of bytes");
    let code = result["value"]["rle"].as_array().ok_or_else(wrong)?;
    let byte = |byte: &Value| byte.as_u64().and_then(|byte| u8::try_from(byte).ok());
    let code: Vec<u8> = code
        .iter()
        .map(|it| byte(it).ok_or_else(wrong))
        .collect::<Result<_, _>>()?;
    Ok(Geometry::Mask(brush::decode(&code, size)?))
}

fn rectangle(result: &Value) -> Result<Geometry, ReadError> {
    let size = size(result)?;
    let value = &result["value"];
    let number = |name: &str, side: u32| -> Result<f64, ReadError> {
        let percent = value[name].as_f64();
        let percent = percent.ok_or_else(|| ReadError::new(format!("a rectangle without `{name}`")))?;
        Ok(percent / 100.0 * f64::from(side))
    };
    let stated = [
        number("x", size.width)?,
        number("y", size.height)?,
        number("width", size.width)?,
        number("height", size.height)?,
    ];
    let degrees = value["rotation"].as_f64().unwrap_or(0.0);
    Ok(if degrees == 0.0 {
        boxed(stated)
    } else {
        Geometry::Rings(vec![turned(stated, degrees)])
    })
}
