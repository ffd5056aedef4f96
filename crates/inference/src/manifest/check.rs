//! From the raw manifest to the checked one: every value in its range, every name known.

use super::bounds::{count, ensure, share, unique};
use super::check_output::{activation, head};
use super::raw;
use super::review::review;
use super::{
    CLASSES_MAX, DataFile, Decoding, FORMAT, Head, INPUT_SIDE_MAX, Manifest, NETWORKS_MAX, NetworkSpec,
    Region, Role, SUSPECT_SHARE, ScreeningDecode, SelfTestSpec, Tiling,
};
use std::collections::BTreeMap;
use walkaround_domain::Size;
use walkaround_vision::mask::{CANVAS_SIDE, CANVAS_SIDE_MAX, ClassSpec, MaskPolicy, Report};
use walkaround_vision::quality::QualityPolicy;
use walkaround_vision::tensor::{ChannelOrder, Element, Filter, InputSpec, Layout, Resize};

/// Least side of a mask grid: coarser ones outline nothing.
const GRID_MIN: u32 = 32;
/// Most values of a constant input: it describes a photo, it is none.
const CONSTANT_VALUES_MAX: usize = 16;
/// Most files of weights of a network.
const DATA_FILES_MAX: usize = 16;
/// Most constant inputs of a network.
const CONSTANTS_MAX: usize = 4;

/// Most tiles along the long side: bounds the work one photo can cause.
const TILES_MAX: u32 = 16;

impl Manifest {
    /// Reads and checks the text of a manifest.
    ///
    /// # Errors
    /// One line: where (line of the file, class or network), what is wrong, what is expected.
    pub fn parse(text: &str) -> Result<Self, String> {
        let raw: raw::Manifest = toml::from_str(text).map_err(|e| one_line(&e, text))?;
        manifest(raw)
    }
}

/// The message of a TOML error with its line number, without the excerpt that spans several lines.
fn one_line(error: &toml::de::Error, text: &str) -> String {
    let message = error.message().replace('\n', " ");
    match error.span() {
        Some(span) => format!(
            "line {}: {message}",
            text[..span.start.min(text.len())].matches('\n').count() + 1
        ),
        None => message,
    }
}

fn manifest(raw: raw::Manifest) -> Result<Manifest, String> {
    ensure(raw.format == FORMAT, || {
        format!("format is {}, this program reads format {FORMAT}", raw.format)
    })?;
    ensure(is_name(&raw.name), || format!("name `{}`: {NAME_RULE}", raw.name))?;
    ensure(is_name(&raw.version), || {
        format!("version `{}`: {NAME_RULE}", raw.version)
    })?;
    count("classes", raw.classes.len(), CLASSES_MAX)?;
    count("networks", raw.networks.len(), NETWORKS_MAX)?;
    let classes = raw
        .classes
        .into_iter()
        .map(class)
        .collect::<Result<Vec<_>, _>>()?;
    unique("class", classes.iter().map(|c| c.name.as_str()))?;
    let names = |wanted: &str| classes.iter().position(|c| c.name == wanted);
    let networks = raw
        .networks
        .into_iter()
        .map(|n| {
            let name = n.name.clone();
            network(n, &names).map_err(|e| format!("network `{name}`: {e}"))
        })
        .collect::<Result<Vec<_>, _>>()?;
    unique("network", networks.iter().map(|n| n.name.as_str()))?;
    roles(&networks)?;
    let self_test = raw.self_test.map(|t| self_test(t, &names)).transpose()?;
    Ok(Manifest {
        name: raw.name,
        version: raw.version,
        description: raw.description,
        license: raw.license,
        quality: quality(&raw.quality)?,
        decoding: decoding(&raw.decode)?,
        review: review(&raw.review, &classes, &networks)?,
        classes,
        networks,
        self_test,
    })
}

const NAME_RULE: &str = "use 1 to 64 letters, digits, `.`, `-` or `_`, not starting with `.`";

