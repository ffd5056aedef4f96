//! Families whose queries have a score for each class: DETR and its kin, and Mask2Former and its kin.

use super::classes::names;
use super::graph::{Graph, Output};
use super::key::{Key, imagenet, to_one};
use super::object_network::{BOX_BY_CENTRE, BOX_BY_CORNERS, CHOOSE, Objects, floats};
use super::onnx_file::Ending;

/// Largest coordinate that is still a share of a side.
const SHARE_MAX: f32 = 2.0;

/// How a DETR's pixels become samples.
fn detr_pixels(graph: &Graph, is_rf: bool) -> Vec<Key> {
    let is_hugging_face = graph.picture.tensor == "pixel_values";
    let mut pixels = Vec::new();
    if let Some(known) = &graph.hugging_face.pixels {
        pixels.extend(known.clone());
    } else if is_rf {
        pixels.push(Key::assumed("filter", "linear", "as RF-DETR resizes"));
        pixels.extend(imagenet("as RF-DETR normalises"));
    } else {
        pixels.push(Key::maybe(
            "filter",
            "pillow",
            (!is_hugging_face).then(|| "as RT-DETR resizes".to_owned()),
        ));
        pixels.extend(to_one(Some(
            "as RT-DETR; DETR itself subtracts ImageNet's mean (see preprocessor_config.json)",
        )));
    }
    pixels
}

/// Masks of queries, over all that the network sees.
fn query_masks(output: &Output) -> Vec<Key> {
    let logits = !output.is_within_one() && output.ending == Ending::Unknown;
    let mut keys = vec![Key::known("tensor", output.name.clone())];
    keys.extend(logits.then(|| Key::known("activation", "sigmoid")));
    keys
}

/// DETR and its kin: boxes as shares, a score for each class.
pub(super) fn detr(graph: &Graph, given: Option<&[String]>) -> Result<Option<Objects>, String> {
    let is_box = |o: &&Output| o.shape.len() == 3 && o.last() == 4;
    let named = |o: &&Output| o.name.contains("box") || o.name.contains("det");
    let boxes = floats(graph).filter(is_box);
    let Some(boxes) = boxes.max_by_key(|o| named(o)) else {
        return Ok(None);
    };
    let beside = |o: &&Output| o.shape.len() == 3 && o.axis(1) == boxes.axis(1) && o.name != boxes.name;
    let Some(scores) = floats(graph).find(beside) else {
        return Ok(None);
    };
    let masks = floats(graph).find(|o| o.shape.len() == 4 && o.axis(1) == boxes.axis(1));
    // RF-DETR names them so, and its last class is nothing.
    let is_rf = boxes.name == "dets" || masks.is_some();
    let names = names(graph, given, Some(scores.last()), true, false)?;
    // Hugging Face's own form has a column for each of its labels, no more.
    let names = if is_rf && boxes.name != "pred_boxes" {
        names.with_nothing_last()
    } else {
        names
    };
    let pixels = detr_pixels(graph, is_rf);
    let is_share = boxes.high <= SHARE_MAX;
    let columns = if is_share { BOX_BY_CENTRE } else { BOX_BY_CORNERS };
    // One class a query, the last of them nothing (https://huggingface.co/docs/transformers/model_doc/detr).
    let kind = graph.hugging_face.model_type.as_deref();
    let is_first_detr = matches!(kind, Some("detr" | "table-transformer" | "yolos"));
    let raw = !scores.is_within_one() && scores.ending == Ending::Unknown;
    let activation = raw.then(|| {
        if is_first_detr {
            return Key::known("activation", "softmax");
        }
        let other = "of DETR itself it is `softmax`, with per_row = \"best\"".to_owned();
        Key::maybe(
            "activation",
            "sigmoid",
            (!is_rf && kind.is_none()).then_some(other),
        )
    });
    let masks = masks.map_or_else(Vec::new, query_masks);
    Ok(Some(Objects {
        family: format!(
            "DETR and its kin (queries){}",
            if masks.is_empty() {
                ", boxes only"
            } else {
                " with masks"
            }
        ),
        pixels,
        names,
        rows: vec![
            (boxes.name.clone(), columns.to_vec()),
            (scores.name.clone(), vec!["classes"]),
        ],
        masks,
        coefficients: 0,
        activation,
        threshold: Key::assumed("threshold", 0.5, CHOOSE),
        segmenter: vec![Key::known("per_row", if is_first_detr { "best" } else { "each" })],
        unit: is_share.then(|| Key::known("unit", "share")),
    }))
}

/// Mask2Former, MaskFormer, EoMT: a score for each class and a mask for each query, no boxes. The last class is nothing
/// (`post_process_instance_segmentation` of Hugging Face's image processors).
pub(super) fn mask_queries(graph: &Graph, given: Option<&[String]>) -> Result<Option<Objects>, String> {
    let beside = |masks: &&Output| floats(graph).find(|o| o.shape.len() == 3 && o.axis(1) == masks.axis(1));
    let of = floats(graph).filter(|o| o.shape.len() == 4);
    let Some((masks, scores)) = of.filter_map(|masks| Some((masks, beside(&masks)?))).next() else {
        return Ok(None);
    };
    let names = names(graph, given, Some(scores.last()), true, false)?.with_nothing_last();
    let pixels = match &graph.hugging_face.pixels {
        Some(known) => known.clone(),
        None => {
            let mut keys = vec![Key::assumed(
                "filter",
                "pillow",
                "as Hugging Face's processor resizes",
            )];
            keys.extend(imagenet("compare with preprocessor_config.json"));
            keys
        }
    };
    let mut keys = query_masks(masks);
    keys.push(Key::known("in_score", true));
    Ok(Some(Objects {
        family: "Mask2Former and its kin (queries with masks)".to_owned(),
        pixels,
        names,
        rows: vec![(scores.name.clone(), vec!["classes"])],
        masks: keys,
        coefficients: 0,
        activation: Some(Key::known("activation", "softmax")),
        threshold: Key::assumed("threshold", 0.5, CHOOSE),
        segmenter: vec![Key::known("per_row", "each")],
        unit: None,
    }))
}
