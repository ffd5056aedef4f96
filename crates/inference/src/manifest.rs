//! The manifest `bundle.toml`: what a bundle says of itself. The text form is documented in docs/bundle.md.
//!
//! Two steps: `raw` mirrors the file (unknown keys are errors: a misspelt threshold must not be ignored),
//! then [`Manifest::parse`] checks every value and resolves names, so that nothing later has to.

mod activation;
mod bounds;
mod check;
mod check_output;
mod decoding;
mod instances;
mod raw;
mod review;
mod role;
mod thresholds;

pub use activation::Activation;
pub use decoding::{Decoding, SHARED_FROM, SUSPECT_SHARE, ScreeningDecode};
pub use instances::{Column, InstanceForm, MaskForm, MaskFrame, RowTensor, Unit};
pub use role::Role;

use walkaround_domain::{ReviewPolicy, Size};
use walkaround_vision::mask::ClassSpec;
use walkaround_vision::quality::QualityPolicy;
use walkaround_vision::tensor::{Filter, InputSpec};

/// Name of the manifest inside a bundle folder.
pub const MANIFEST_FILE: &str = "bundle.toml";
/// The only manifest format this program reads.
pub const FORMAT: u32 = 1;
/// Most classes a bundle may have.
pub const CLASSES_MAX: usize = 64;
/// Most networks a bundle may have.
pub const NETWORKS_MAX: usize = 32;
/// Longest input side of a network, in pixels.
pub const INPUT_SIDE_MAX: u32 = 4096;

/// A checked manifest.
#[derive(Debug, Clone)]
pub struct Manifest {
    /// Name of the bundle.
    pub name: String,
    /// Version of the bundle.
    pub version: String,
    /// One line about it.
    pub description: String,
    /// Licence of the weights, in words.
    pub license: String,
    /// Damage classes, in the order of the file.
    pub classes: Vec<ClassSpec>,
    /// Bounds on picture quality.
    pub quality: QualityPolicy,
    /// How photos are decoded for the networks.
    pub decoding: Decoding,
    /// Which results a person should see: `[review]`, and the thresholds of gates and classes.
    pub review: ReviewPolicy,
    /// Networks, in the order of the file.
    pub networks: Vec<NetworkSpec>,
    /// The self-test, when the bundle has one.
    pub self_test: Option<SelfTestSpec>,
}

/// One network and how to use it.
#[derive(Debug, Clone)]
pub struct NetworkSpec {
    /// Unique name.
    pub name: String,
    /// ONNX file inside the bundle folder (no sub-folders).
    pub file: String,
    /// SHA-256 of the file, 64 lower-case hexadecimal digits.
    pub sha256: String,
    /// Files that hold weights of the graph (external data), named as in the graph.
    pub data: Vec<DataFile>,
    /// Which part of the photo it sees.
    pub region: Region,
    /// Name of the input tensor.
    pub input_tensor: String,
    /// How a photo becomes that tensor.
    pub input: InputSpec,
    /// Other inputs, which get the same whole numbers for every photo: tensor and its values.
    pub constants: Vec<(String, Vec<i64>)>,
    /// Names of the output tensors that are read; the only one for all forms but instances.
    pub output_tensors: Vec<String>,
    /// What is applied to the raw output.
    pub activation: Activation,
    /// What the output means.
    pub head: Head,
    /// Tiling, for segmenters only.
    pub tiling: Option<Tiling>,
}

/// A file of weights that a graph names (`.onnx.data`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataFile {
    /// File inside the bundle folder, named as in the graph.
    pub file: String,
    /// SHA-256 of the file, 64 lower-case hexadecimal digits.
    pub sha256: String,
}

impl NetworkSpec {
    /// The role, as the manifest spells it.
    pub fn role(&self) -> Role {
        match &self.head {
            Head::Locator { .. } => Role::Locator,
            Head::Gate { .. } => Role::Gate,
            Head::Segmenter { .. } | Head::ClassMap { .. } => Role::Segmenter,
            Head::Instances(form) => form.purpose,
        }
    }