/// Names become file names, S3 keys and metric dimensions: a narrow alphabet fits all of them.
fn is_name(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && !name.starts_with('.')
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'))
}

fn class(raw: raw::Class) -> Result<ClassSpec, String> {
    let at = |e: String| format!("class `{}`: {e}", raw.name);
    ensure(is_name(&raw.name), || at(NAME_RULE.into()))?;
    let threshold = share("mask.threshold", raw.mask.threshold).map_err(at)?;
    let hysteresis = raw
        .mask
        .hysteresis
        .map(|h| share("mask.hysteresis", h))
        .transpose()
        .map_err(at)?;
    ensure(hysteresis.is_none_or(|h| h <= threshold), || {
        at("mask.hysteresis is greater than mask.threshold".into())
    })?;
    ensure((0.0..=0.1).contains(&raw.mask.closing), || {
        at("mask.closing: expected 0 to 0.1".into())
    })?;
    ensure((0.0..=1.0).contains(&raw.mask.area_min), || {
        at("mask.area_min: expected 0 to 1".into())
    })?;
    let grid = raw.mask.grid.unwrap_or(CANVAS_SIDE);
    ensure((GRID_MIN..=CANVAS_SIDE_MAX).contains(&grid), || {
        at(format!(
            "mask.grid is {grid}, expected {GRID_MIN} to {CANVAS_SIDE_MAX}"
        ))
    })?;
    Ok(ClassSpec {
        colour: colour(&raw.colour).map_err(at)?,
        report: match raw.report {
            raw::Report::Always => Report::Always,
            raw::Report::Uncovered => Report::Uncovered,
            raw::Report::OnRequest => Report::OnRequest,
        },
        policy: MaskPolicy {
            threshold,
            hysteresis,
            closing: raw.mask.closing,
            area_min: raw.mask.area_min,
            grid,
        },
        name: raw.name,
    })
}

fn colour(text: &str) -> Result<[u8; 3], String> {
    let bad = || format!("colour `{text}`: expected #rrggbb");
    let digits = text.strip_prefix('#').filter(|d| d.len() == 6).ok_or_else(bad)?;
    let value = u32::from_str_radix(digits, 16).map_err(|_| bad())?;
    let [_, r, g, b] = value.to_be_bytes();
    Ok([r, g, b])
}

fn quality(raw: &raw::Quality) -> Result<QualityPolicy, String> {
    let base = QualityPolicy::default();
    let policy = QualityPolicy {
        sharpness_min: raw.sharpness_min.unwrap_or(base.sharpness_min),
        luma_min: raw.luma_min.unwrap_or(base.luma_min),
        luma_max: raw.luma_max.unwrap_or(base.luma_max),
        clipped_max: raw.clipped_max.unwrap_or(base.clipped_max),
    };
    ensure(policy.sharpness_min >= 0.0, || {
        "quality.sharpness_min is negative".into()
    })?;
    ensure(
        0.0 <= policy.luma_min && policy.luma_min < policy.luma_max && policy.luma_max <= 255.0,
        || "quality: expected 0 <= luma_min < luma_max <= 255".into(),
    )?;
    share("quality.clipped_max", policy.clipped_max)?;
    Ok(policy)
}

fn decoding(raw: &raw::Decode) -> Result<Decoding, String> {
    Ok(Decoding {
        screening: match raw.screening {
            raw::ScreeningDecode::Auto => ScreeningDecode::Auto,
            raw::ScreeningDecode::Small => ScreeningDecode::Small,
            raw::ScreeningDecode::Shared => ScreeningDecode::Shared,
        },
        suspect_share: share("decode.suspect_share", raw.suspect_share.unwrap_or(SUSPECT_SHARE))?,
    })
}

