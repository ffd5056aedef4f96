//! Ultralytics' YOLO with segments (docs.ultralytics.com, "instance segmentation datasets"): a text file a photo, a line an
//! object: the place of its class in `data.yaml`, and its outline in shares of the photo. It has neither holes nor parts.

use crate::annotation::Photo;
use crate::read::{ReadError, ReadShape, SHAPES_MAX};
use crate::shapes::{Format, Geometry, Losses, lower};
use crate::split::Splits;
use std::fmt::Write as _;
use walkaround_domain::{Point, Size};

/// A share this far outside the photo is one at its edge: tools round. One farther out is refused.
const OUTSIDE_MAX: f64 = 0.01;

/// Name of the file that names the classes.
pub const CONFIG_FILE: &str = "data.yaml";

/// The label file of a photo, and what it loses.
pub fn labels(photo: &Photo, classes: &[String]) -> (String, Losses) {
    let (shapes, losses) = lower(Format::Yolo, photo);
    let size = photo.size();
    let mut text = String::new();
    for shape in &shapes {
        let Geometry::Rings(rings) = &shape.geometry else {
            continue;
        };
        let class = classes
            .iter()
            .position(|class| *class == shape.annotation.class)
            .unwrap_or_default();
        // Writing to a String cannot fail.
        let _ = write!(text, "{class}");
        for point in rings.iter().flatten() {
            let share = |value: f32, side: u32| f64::from(value) / f64::from(side);
            let _ = write!(
                text,
                " {:.6} {:.6}",
                share(point.x, size.width),
                share(point.y, size.height)
            );
        }
        text.push('\n');
    }
    (text, losses)
}

/// `data.yaml`: where the lists of photos are, and the names of the classes.
pub fn config(classes: &[String], splits: &Splits) -> String {
    let mut text = String::from("path: .\n");
    let mut names: Vec<&str> = splits.names().collect();
    let list = |text: &mut String, role: &str, name: &str| {
        let _ = writeln!(text, "{role}: {name}.txt");
    };
    for role in ["train", "val", "test"] {
        if let Some(at) = names.iter().position(|name| *name == role) {
            list(&mut text, role, names.remove(at));
        } else if role != "test" {
            // Both have to be there; of a data set without such parts they are its first one.
            list(&mut text, role, splits.names().next().unwrap_or_default());
        }
    }
    text.push_str("names:\n");
    for (at, class) in classes.iter().enumerate() {
        // A JSON string is one in YAML, too.
        let _ = writeln!(text, "  {at}: {}", serde_json::Value::from(class.as_str()));
    }
    text
}

/// The names of the classes in `data.yaml`: a list, or a map from their places.
///
/// # Errors
/// What was expected, as a clause.
pub fn class_names(config: &str) -> Result<Vec<String>, ReadError> {
    let mut lines = config
        .lines()
        .skip_while(|line| line.trim_end() != "names:")
        .skip(1);
    let mut names = Vec::new();
    for line in lines.by_ref().take_while(|line| line.starts_with([' ', '-'])) {
        let entry = line.trim();
        let name = match (entry.strip_prefix("- "), entry.split_once(':')) {
            (Some(name), _) => name.trim(),
            (None, Some((at, name))) if at.trim() == names.len().to_string() => name.trim(),
            _ => {
                let line = format!("names: `{entry}`, expected `{}: NAME`", names.len());
                return Err(ReadError::new(line));
            }
        };
        names.push(name.trim_matches(['"', '\'']).to_owned());
    }
    if names.is_empty() {
        return Err(ReadError::new("expected `names:` and a line for each class"));
    }
    Ok(names)
}

/// Reads the label file of a photo of this size.
///
/// # Errors
/// The first line that is none.
pub fn read(text: &str, classes: &[String], size: Size) -> Result<Vec<ReadShape>, ReadError> {
    let lines = (1..)
        .zip(text.lines())
        .filter(|(_, line)| !line.trim().is_empty());
    let mut shapes = Vec::new();
    for (at, line) in lines {
        if shapes.len() == SHAPES_MAX {
            return Err(ReadError::new(format!("more than {SHAPES_MAX} objects")));
        }
        shapes.push(object(line, classes, size).map_err(|e| ReadError::new(format!("line {at}: {e}")))?);
    }
    Ok(shapes)
}

