//! A network of objects as it was recognised, whatever its family, and what becomes of it in a role.

use super::classes::Names;
use super::graph::{Graph, Output};
use super::key::{Key, Masking, NetworkDraft, numbers, strings};
use crate::manifest::Role;

pub(super) const BOX_BY_CORNERS: [&str; 4] = ["x0", "y0", "x1", "y1"];
pub(super) const BOX_BY_CENTRE: [&str; 4] = ["cx", "cy", "w", "h"];
pub(super) const CHOOSE: &str = "choose it on your photos: `walkaround evaluate`";

/// What was recognised, before it is put to a use.
pub(super) struct Objects {
    pub(super) family: String,
    pub(super) pixels: Vec<Key>,
    pub(super) names: Names,
    pub(super) rows: Vec<(String, Vec<&'static str>)>,
    pub(super) masks: Vec<Key>,
    /// Width of the column of that name.
    pub(super) coefficients: usize,
    pub(super) activation: Option<Key>,
    pub(super) threshold: Key,
    /// Keys that only a segmenter has.
    pub(super) segmenter: Vec<Key>,
    pub(super) unit: Option<Key>,
}

impl Objects {
    pub(super) fn into_draft(self, graph: &Graph, role: Role) -> Result<NetworkDraft, String> {
        let mut draft = NetworkDraft::new(self.family, role);
        draft.pixels = self.pixels;
        draft.output = vec![Key::known("form", "instances")];
        draft.rows = self
            .rows
            .iter()
            .map(|(tensor, columns)| Key::known(tensor, strings(columns)))
            .collect();
        let has_classes = self.rows.iter().any(|(_, columns)| columns.contains(&"classes"));
        if role == Role::Segmenter {
            let channels = strings(&self.names.names);
            draft
                .output
                .push(Key::maybe("channels", channels, self.names.assumed.clone()));
        } else {
            let (positive, why) = match role {
                Role::Locator => self.names.vehicles(),
                _ => (self.names.wanted(), None),
            };
            draft.output.push(Key::maybe("positive", numbers(positive), why));
            if has_classes {
                let count = self.names.names.len() as i64;
                draft.output.push(Key::known("class_count", count));
            }
        }
        draft.output.extend(self.activation);
        draft.output.push(self.threshold);
        if role == Role::Segmenter {
            draft.output.extend(self.segmenter);
            draft.masking = if self.masks.is_empty() {
                Masking::None
            } else {
                Masking::Outlines
            };
            draft.masks = self.masks;
            draft.classes = self.names.names;
            // What cannot be read may be the masks.
            if draft.masks.is_empty()
                && let Some(unread) = graph.unread.first()
            {
                return Err(format!(
                    "its output `{}` is {}, which is not read: cast it to uint8 or float32 in the export",
                    unread.0, unread.1
                ));
            }
        } else {
            draft.rows = self
                .rows
                .iter()
                .map(|(tensor, columns)| {
                    let columns = columns.iter().flat_map(|&column| match column {
                        // Of no use without masks.
                        "coefficients" => vec![""; self.coefficients],
                        column => vec![column],
                    });
                    Key::known(tensor, strings(columns))
                })
                .collect();
        }
        draft.output.extend(self.unit);
        Ok(draft)
    }
}

/// The outputs that hold floats.
pub(super) fn floats(graph: &Graph) -> impl Iterator<Item = &Output> {
    graph.outputs.iter().filter(|output| !output.whole)
}
