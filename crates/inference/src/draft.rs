//! A manifest for networks as they were exported: `walkaround bundle init`.
//!
//! A graph is read and run on drawn pictures; its tensors, and what an exporter wrote into the file, say which family it is
//! of; the family says how pictures go in and objects come out. What neither says is guessed, and marked.

mod classes;
mod graph;
mod hugging_face;
mod key;
mod maps;
mod metadata;
mod object_network;
mod objects;
mod onnx_file;
mod queries;
mod spelling;
mod writing;

use crate::bundle::BundleFile;
use crate::manifest::{Manifest, Role};
use crate::runtime::Runtime;
use graph::Graph;
pub use key::Assumption;
use key::NetworkDraft;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// One ONNX file, and what is known of it beforehand.
#[derive(Debug, Clone, Default)]
pub struct ModelFile {
    /// Where it is.
    pub path: PathBuf,
    /// What it is for; none for: a classifier is a gate, anything else a segmenter.
    pub role: Option<Role>,
    /// Its classes from number 0 on, `background` for what is not wanted.
    pub classes: Option<Vec<String>>,
    /// Width and height of its input, in pixels, where the graph leaves them free.
    pub size: Option<[u32; 2]>,
}

/// A network of the draft, for display.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DraftedNetwork {
    /// ONNX file.
    pub file: String,
    /// What it is for.
    pub role: Role,
    /// What it was recognised as, in words.
    pub family: String,
}

/// A drafted bundle.
#[derive(Debug)]
pub struct Draft {
    /// Text of `bundle.toml`.
    pub manifest: String,
    /// Values that were guessed, by line.
    pub assumptions: Vec<Assumption>,
    /// The networks, in the order of the manifest.
    pub networks: Vec<DraftedNetwork>,
    /// Every file that the manifest names.
    pub files: Vec<BundleFile>,
}

/// Why there is no draft.
#[derive(Debug, thiserror::Error)]
pub enum DraftError {
    /// A file that no manifest can describe as it is.
    #[error("{path}: {message}")]
    File {
        /// Which file.
        path: PathBuf,
        /// What is wrong, and what to do.
        message: String,
    },
    /// The files do not make a bundle together.
    #[error("{0}")]
    Bundle(String),
}

/// Drafts the manifest of a bundle of these files.
///
/// # Errors
/// [`DraftError`], in one line: which file, what is wrong, what to do.
pub fn draft(runtime: &Runtime, name: &str, models: &[ModelFile]) -> Result<Draft, DraftError> {
    let mut networks = models
        .iter()
        .map(|model| {
            network(runtime, model).map_err(|message| DraftError::File {
                path: model.path.clone(),
                message,
            })
        })
        .collect::<Result<Vec<_>, _>>()?;
    rename(&mut networks);
    let order = |role: Role| match role {
        Role::Locator => 0,
        Role::Gate => 1,
        Role::Segmenter => 2,
    };
    networks.sort_by_key(|(_, draft)| order(draft.role));
    if !networks.iter().any(|(_, draft)| draft.role == Role::Segmenter) {
        return Err(DraftError::Bundle(format!(
            "{} can say whether there is damage and not where; a bundle needs a segmenter or a detector, too: name its \
             file beside it",
            networks
                .first()
                .map_or("nothing named", |(graph, _)| &graph.file.name)
        )));
    }
    let (manifest, assumptions) = writing::write(name, &networks);
    // What was written has to be readable; where it is not, the line says which value to give by hand.
    Manifest::parse(&manifest).map_err(DraftError::Bundle)?;
    Ok(Draft {
        manifest,
        assumptions,
        networks: networks
            .iter()
            .map(|(graph, draft)| drafted(graph, draft))
            .collect(),
        files: files(&networks)?,
    })
}

fn drafted(graph: &Graph, draft: &NetworkDraft) -> DraftedNetwork {
    DraftedNetwork {
        file: graph.file.name.clone(),
        role: draft.role,
        family: draft.family.clone(),
    }
}

fn network(runtime: &Runtime, model: &ModelFile) -> Result<(Graph, NetworkDraft), String> {
    let graph = Graph::load(runtime, &model.path, model.size)?;
    let draft = recognised(&graph, model)?;
    Ok((graph, draft))
}

/// The network by its tensors.
fn recognised(graph: &Graph, model: &ModelFile) -> Result<NetworkDraft, String> {
    let given = model.classes.as_deref();
    if let Some(task) = graph.ultralytics.as_ref().and_then(|u| u.task.as_deref())
        && !matches!(task, "detect" | "segment" | "classify")
    {
        return Err(format!(
            "it is an Ultralytics model for `{task}`, which has no damage to outline; train and export one for `segment` \
             or `detect`"
        ));
    }
    let role = model.role.unwrap_or(Role::Segmenter);
    if let Some(draft) = objects::objects(graph, role, given)? {
        return Ok(draft);
    }
    if role == Role::Locator
        && let Some(draft) = objects::boxes(graph)
    {
        return Ok(draft);
    }
    if let Some(draft) = maps::map(graph, role, given)? {
        return Ok(draft);
    }
    let role = model.role.unwrap_or(Role::Gate);
    if let Some(draft) = maps::classifier(graph, role, given)? {
        return Ok(draft);
    }
    let outputs: Vec<String> = graph
        .outputs
        .iter()
        .map(|output| format!("{} {:?}", output.name, output.shape))
        .chain(graph.unread.iter().map(|(name, kind)| format!("{name} {kind}")))
        .collect();
    Err(format!(
        "its outputs are of no family that is known: {}; docs/bundle.md lists those that are, and the keys for a manifest \
         by hand",
        outputs.join(", ")
    ))
}

/// Gives graphs that came from several folders under one name (`best.onnx`) names of their own.
fn rename(networks: &mut [(Graph, NetworkDraft)]) {
    let mut taken: BTreeMap<String, String> = BTreeMap::new();
    for (graph, draft) in networks {
        let file = &mut graph.file;
        let stem = file.name.trim_end_matches(".onnx").to_owned();
        let mut number = 1;
        while taken.get(&file.name).is_some_and(|digest| *digest != file.sha256) {
            let role = draft.role.as_str();
            file.name = match number {
                1 => format!("{stem}-{role}.onnx"),
                n => format!("{stem}-{role}-{n}.onnx"),
            };
            number += 1;
        }
        taken.insert(file.name.clone(), file.sha256.clone());
    }
}

/// Every file once. Two of one name have to be the same.
fn files(networks: &[(Graph, NetworkDraft)]) -> Result<Vec<BundleFile>, DraftError> {
    let mut files: BTreeMap<&str, &BundleFile> = BTreeMap::new();
    for file in networks
        .iter()
        .flat_map(|(graph, _)| std::iter::once(&graph.file).chain(&graph.file.data))
    {
        let known = files.insert(&file.name, file);
        if known.is_some_and(|known| known.sha256 != file.sha256) {
            return Err(DraftError::Bundle(format!(
                "two files of weights are named `{}`: export one graph under another name, or with external_data=False",
                file.name
            )));
        }
    }
    Ok(files.into_values().cloned().collect())
}

/// The name of a bundle after its first file.
pub fn bundle_name(path: &Path) -> String {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    match spelling::spelt(&stem) {
        name if name.is_empty() => "bundle".to_owned(),
        name => name,
    }
}