    /// Longest side in photo pixels that this network can use. What a filter that follows a
    /// family to the last bit gives depends on the picture's size, so there it is as much as can be had.
    pub fn long_side(&self) -> u32 {
        if matches!(
            self.input.filter,
            Filter::Linear | Filter::Interpolate | Filter::Pillow
        ) {
            return INPUT_SIDE_MAX;
        }
        let side = self.input.size.long_side();
        self.tiling
            .as_ref()
            .map_or(side, |t| side.saturating_mul(t.tiles_long_side))
    }
}

/// Which part of the photo a network sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Region {
    /// All of it.
    Photo,
    /// The locator's box.
    Vehicle,
}

/// How the axes of a segmenter's output are ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MapLayout {
    /// `[n, channels, height, width]`
    Nchw,
    /// `[n, height, width, channels]`
    Nhwc,
}

/// Form of a locator's output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LocatorForm {
    /// `[n, k, 5]`: x0, y0, x1, y1 in input pixels, score.
    Boxes,
    /// `[n, 1, h, w]`: probability of "vehicle" per pixel.
    Map,
}

/// What an output means.
#[derive(Debug, Clone)]
pub enum Head {
    /// Where the vehicle is.
    Locator {
        /// Form of the output.
        form: LocatorForm,
        /// Least score of a vehicle.
        threshold: f32,
    },
    /// Whether there is any damage: `[n, channels]` (or `[n]`).
    Gate {
        /// Channels whose probabilities add up to P(damage).
        positive: Vec<usize>,
        /// Below it, the photo is clean.
        threshold: f32,
    },
    /// Probability maps.
    Segmenter {
        /// Class index of each channel; none for background.
        channels: Vec<Option<usize>>,
        /// Order of the axes.
        layout: MapLayout,
        /// Whether the best channel of each place counts, rather than a threshold for each.
        argmax: bool,
    },
    /// The number of a class at each cell, `[n, h, w]` or `[n, 1, h, w]`: the graph ends in `argmax`.
    ClassMap {
        /// Class index of each number; none for background.
        channels: Vec<Option<usize>>,
    },
    /// Objects one by one.
    Instances(InstanceForm),
}

/// How a region is cut into tiles of the input size.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tiling {
    /// Tiles along the long side, 1 to 16.
    pub tiles_long_side: u32,
    /// Overlap of neighbours as a share of a tile, 0 to 0.9.
    pub overlap: f32,
}

/// One picture with the answers it must give.
#[derive(Debug, Clone)]
pub struct SelfTestSpec {
    /// File inside the bundle folder.
    pub picture: String,
    /// Largest allowed absolute difference of each value.
    pub tolerance: f32,
    /// Highest P(damage) over the gates.
    pub gate: Option<f32>,
    /// Class index and mean probability over its maps.
    pub classes: Vec<(usize, f32)>,
}

impl Manifest {
    /// Longest side, in photo pixels, that any network can use.
    pub fn long_side(&self) -> u32 {
        self.long_side_of(&|_| true)
    }

    /// Longest side, in photo pixels, that is decoded for locator and gates; [`Manifest::long_side`] where they share the
    /// decode of the segmenters.
    pub fn screening_long_side(&self) -> u32 {
        let has_gate = self.networks.iter().any(|n| n.role() == Role::Gate);
        let is_small = self.decoding.is_small(has_gate);
        self.long_side_of(&|network| !is_small || network.role() != Role::Segmenter)
    }

    fn long_side_of(&self, wanted: &dyn Fn(&NetworkSpec) -> bool) -> u32 {
        let networks = self.networks.iter().filter(|network| wanted(network));
        networks.map(NetworkSpec::long_side).max().unwrap_or(0)
    }

    /// Input size of the network with the largest input, for display.
    pub fn largest_input(&self) -> Option<Size> {
        self.networks
            .iter()
            .map(|n| n.input.size)
            .max_by_key(|s| s.pixels())
    }
}
