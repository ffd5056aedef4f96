//! The files that Hugging Face's exporters leave beside a graph: `config.json` and `preprocessor_config.json`.
//!
//! Keys: <https://huggingface.co/docs/transformers/main_classes/image_processor>.

use super::key::Key;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::Path;
use toml::Value;

/// Largest of these files that is read, in bytes.
const BYTES_MAX: u64 = 1 << 20;
/// Pillow's number for its bilinear filter.
const BILINEAR: u32 = 2;

/// What lies beside a graph.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct HuggingFace {
    /// Names of the classes, by number; none where they are not told.
    pub names: Option<Vec<String>>,
    /// Kind of the model, such as `segformer` or `rt_detr`.
    pub model_type: Option<String>,
    /// How pixels become samples; none where that is not told.
    pub pixels: Option<Vec<Key>>,
}

#[derive(Deserialize)]
struct Config {
    model_type: Option<String>,
    id2label: Option<BTreeMap<String, String>>,
}

#[derive(Deserialize)]
struct Processor {
    #[serde(default = "yes")]
    do_rescale: bool,
    rescale_factor: Option<f64>,
    #[serde(default = "yes")]
    do_normalize: bool,
    image_mean: Option<[f64; 3]>,
    image_std: Option<[f64; 3]>,
    resample: Option<u32>,
}

const fn yes() -> bool {
    true
}

impl HuggingFace {
    /// Reads what lies in the folder of a graph; what is not there is not told.
    ///
    /// # Errors
    /// A file that is there and cannot be read.
    pub(super) fn beside(graph: &Path) -> Result<Self, String> {
        let config: Option<Config> = json(&graph.with_file_name("config.json"))?;
        let processor: Option<Processor> = json(&graph.with_file_name("preprocessor_config.json"))?;
        let (labels, model_type) = config.map_or((None, None), |config| (config.id2label, config.model_type));
        Ok(Self {
            names: labels.as_ref().and_then(names),
            model_type,
            pixels: processor.map(|processor| processor.pixels()),
        })
    }
}

impl Processor {
    fn pixels(&self) -> Vec<Key> {
        let list = |values: [f64; 3]| Value::Array(values.map(Value::Float).to_vec());
        let mut keys = vec![Key::maybe(
            "filter",
            "pillow",
            self.resample
                .filter(|&resample| resample != BILINEAR)
                .map(|resample| {
                    format!(
                        "preprocessor_config.json has Pillow's filter {resample}, which there is not here"
                    )
                }),
        )];
        if self.do_rescale {
            keys.push(Key::known(
                "scale",
                self.rescale_factor.unwrap_or(super::key::TO_ONE),
            ));
        }
        if let (true, Some(mean), Some(std)) = (self.do_normalize, self.image_mean, self.image_std) {
            keys.push(Key::known("mean", list(mean)));
            keys.push(Key::known("std", list(std)));
        }
        keys
    }
}

/// Names in the order of their numbers, which are 0, 1, 2, ...
fn names(labels: &BTreeMap<String, String>) -> Option<Vec<String>> {
    (0..labels.len())
        .map(|number| labels.get(&number.to_string()).cloned())
        .collect()
}

/// A document; none where there is no such file.
fn json<T: for<'de> Deserialize<'de>>(path: &Path) -> Result<Option<T>, String> {
    if !path.is_file() {
        return Ok(None);
    }
    let bytes = crate::bundle::read(path, BYTES_MAX).map_err(|error| error.to_string())?;
    let read = serde_json::from_slice(&bytes);
    read.map(Some).map_err(|error| {
        format!(
            "{}, which lies beside it, cannot be read: {error}",
            path.display()
        )
    })
}