fn object(line: &str, classes: &[String], size: Size) -> Result<ReadShape, ReadError> {
    let mut fields = line.split_whitespace();
    let class = fields.next().and_then(|at| at.parse::<usize>().ok());
    let class = class.and_then(|at| classes.get(at));
    let class = class.ok_or_else(|| {
        ReadError::new(format!(
            "expected a class from 0 to {}",
            classes.len().saturating_sub(1)
        ))
    })?;
    let shares: Option<Vec<f64>> = fields.map(|share| share.parse().ok()).collect();
    let near = -OUTSIDE_MAX..=1.0 + OUTSIDE_MAX;
    let shares = shares.filter(|all| all.iter().all(|share| near.contains(share)));
    let shares = shares.ok_or_else(|| ReadError::new("expected shares from 0 to 1"))?;
    let point = |x: f64, y: f64| Point {
        x: (x.clamp(0.0, 1.0) * f64::from(size.width)) as f32,
        y: (y.clamp(0.0, 1.0) * f64::from(size.height)) as f32,
    };
    let ring = match shares[..] {
        [x, y, width, height] => {
            let (left, right) = (x - width / 2.0, x + width / 2.0);
            let (top, bottom) = (y - height / 2.0, y + height / 2.0);
            vec![
                point(left, top),
                point(right, top),
                point(right, bottom),
                point(left, bottom),
            ]
        }
        _ if shares.len() >= 6 && shares.len().is_multiple_of(2) => shares
            .chunks_exact(2)
            .map(|pair| point(pair[0], pair[1]))
            .collect(),
        _ => {
            return Err(ReadError::new(
                "expected four numbers of a box, or three or more points",
            ));
        }
    };
    Ok(ReadShape {
        key: None,
        class: class.clone(),
        geometry: Geometry::Rings(vec![ring]),
        pixels: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_from_a_map_and_a_list() {
        let names = ["dent", "no"].map(str::to_owned);
        let splits = Splits::parse("train=0.5,val=0.5").unwrap();
        let written = config(&names, &splits);
        assert_eq!(
            written,
            "path: .\ntrain: train.txt\nval: val.txt\nnames:\n  0: \"dent\"\n  1: \"no\"\n"
        );
        assert_eq!(class_names(&written).unwrap(), names);
        assert_eq!(
            class_names("nc: 2\nnames:\n- dent\n- 'no'\nend: 1").unwrap(),
            names
        );
        assert!(class_names("names: [a]").is_err());
        assert!(
            class_names("names:\n  1: a")
                .unwrap_err()
                .0
                .contains("expected `0: NAME`")
        );
        assert!(config(&names, &Splits::default()).contains("train: all.txt\nval: all.txt\n"));
    }

    #[test]
    fn lines_are_boxes_or_outlines() {
        let classes = ["dent".to_owned()];
        let size = Size::new(100, 50);
        let read = read("0 0.5 0.5 0.2 0.4\n\n0 0 0 1 0 1 1\n", &classes, size).unwrap();
        let ring = |shape: &ReadShape| match &shape.geometry {
            Geometry::Rings(rings) => rings[0].iter().map(|p| [p.x, p.y]).collect::<Vec<_>>(),
            other => panic!("{other:?}"),
        };
        assert_eq!(
            ring(&read[0]),
            [[40.0, 15.0], [60.0, 15.0], [60.0, 35.0], [40.0, 35.0]]
        );
        assert_eq!(ring(&read[1]), [[0.0, 0.0], [100.0, 0.0], [100.0, 50.0]]);
        let outside = super::read("0 -0.005 0 1.005 0 1 1", &classes, size).unwrap();
        assert_eq!(ring(&outside[0]), [[0.0, 0.0], [100.0, 0.0], [100.0, 50.0]]);
        let outside = super::read("0 0.1 0.5 0.6 1", &classes, size).unwrap();
        assert_eq!(ring(&outside[0])[0], [0.0, 0.0]);
        for line in [
            "0 -0.02 0 1 0 1 1",
            "0 NaN 0 1 0 1 1",
            "1 0 0 1 0 1 1",
            "0 0 0 1 0 1",
            "0 0 0 2 0 1 1",
            "x",
            "0 a b c d",
        ] {
            assert!(super::read(line, &classes, size).is_err(), "{line}");
        }
    }
}
