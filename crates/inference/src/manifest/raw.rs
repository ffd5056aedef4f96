//! `bundle.toml` key by key. Every struct refuses unknown keys.

use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Manifest {
    pub format: u32,
    pub name: String,
    pub version: String,
    #[serde(default)]
    pub description: String,
    #[serde(default)]
    pub license: String,
    pub classes: Vec<Class>,
    #[serde(default)]
    pub quality: Quality,
    #[serde(default)]
    pub decode: Decode,
    #[serde(default)]
    pub review: Review,
    pub networks: Vec<Network>,
    pub self_test: Option<SelfTest>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Class {
    pub name: String,
    pub colour: String,
    #[serde(default)]
    pub report: Report,
    pub mask: Mask,
}

#[derive(Deserialize, Default, Clone, Copy)]
#[serde(rename_all = "snake_case")]
pub(super) enum Report {
    #[default]
    Always,
    Uncovered,
    OnRequest,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Mask {
    pub threshold: f32,
    pub hysteresis: Option<f32>,
    #[serde(default)]
    pub closing: f32,
    #[serde(default)]
    pub area_min: f64,
    pub grid: Option<u32>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub(super) struct Quality {
    pub sharpness_min: Option<f32>,
    pub luma_min: Option<f32>,
    pub luma_max: Option<f32>,
    pub clipped_max: Option<f32>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub(super) struct Decode {
    #[serde(default)]
    pub screening: ScreeningDecode,
    pub suspect_share: Option<f32>,
}

#[derive(Deserialize, Default, Clone, Copy)]
#[serde(rename_all = "snake_case")]
pub(super) enum ScreeningDecode {
    #[default]
    Auto,
    Small,
    Shared,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub(super) struct Review {
    pub band: Option<f32>,
    pub damage_not_located: Option<bool>,
    pub unusable_at_return: Option<bool>,
    pub audit_share: Option<f64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Network {
    pub name: String,
    pub role: Role,
    pub file: String,
    pub sha256: String,
    #[serde(default)]
    pub data: Vec<Data>,
    #[serde(default)]
    pub region: Region,
    pub input: Input,
    pub output: Output,
    pub tiling: Option<Tiling>,
}

/// A file of weights.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Data {
    pub file: String,
    pub sha256: String,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "snake_case")]
pub(super) enum Role {
    Locator,
    Gate,
    Segmenter,
}

#[derive(Deserialize, Default, Clone, Copy)]
#[serde(rename_all = "snake_case")]
pub(super) enum Region {
    #[default]
    Photo,
    Vehicle,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Input {
    pub tensor: String,
    pub width: u32,
    pub height: u32,
    #[serde(default)]
    pub resize: Resize,
    pub fill: Option<u8>,
    #[serde(default)]
    pub filter: Filter,
    #[serde(default)]
    pub channels: Channels,
    #[serde(default)]
    pub layout: Layout,
    #[serde(default)]
    pub element: Element,
    pub scale: Option<f32>,
    pub mean: Option<[f32; 3]>,
    pub std: Option<[f32; 3]>,
    #[serde(default)]
    pub constants: BTreeMap<String, Vec<i64>>,
}

#[derive(Deserialize, Default, Clone, Copy, PartialEq)]
#[serde(rename_all = "snake_case")]
pub(super) enum Resize {
    #[default]
    Stretch,
    Letterbox,
    Crop,
}

#[derive(Deserialize, Default, Clone, Copy)]
#[serde(rename_all = "snake_case")]
pub(super) enum Filter {
    #[default]
    Bilinear,
    Pillow,
    Linear,
    Interpolate,
    Area,
}

#[derive(Deserialize, Default, Clone, Copy)]
#[serde(rename_all = "snake_case")]
pub(super) enum Channels {
    #[default]
    Rgb,
    Bgr,
}

#[derive(Deserialize, Default, Clone, Copy)]
#[serde(rename_all = "snake_case")]
pub(super) enum Layout {
    #[default]
    Nchw,
    Nhwc,
}

#[derive(Deserialize, Default, Clone, Copy)]
#[serde(rename_all = "snake_case")]
pub(super) enum Element {
    #[default]
    F32,
    F16,
    U8,
}

#[derive(Deserialize, Default, Clone, Copy, PartialEq)]
#[serde(rename_all = "snake_case")]
pub(super) enum Activation {
    #[default]
    None,
    Sigmoid,
    Softmax,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "snake_case")]
pub(super) enum Form {
    Boxes,
    Map,
    Classes,
    Instances,
}

/// Keys of all roles; `check` says which belong to which.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Output {
    pub tensor: Option<String>,
    #[serde(default)]
    pub activation: Activation,
    pub positive: Option<Vec<usize>>,
    pub threshold: Option<f32>,
    pub channels: Option<Vec<String>>,
    pub layout: Option<Layout>,
    pub decide: Option<Decide>,
    pub form: Option<Form>,
    pub overlap: Option<f32>,
    pub class_count: Option<usize>,
    pub per_row: Option<PerRow>,
    pub unit: Option<Unit>,
    pub rows: Option<BTreeMap<String, Vec<String>>>,
    pub masks: Option<Masks>,
}

#[derive(Deserialize, Clone, Copy, PartialEq)]
#[serde(rename_all = "snake_case")]
pub(super) enum PerRow {
    Best,
    Each,
}

#[derive(Deserialize, Clone, Copy, PartialEq)]
#[serde(rename_all = "snake_case")]
pub(super) enum Decide {
    Threshold,
    Argmax,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "snake_case")]
pub(super) enum Unit {
    Pixels,
    Share,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Masks {
    pub tensor: String,
    pub over: Option<Over>,
    #[serde(default)]
    pub activation: Activation,
    #[serde(default)]
    pub in_score: bool,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "snake_case")]
pub(super) enum Over {
    View,
    Box,
    PixelBox,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Tiling {
    pub tiles_long_side: u32,
    #[serde(default)]
    pub overlap: f32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SelfTest {
    pub picture: String,
    pub tolerance: f32,
    pub gate: Option<f32>,
    #[serde(default)]
    pub classes: BTreeMap<String, f32>,
}