fn network(raw: raw::Network, class: &dyn Fn(&str) -> Option<usize>) -> Result<NetworkSpec, String> {
    ensure(is_name(&raw.name), || NAME_RULE.into())?;
    file_name(&raw.file)?;
    let sha256 = digest(&raw.sha256)?;
    let data = data_files(raw.data, &raw.file).map_err(|e| format!("data: {e}"))?;
    let tiling = raw.tiling.map(|t| tiling(&t)).transpose()?;
    ensure(
        tiling.is_none() || matches!(raw.role, raw::Role::Segmenter),
        || "tiling is for segmenters only".into(),
    )?;
    let head = head(raw.role, &raw.output, class).map_err(|e| format!("output: {e}"))?;
    let output_tensors = match (&head, raw.output.tensor) {
        (Head::Instances(form), None) => form.tensors(),
        (Head::Instances(_), Some(_)) => {
            return Err(
                "output: tensor does not belong to instances: their tensors are named in rows and masks"
                    .into(),
            );
        }
        (_, Some(tensor)) => vec![tensor],
        (_, None) => return Err("output: tensor is missing: the name of the output".into()),
    };
    ensure(tiling.is_none() || !matches!(head, Head::Instances(_)), || {
        "tiling is for maps: an instance that lies in two tiles would be found twice".into()
    })?;
    Ok(NetworkSpec {
        input: input(&raw.input)?,
        activation: activation(raw.output.activation),
        head,
        constants: constants(raw.input.constants)?,
        region: match raw.region {
            raw::Region::Photo => Region::Photo,
            raw::Region::Vehicle => Region::Vehicle,
        },
        name: raw.name,
        file: raw.file,
        sha256,
        data,
        input_tensor: raw.input.tensor,
        output_tensors,
        tiling,
    })
}

fn file_name(name: &str) -> Result<(), String> {
    ensure(is_name(name), || {
        format!("file `{name}`: expected a plain file name in the bundle folder")
    })
}

fn digest(text: &str) -> Result<String, String> {
    let digest = text.to_ascii_lowercase();
    ensure(
        digest.len() == 64 && digest.bytes().all(|b| b.is_ascii_hexdigit()),
        || "sha256: expected 64 hexadecimal digits".into(),
    )?;
    Ok(digest)
}

fn data_files(raw: Vec<raw::Data>, graph: &str) -> Result<Vec<DataFile>, String> {
    ensure(raw.len() <= DATA_FILES_MAX, || {
        format!("{} files, at most {DATA_FILES_MAX}", raw.len())
    })?;
    unique("file", raw.iter().map(|d| d.file.as_str()).chain([graph]))?;
    raw.into_iter()
        .map(|data| {
            file_name(&data.file)?;
            Ok(DataFile {
                sha256: digest(&data.sha256)?,
                file: data.file,
            })
        })
        .collect()
}

fn constants(raw: BTreeMap<String, Vec<i64>>) -> Result<Vec<(String, Vec<i64>)>, String> {
    ensure(raw.len() <= CONSTANTS_MAX, || {
        format!("input.constants: at most {CONSTANTS_MAX}")
    })?;
    for (tensor, values) in &raw {
        ensure((1..=CONSTANT_VALUES_MAX).contains(&values.len()), || {
            format!(
                "input.constants: `{tensor}` has {} values, expected 1 to {CONSTANT_VALUES_MAX}",
                values.len()
            )
        })?;
    }
    Ok(raw.into_iter().collect())
}

