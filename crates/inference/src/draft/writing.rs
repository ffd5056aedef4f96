//! The text of a drafted manifest.

use super::graph::Graph;
use super::key::{Assumption, Key, Masking, NetworkDraft};
use crate::manifest::Role;
use toml::{Table, Value};
use walkaround_vision::tensor::{Element, Layout};

/// Colours of overlays that people who do not see all colours can tell apart, then lighter ones
/// (Okabe and Ito, <https://jfly.uni-koeln.de/color/>).
const COLOURS: [&str; 12] = [
    "#e69f00", "#56b4e9", "#d55e00", "#009e73", "#f0e442", "#cc79a7", "#0072b2", "#999999", "#a6761d",
    "#66c2a5", "#e7298a", "#7570b3",
];
/// Mask grid of classes whose objects are outlined one by one: on it an outline agrees with the family's own.
const GRID: i64 = 2048;
/// What a mask is cut at.
const CUT: f64 = 0.5;
/// Column at which marks stand, in characters, where the line is not longer.
const WIDTH: usize = 60;

/// Lines, and which of them are guesses.
#[derive(Default)]
struct Text {
    lines: Vec<String>,
    assumptions: Vec<Assumption>,
}

impl Text {
    fn line(&mut self, line: impl Into<String>) {
        self.lines.push(line.into());
    }

    /// The first line of a table, after an empty one.
    fn title(&mut self, title: &str) {
        self.line("");
        self.line(title);
    }

    fn key(&mut self, key: &Key) {
        let line = format!("{} = {}", bare(&key.name), key.value);
        match &key.assumed {
            None => self.line(line),
            Some(why) => {
                self.line(format!("{line:<WIDTH$}  # ASSUMED: {why}"));
                self.assumptions.push(Assumption {
                    line: self.lines.len(),
                    key: key.name.clone(),
                    value: key.value.to_string(),
                    why: why.clone(),
                });
            }
        }
    }

    fn keys<'a>(&mut self, keys: impl IntoIterator<Item = &'a Key>) {
        keys.into_iter().for_each(|key| self.key(key));
    }
}

/// A key as TOML spells it: tensors may have any name.
fn bare(name: &str) -> String {
    let is_bare = !name.is_empty()
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'));
    if is_bare {
        name.to_owned()
    } else {
        Value::String(name.to_owned()).to_string()
    }
}

/// The manifest of these networks, in the order locator, gates, segmenters.
pub(super) fn write(name: &str, networks: &[(Graph, NetworkDraft)]) -> (String, Vec<Assumption>) {
    let mut text = Text::default();
    let files: Vec<&str> = networks
        .iter()
        .map(|(graph, _)| graph.file.name.as_str())
        .collect();
    text.line(format!(
        "# Written by `walkaround bundle init` from {}.",
        files.join(", ")
    ));
    text.line(
        "# Each value marked ASSUMED is a guess: compare it with the training, then take the mark away.",
    );
    let families: Vec<&str> = networks.iter().map(|(_, draft)| draft.family.as_str()).collect();
    let licenses = networks
        .iter()
        .filter_map(|(graph, _)| graph.ultralytics.as_ref()?.license.clone());
    text.key(&Key::known("format", i64::from(crate::manifest::FORMAT)));
    text.key(&Key::known("name", name));
    text.key(&Key::known("version", "1"));
    text.key(&Key::known("description", families.join("; ")));
    if let Some(license) = licenses.into_iter().next() {
        text.key(&Key::known("license", license));
    }
    for (at, (class, masking)) in classes(networks).into_iter().enumerate() {
        text.title("[[classes]]");
        text.key(&Key::known("name", class));
        text.key(&Key::known("colour", COLOURS[at % COLOURS.len()]));
        text.line("[classes.mask]");
        match masking {
            Masking::None => text.key(&Key::known("threshold", CUT)),
            Masking::Outlines => text.keys(&[Key::known("threshold", CUT), Key::known("grid", GRID)]),
            Masking::Cut => text.key(&Key::assumed(
                "threshold",
                CUT,
                "where masks are cut; choose it on your photos: `walkaround evaluate`",
            )),
        }
    }
    let mut names: Vec<String> = Vec::new();
    for (graph, draft) in networks {
        network(&mut text, graph, draft, &mut names);
    }
    let mut out = text.lines.join("\n");
    out.push('\n');
    (out, text.assumptions)
}

