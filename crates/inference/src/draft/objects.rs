//! Objects one by one: YOLO, lists as of Mask R-CNN, and queries as of DETR.

use super::classes::names;
use super::graph::{Graph, Output};
use super::key::{Key, NetworkDraft, imagenet, to_one};
use super::object_network::{BOX_BY_CENTRE, BOX_BY_CORNERS, CHOOSE, Objects, floats};
use super::onnx_file::Ending;
use super::queries::{detr, mask_queries};
use crate::manifest::Role;

/// Strides of the grids that a YOLO predicts on: most have three; P6 models one more for large objects, P2 models one more for
/// small ones.
const STRIDES: [&[usize]; 3] = [&[8, 16, 32], &[8, 16, 32, 64], &[4, 8, 16, 32]];
/// Boxes of each cell in YOLOv5.
const ANCHORS: usize = 3;
/// Rows of an export whose suppression is done in the graph: its limit of objects is below this.
const SUPPRESSED_ROWS_MAX: usize = 1000;
/// Masks of a longer side are pasted over the picture already.
const BOX_MASK_SIDE_MAX: usize = 64;
/// Intersection over union above which Ultralytics takes two boxes for one object.
const YOLO_OVERLAP: f64 = 0.7;
/// Least score that Ultralytics reports.
const YOLO_THRESHOLD: f64 = 0.25;

/// A network that gives objects; none where no outputs look like them.
///
/// # Errors
/// One line: what is missing.
pub(super) fn objects(
    graph: &Graph,
    role: Role,
    given: Option<&[String]>,
) -> Result<Option<NetworkDraft>, String> {
    let mut found = None;
    for recognise in [yolo, detr, listed, mask_queries] {
        found = recognise(graph, given)?;
        if found.is_some() {
            break;
        }
    }
    found.map(|found| found.into_draft(graph, role)).transpose()
}

/// What Ultralytics does to a picture, and the YOLOs before it.
fn letterboxed(why: Option<&str>) -> Vec<Key> {
    let key = |name: &str, value: toml::Value| Key::maybe(name, value, why.map(str::to_owned));
    let mut keys = vec![key("resize", "letterbox".into()), key("filter", "linear".into())];
    keys.extend(to_one(why));
    keys
}

/// How the rows of a YOLO are laid out.
struct YoloHead {
    head: &'static str,
    columns: Vec<&'static str>,
    /// How many classes the columns tell.
    count: Option<usize>,
}

/// The head by the shape of its rows; none where it is no YOLO.
fn yolo_head(
    graph: &Graph,
    rows: &Output,
    coefficients: usize,
    known: Option<&[String]>,
) -> Result<Option<YoloHead>, String> {
    let (width, height) = (graph.picture.width as usize, graph.picture.height as usize);
    let (first, last) = (rows.axis(1), rows.axis(2));
    let cells_of = |strides: &[usize]| strides.iter().map(|s| (width / s) * (height / s)).sum::<usize>();
    let is_there = |cells: &usize| {
        [first, last]
            .iter()
            .any(|axis| [*cells, ANCHORS * cells].contains(axis))
    };
    let grids = STRIDES.iter().map(|strides| cells_of(strides));
    let cells = grids
        .clone()
        .find(is_there)
        .unwrap_or_else(|| cells_of(STRIDES[0]));
    let column = |count: usize| {
        let head: Vec<&'static str> = match count {
            4 => [&BOX_BY_CENTRE[..], &["classes"]].concat(),
            5 => [&BOX_BY_CENTRE[..], &["object", "classes"]].concat(),
            _ => [&BOX_BY_CORNERS[..], &["score", "class"]].concat(),
        };
        let tail: &[&'static str] = if coefficients > 0 { &["coefficients"] } else { &[] };
        [&head[..], tail].concat()
    };
    let (head, columns, count) = if last == 6 + coefficients && first <= SUPPRESSED_ROWS_MAX {
        ("end to end", column(6), None)
    } else if last == cells && first > 4 + coefficients {
        ("raw head", column(4), Some(first - 4 - coefficients))
    } else if first == cells
        && last > 4 + coefficients
        && known.is_none_or(|k| k.len() + 4 + coefficients == last)
    {
        ("raw head, rows first", column(4), Some(last - 4 - coefficients))
    } else if (first == ANCHORS * cells || first == cells) && last > 5 + coefficients {
        ("YOLOv5 or YOLOX head", column(5), Some(last - 5 - coefficients))
    } else if let (true, Some(known)) = (graph.ultralytics.is_some(), known) {
        return Err(format!(
            "its output `{}` is {:?}, which fits no head of a YOLO with {} classes; export it again with today's \
             Ultralytics (`yolo export model=best.pt format=onnx`), or write its rows by hand: docs/bundle.md, \"Instances\"",
            rows.name,
            rows.shape,
            known.len()
        ));
    } else {
        return Ok(None);
    };
    Ok(Some(YoloHead { head, columns, count }))
}

