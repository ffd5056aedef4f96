//! Maps and classifiers: U-Net, DeepLab, SegFormer, class numbers, gates.

use super::classes::{Names, names};
use super::graph::{Graph, Output};
use super::key::{Key, Masking, NetworkDraft, imagenet, numbers, strings, to_one};
use super::onnx_file::Ending;
use crate::manifest::Role;
use walkaround_vision::tensor::{Element, Layout};

/// What to compare a guessed normalisation with.
const NORMALISATION: &str = "compare with the training's own transforms";
/// Least side of a map, in cells: below it a tensor of four axes is something else.
const SIDE_MIN: usize = 8;

/// A segmenter (or a locator) whose output is a map; none where no output is one.
///
/// # Errors
/// One line: what is missing.
pub(super) fn map(
    graph: &Graph,
    role: Role,
    given: Option<&[String]>,
) -> Result<Option<NetworkDraft>, String> {
    let maps = graph.outputs.iter().filter_map(|output| {
        let layout = map_layout(graph, output)?;
        Some((output, layout))
    });
    let Some((output, layout)) = maps.max_by_key(|(output, _)| output.shape.iter().product::<usize>()) else {
        return Ok(None);
    };
    let several = graph.outputs.len() > 1;
    let which = several.then(|| "the largest of several outputs is read".to_owned());
    let tensor = Key::maybe("tensor", output.name.clone(), which);
    let mut draft = match (output.whole, role) {
        (true, Role::Segmenter) => {
            let names = names(graph, given, None, false, true)?;
            let mut draft = NetworkDraft::new("a map of class numbers", role);
            draft.output = vec![tensor, Key::known("form", "classes"), channels(&names)];
            draft.classes = names.names;
            draft.masking = Masking::Outlines;
            draft
        }
        (false, Role::Locator) => {
            let mut draft = NetworkDraft::new("a map of the vehicle", role);
            draft.output = vec![tensor, Key::known("form", "map"), threshold(0.5)];
            draft.output.extend(activation(output, 1));
            draft
        }
        (false, Role::Segmenter) => scores(graph, output, layout, tensor, given)?,
        _ => return Err("a gate is a classifier or a detector, and this is a map of the picture".into()),
    };
    draft.pixels = pixels(graph);
    Ok(Some(draft))
}

/// Where a map's classes are; none where an output is no map.
fn map_layout(graph: &Graph, output: &Output) -> Option<Layout> {
    let side = |at: usize| output.axis(at) >= SIDE_MIN;
    match output.shape.len() {
        3 if side(1) && side(2) && (output.whole || fits(graph, output)) => Some(Layout::Nchw),
        4 if side(2) && side(3) && output.axis(1) <= output.axis(3) => Some(Layout::Nchw),
        4 if side(1) && side(2) && !output.whole => Some(Layout::Nhwc),
        _ => None,
    }
}

/// Whether `[n, h, w]` has the shape of the picture: rows of objects do not.
fn fits(graph: &Graph, output: &Output) -> bool {
    let (width, height) = (graph.picture.width as usize, graph.picture.height as usize);
    output.axis(1) * width == output.axis(2) * height
}

fn channels(names: &Names) -> Key {
    Key::maybe("channels", strings(&names.names), names.assumed.clone())
}

fn threshold(value: f64) -> Key {
    Key::assumed(
        "threshold",
        value,
        "choose it on your photos: `walkaround evaluate`",
    )
}

/// What is still to be applied to scores that are independent of each other.
fn activation(output: &Output, channels: usize) -> Option<Key> {
    match output.ending {
        Ending::Sigmoid | Ending::Softmax => None,
        Ending::Unknown if !output.is_within_one() && channels == 1 => {
            Some(Key::known("activation", "sigmoid"))
        }
        Ending::Unknown if !output.is_within_one() => Some(Key::assumed(
            "activation",
            "softmax",
            "one class each place; `sigmoid` where each class is decided by itself",
        )),
        Ending::Unknown => Some(Key::assumed(
            "activation",
            "none",
            "drawn pictures gave values from 0 to 1",
        )),
    }
}