/// Classes of all segmenters, and how their masks are made.
fn classes(networks: &[(Graph, NetworkDraft)]) -> Vec<(String, Masking)> {
    let mut classes: Vec<(String, Masking)> = Vec::new();
    for (_, draft) in networks.iter().filter(|(_, draft)| draft.role == Role::Segmenter) {
        for class in draft.classes.iter().filter(|class| !class.is_empty()) {
            match classes.iter_mut().find(|(name, _)| name == class) {
                Some((_, masking)) => *masking = draft.masking.max(*masking),
                None => classes.push((class.clone(), draft.masking)),
            }
        }
    }
    classes
}

fn network(text: &mut Text, graph: &Graph, draft: &NetworkDraft, names: &mut Vec<String>) {
    let stem = graph.file.name.trim_end_matches(".onnx");
    let name = match super::spelling::spelt(stem) {
        name if name.is_empty() => draft.role.as_str().to_owned(),
        name => name,
    };
    let name = if names.contains(&name) {
        format!("{name}-{}", names.len() + 1)
    } else {
        name
    };
    text.title("[[networks]]");
    text.key(&Key::known("name", name.clone()));
    names.push(name);
    text.key(&Key::known("role", draft.role.as_str()));
    text.key(&Key::known("file", graph.file.name.clone()));
    text.key(&Key::known("sha256", graph.file.sha256.clone()));
    if !graph.file.data.is_empty() {
        let one = |file: &crate::bundle::BundleFile| {
            let mut table = Table::new();
            table.insert("file".into(), file.name.clone().into());
            table.insert("sha256".into(), file.sha256.clone().into());
            Value::Table(table)
        };
        let data: Vec<Value> = graph.file.data.iter().map(one).collect();
        text.key(&Key::known("data", Value::Array(data)));
    }
    input(text, graph, draft);
    text.line("[networks.output]");
    text.keys(&draft.output);
    for (title, keys) in [("rows", &draft.rows), ("masks", &draft.masks)] {
        if !keys.is_empty() {
            text.line(format!("[networks.output.{title}]"));
            text.keys(keys);
        }
    }
}

fn input(text: &mut Text, graph: &Graph, draft: &NetworkDraft) {
    let picture = &graph.picture;
    text.line("[networks.input]");
    text.keys(&[
        Key::known("tensor", picture.tensor.clone()),
        Key::known("width", i64::from(picture.width)),
        Key::known("height", i64::from(picture.height)),
    ]);
    if picture.layout == Layout::Nhwc {
        text.key(&Key::known("layout", "nhwc"));
    }
    match picture.element {
        Element::F32 => {}
        Element::F16 => text.key(&Key::known("element", "f16")),
        Element::U8 => text.key(&Key::known("element", "u8")),
    }
    let pixels = draft.pixels.iter();
    // Bytes are given as they are.
    text.keys(pixels.filter(|key| picture.element != Element::U8 || !is_normalisation(&key.name)));
    if !graph.constants.is_empty() {
        let constants = graph.constants.iter().map(|(name, values)| {
            let values = values.iter().map(|&v| Value::Integer(v)).collect();
            (name.clone(), Value::Array(values))
        });
        text.key(&Key::known("constants", Value::Table(constants.collect())));
    }
}

fn is_normalisation(key: &str) -> bool {
    matches!(key, "scale" | "mean" | "std")
}