/// A YOLO: rows of one tensor, and prototypes of masks in another.
fn yolo(graph: &Graph, given: Option<&[String]>) -> Result<Option<Objects>, String> {
    let Some(rows) = floats(graph).find(|o| o.shape.len() == 3 && o.axis(1) != o.axis(2)) else {
        return Ok(None);
    };
    let prototypes = floats(graph).find(|o| o.shape.len() == 4);
    let coefficients = prototypes.map_or(0, |o| o.axis(1));
    let known = given.or(graph.names());
    let is_ultralytics = graph.ultralytics.is_some();
    let Some(YoloHead { head, columns, count }) = yolo_head(graph, rows, coefficients, known)? else {
        return Ok(None);
    };
    let names = names(graph, given, count, false, false)?;
    let why =
        (!is_ultralytics).then_some("as Ultralytics prepares pictures; compare with the training's own");
    let overlap = "the graph does not suppress doubles; this is Ultralytics' own limit";
    let overlap = count.map(|_| Key::maybe("overlap", YOLO_OVERLAP, why.map(|_| overlap.to_owned())));
    let masks = prototypes.map_or_else(Vec::new, |output| {
        vec![
            Key::known("tensor", output.name.clone()),
            Key::known("activation", "sigmoid"),
        ]
    });
    Ok(Some(Objects {
        family: format!(
            "YOLO ({}{head}){}",
            if is_ultralytics { "Ultralytics, " } else { "" },
            if masks.is_empty() {
                ", boxes only"
            } else {
                " with masks"
            }
        ),
        pixels: letterboxed(why),
        names,
        rows: vec![(rows.name.clone(), columns)],
        masks,
        coefficients,
        activation: why
            .map(|why| Key::assumed("activation", "none", format!("scores are probabilities, {why}"))),
        threshold: Key::assumed(
            "threshold",
            YOLO_THRESHOLD,
            format!("Ultralytics' own default; {CHOOSE}"),
        ),
        segmenter: overlap.into_iter().collect(),
        unit: None,
    }))
}

/// Boxes, class numbers and scores as lists: torchvision, Detectron2, MMDeploy, RT-DETR ready for use.
fn listed(graph: &Graph, given: Option<&[String]>) -> Result<Option<Objects>, String> {
    let rank = |o: &Output| o.shape.len();
    let boxes = floats(graph).find(|o| matches!(rank(o), 2 | 3) && matches!(o.last(), 4 | 5));
    let Some(boxes) = boxes else { return Ok(None) };
    let is_column = |o: &&Output| rank(o) + 1 == rank(boxes);
    let Some(labels) = graph.outputs.iter().find(|o| o.whole && is_column(o)) else {
        return Ok(None);
    };
    let mut rows = vec![(boxes.name.clone(), BOX_BY_CORNERS.to_vec())];
    if boxes.last() == 5 {
        rows[0].1.push("score");
    } else {
        let Some(scores) = floats(graph).find(is_column) else {
            return Ok(None);
        };
        rows.push((scores.name.clone(), vec!["score"]));
    }
    rows.push((labels.name.clone(), vec!["class"]));
    let names = names(graph, given, None, false, false)?;
    let masks = graph.outputs.iter().find(|o| rank(o) == 4);
    let sized = !graph.constants.is_empty();
    let family = match (&masks, sized, boxes.last()) {
        (_, true, _) => "RT-DETR or D-FINE ready for use, boxes only",
        (Some(_), _, 5) => "MMDeploy with masks",
        (None, _, 5) => "MMDeploy, boxes only",
        (Some(_), ..) => "Mask R-CNN (torchvision or Detectron2)",
        (None, ..) => "a detector (torchvision or Detectron2), boxes only",
    };
    let pixels = if sized {
        let mut keys = vec![Key::assumed("filter", "pillow", "as RT-DETR resizes")];
        keys.extend(to_one(None));
        keys
    } else if boxes.last() == 5 {
        let mut keys = vec![
            Key::assumed("resize", "letterbox", "as far as MMDeploy keeps the shape"),
            Key::assumed("filter", "linear", "as MMDetection resizes"),
        ];
        keys.extend(imagenet("compare with the pipeline of the configuration"));
        keys
    } else {
        let why = "torchvision normalises in the graph; Detectron2 wants channels = \"bgr\" and scale = 1.0";
        let mut keys = vec![Key::assumed(
            "filter",
            "interpolate",
            "as torchvision's detectors resize",
        )];
        keys.extend(to_one(Some(why)));
        keys
    };
    Ok(Some(Objects {
        family: family.to_owned(),
        pixels,
        names,
        rows,
        masks: masks.map_or_else(Vec::new, |output| box_masks(graph, output)),
        coefficients: 0,
        activation: None,
        threshold: Key::assumed("threshold", 0.5, CHOOSE),
        segmenter: Vec::new(),
        unit: None,
    }))
}

/// Masks of a Mask R-CNN: over the picture, or over each box.
fn box_masks(graph: &Graph, output: &Output) -> Vec<Key> {
    let mut keys = vec![Key::known("tensor", output.name.clone())];
    let (height, width) = (output.axis(2), output.axis(3));
    let is_pasted = width == graph.picture.width as usize && height == graph.picture.height as usize;
    if !is_pasted && width.max(height) <= BOX_MASK_SIDE_MAX {
        let why = "as Detectron2 and MMDetection lay masks over boxes; of torchvision it is \"pixel_box\"";
        keys.push(Key::assumed("over", "box", why));
    }
    if !output.is_within_one() && output.ending == Ending::Unknown {
        keys.push(Key::known("activation", "sigmoid"));
    }
    keys
}

/// A locator of rows `x0, y0, x1, y1, score`; none where no output is one.
pub(super) fn boxes(graph: &Graph) -> Option<NetworkDraft> {
    let rows = floats(graph).find(|o| o.shape.len() == 3 && o.last() == 5)?;
    let mut draft = NetworkDraft::new("boxes with a score each", Role::Locator);
    draft.output = vec![
        Key::known("tensor", rows.name.clone()),
        Key::known("form", "boxes"),
        Key::assumed("threshold", 0.5, CHOOSE),
    ];
    draft.pixels = to_one(Some("compare with the training's own transforms"));
    Some(draft)
}