/// Maps of scores.
fn scores(
    graph: &Graph,
    output: &Output,
    layout: Layout,
    tensor: Key,
    given: Option<&[String]>,
) -> Result<NetworkDraft, String> {
    let axis = match layout {
        Layout::Nchw => 1,
        Layout::Nhwc => 3,
    };
    let count = if output.shape.len() == 3 {
        1
    } else {
        output.axis(axis)
    };
    let is_shared = count > 1
        && match output.ending {
            Ending::Sigmoid => false,
            Ending::Softmax => true,
            Ending::Unknown => output.adds_up(axis) || !output.is_within_one(),
        };
    let mut names = names(graph, given, Some(count), false, is_shared)?;
    if count == 1 && names.assumed.is_some() {
        names.names = vec!["damage".to_owned()];
    }
    let family = match (count, is_shared) {
        (1, _) => "a map of one class".to_owned(),
        (n, true) => format!("maps of {n} classes that share each place (softmax)"),
        (n, false) => format!("maps of {n} independent classes (sigmoid)"),
    };
    let mut draft = NetworkDraft::new(family, Role::Segmenter);
    draft.output = vec![tensor];
    draft.output.extend(activation(output, count));
    draft.output.push(channels(&names));
    if layout == Layout::Nhwc {
        draft.output.push(Key::known("layout", "nhwc"));
    }
    if is_shared {
        let why = (!output.is_within_one()).then(|| "leave it out with `sigmoid`".to_owned());
        draft.output.push(Key::maybe("decide", "argmax", why));
        draft.masking = Masking::Outlines;
    }
    draft.classes = names.names;
    Ok(draft)
}

/// A classifier, as a gate; none where no output is one.
///
/// # Errors
/// One line: what is missing.
pub(super) fn classifier(
    graph: &Graph,
    role: Role,
    given: Option<&[String]>,
) -> Result<Option<NetworkDraft>, String> {
    let is_one = |output: &&Output| !output.whole && matches!(output.shape.len(), 1 | 2);
    let Some(output) = graph.outputs.iter().find(is_one) else {
        return Ok(None);
    };
    if role != Role::Gate {
        return Err("a classifier says whether there is damage, not where: it can be a gate only".into());
    }
    let count = if output.shape.len() == 1 {
        1
    } else {
        output.axis(1)
    };
    let mut draft = NetworkDraft::new(format!("a classifier of {count}"), role);
    draft.output = vec![Key::known("tensor", output.name.clone())];
    let shares = output.ending == Ending::Softmax || output.adds_up(1);
    if !shares {
        draft.output.extend(activation(output, count));
    }
    let positive = if count == 1 {
        Key::known("positive", numbers([0]))
    } else {
        let names = names(graph, given, Some(count), false, false)?;
        let (damaged, why) = names.damaged();
        Key::maybe("positive", numbers(damaged), why)
    };
    draft.output.extend([positive, threshold(0.5)]);
    draft.pixels = if graph.ultralytics.is_some() {
        // As Ultralytics classifies: the short side to the input, then the centre.
        vec![
            Key::known("resize", "crop"),
            Key::known("filter", "pillow"),
            Key::known("scale", super::key::TO_ONE),
        ]
    } else {
        pixels(graph)
    };
    Ok(Some(draft))
}

/// How pixels become samples, where the family does not say.
fn pixels(graph: &Graph) -> Vec<Key> {
    let picture = &graph.picture;
    if let Some(pixels) = &graph.hugging_face.pixels {
        return pixels.clone();
    }
    let mut keys = Vec::new();
    if picture.tensor == "pixel_values" {
        // Hugging Face's image processors resize with Pillow.
        keys.push(Key::known("filter", "pillow"));
    }
    match (picture.element, picture.layout) {
        (Element::U8, _) => {}
        (_, Layout::Nchw) => keys.extend(imagenet(NORMALISATION)),
        (_, Layout::Nhwc) => keys.extend(to_one(Some(NORMALISATION))),
    }
    keys
}