fn input(raw: &raw::Input) -> Result<InputSpec, String> {
    for side in [raw.width, raw.height] {
        ensure((1..=INPUT_SIDE_MAX).contains(&side), || {
            format!("input: {side} pixels a side, expected 1 to {INPUT_SIDE_MAX}")
        })?;
    }
    ensure(raw.fill.is_none() || raw.resize == raw::Resize::Letterbox, || {
        "input.fill goes with resize = \"letterbox\"".into()
    })?;
    let std = raw.std.unwrap_or([1.0; 3]);
    ensure(std.iter().all(|s| s.is_finite() && *s != 0.0), || {
        "input.std must not be 0".into()
    })?;
    let mean = raw.mean.unwrap_or([0.0; 3]);
    ensure(mean.iter().all(|m| m.is_finite()), || {
        "input.mean: expected finite numbers".into()
    })?;
    Ok(InputSpec {
        size: Size::new(raw.width, raw.height),
        resize: match raw.resize {
            raw::Resize::Stretch => Resize::Stretch,
            raw::Resize::Letterbox => Resize::Letterbox {
                fill: raw.fill.unwrap_or(114),
            },
            raw::Resize::Crop => Resize::Crop,
        },
        filter: match raw.filter {
            raw::Filter::Bilinear => Filter::Bilinear,
            raw::Filter::Pillow => Filter::Pillow,
            raw::Filter::Linear => Filter::Linear,
            raw::Filter::Interpolate => Filter::Interpolate,
            raw::Filter::Area => Filter::Area,
        },
        channels: match raw.channels {
            raw::Channels::Rgb => ChannelOrder::Rgb,
            raw::Channels::Bgr => ChannelOrder::Bgr,
        },
        layout: match raw.layout {
            raw::Layout::Nchw => Layout::Nchw,
            raw::Layout::Nhwc => Layout::Nhwc,
        },
        element: match raw.element {
            raw::Element::F32 => Element::F32,
            raw::Element::F16 => Element::F16,
            raw::Element::U8 => Element::U8,
        },
        scale: raw.scale.unwrap_or(1.0),
        mean,
        std,
    })
}

fn tiling(raw: &raw::Tiling) -> Result<Tiling, String> {
    ensure((1..=TILES_MAX).contains(&raw.tiles_long_side), || {
        format!("tiling.tiles_long_side: expected 1 to {TILES_MAX}")
    })?;
    ensure((0.0..=0.9).contains(&raw.overlap), || {
        "tiling.overlap: expected 0 to 0.9".into()
    })?;
    Ok(Tiling {
        tiles_long_side: raw.tiles_long_side,
        overlap: raw.overlap,
    })
}

fn roles(networks: &[NetworkSpec]) -> Result<(), String> {
    let count = |role| networks.iter().filter(|n| n.role() == role).count();
    ensure(count(Role::Locator) <= 1, || "more than one locator".into())?;
    ensure(count(Role::Segmenter) >= 1, || {
        "no segmenter: nothing would find damage".into()
    })?;
    if let Some(n) = networks.iter().find(|n| n.region == Region::Vehicle) {
        ensure(count(Role::Locator) == 1, || {
            format!("network `{}`: region = \"vehicle\" needs a locator", n.name)
        })?;
        ensure(n.role() != Role::Locator, || {
            "a locator sees the whole photo".into()
        })?;
    }
    Ok(())
}

fn self_test(raw: raw::SelfTest, class: &dyn Fn(&str) -> Option<usize>) -> Result<SelfTestSpec, String> {
    ensure(is_name(&raw.picture), || {
        "self_test.picture: expected a plain file name in the bundle folder".into()
    })?;
    ensure(raw.tolerance > 0.0 && raw.tolerance <= 0.5, || {
        "self_test.tolerance: expected more than 0, at most 0.5".into()
    })?;
    let gate = raw.gate.map(|g| share("self_test.gate", g)).transpose()?;
    let classes = raw
        .classes
        .iter()
        .map(|(name, mean)| {
            let index = class(name).ok_or_else(|| {
                format!(
                    "self_test.classes: `{name}` is not a class of the \
                                                           bundle"
                )
            })?;
            Ok((index, share("self_test.classes", *mean)?))
        })
        .collect::<Result<Vec<_>, String>>()?;
    ensure(gate.is_some() || !classes.is_empty(), || {
        "self_test expects nothing".into()
    })?;
    Ok(SelfTestSpec {
        picture: raw.picture,
        tolerance: raw.tolerance,
        gate,
        classes,
    })
}
