//! A graph as ONNX Runtime sees it, and what it gives for drawn pictures.

use super::hugging_face::HuggingFace;
use super::metadata::{Ultralytics, ultralytics};
use super::onnx_file::{Ending, OnnxFile};
use super::spelling::spelt;
use crate::bundle::{BundleFile, NETWORK_BYTES_MAX, hex_sha256, read};
use crate::manifest::INPUT_SIDE_MAX;
use crate::network::{Constant, Wide, session};
use crate::outputs::require_finite;
use crate::runtime::{ActiveDevice, Runtime, first_line};
use half::f16;
use ort::session::{Session, SessionInputValue};
use ort::value::{DynTensor, Outlet, Tensor, TensorElementType, ValueType};
use std::collections::BTreeMap;
use std::path::{Component, Path};
use walkaround_vision::tensor::{Element, Layout};

/// Drawn pictures that a graph is run on.
const PICTURES: usize = 3;
/// Threads for these runs.
const THREADS: usize = 2;
/// How far from 1 the shares of a softmax may add up, and from 0 to 1 a probability may lie: half precision.
const ROUNDING: f32 = 5e-3;

/// A graph, its files, its tensors.
#[derive(Debug)]
pub(super) struct Graph {
    /// The file and its files of weights.
    pub file: BundleFile,
    /// The input for the picture.
    pub picture: Picture,
    /// Other inputs, with the values they are given.
    pub constants: Vec<(String, Vec<i64>)>,
    /// Its outputs, in the graph's order.
    pub outputs: Vec<Output>,
    /// Outputs of types that are not read: name and type.
    pub unread: Vec<(String, String)>,
    /// What an Ultralytics export says of itself.
    pub ultralytics: Option<Ultralytics>,
    /// What Hugging Face's exporters left beside it.
    pub hugging_face: HuggingFace,
}

/// The input for the picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Picture {
    pub tensor: String,
    pub element: Element,
    pub layout: Layout,
    pub width: u32,
    pub height: u32,
    shape: Vec<usize>,
}

/// One output, as it came for the drawn pictures.
#[derive(Debug)]
pub(super) struct Output {
    pub name: String,
    /// Whether it holds whole numbers.
    pub whole: bool,
    pub shape: Vec<usize>,
    /// Least and largest value over all pictures.
    pub low: f32,
    pub high: f32,
    pub ending: Ending,
    /// Of the last picture.
    values: Vec<f32>,
}

impl Output {
    /// Length of an axis; 0 where there is none.
    pub(super) fn axis(&self, at: usize) -> usize {
        self.shape.get(at).copied().unwrap_or(0)
    }

    /// Length of the last axis.
    pub(super) fn last(&self) -> usize {
        self.shape.last().copied().unwrap_or(0)
    }

    /// Whether all values could be probabilities.
    pub(super) fn is_within_one(&self) -> bool {
        self.low >= -ROUNDING && self.high <= 1.0 + ROUNDING
    }

    /// Whether the values along an axis add up to 1 everywhere.
    pub(super) fn adds_up(&self, axis: usize) -> bool {
        let (count, inner) = (
            self.axis(axis),
            self.shape.iter().skip(axis + 1).product::<usize>(),
        );
        if count < 2 || inner == 0 || self.values.is_empty() {
            return false;
        }
        (0..self.values.len() / (count * inner)).all(|outer| {
            (0..inner).all(|at| {
                let along = (0..count).map(|k| self.values[(outer * count + k) * inner + at]);
                (along.sum::<f32>() - 1.0).abs() < ROUNDING
            })
        })
    }
}

impl Graph {
    /// Names of its classes, as the exporter left them.
    pub(super) fn names(&self) -> Option<&[String]> {
        let written = self.ultralytics.as_ref().map(|u| &u.names);
        written.or(self.hugging_face.names.as_ref()).map(Vec::as_slice)
    }

    /// Loads a graph and runs it. `size` is width and height, for a graph that leaves them free.
    ///
    /// # Errors
    /// One line without the file's name: what is wrong, what to do.
    pub(super) fn load(runtime: &Runtime, path: &Path, size: Option<[u32; 2]>) -> Result<Self, String> {
        let bytes = read(path, NETWORK_BYTES_MAX).map_err(|error| error.to_string())?;
        let onnx = OnnxFile::read(&bytes)?;
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let mut file = bundle_file(&plain_name(&name), bytes);
        file.data = weights(path, &onnx.data)?;
        let mut session = session(runtime, ActiveDevice::Cpu, THREADS, &file)?;
        let ultralytics = ultralytics(&metadata(&session)?)?;
        let size = size.or(ultralytics.as_ref().and_then(|u| u.size.map(|[h, w]| [w, h])));
        let picture = picture(session.inputs(), size)?;
        let constants = constants(session.inputs(), &picture)?;
        let outputs = probe(&mut session, &picture, &constants, &onnx)?;
        let is_read = |name: &str| outputs.iter().any(|output| output.name == name);
        let others = session.outputs().iter().filter(|o| !is_read(o.name()));
        let unread = others
            .map(|o| (o.name().to_owned(), o.dtype().to_string()))
            .collect();
        Ok(Self {
            file,
            picture,
            constants,
            outputs,
            unread,
            ultralytics,
            hugging_face: HuggingFace::beside(path)?,
        })
    }
}

/// Longest stem of a file in the bundle: names have at most 64 bytes, and two of one name get a role and a number.
const STEM_MAX: usize = 40;

/// The name of a graph's copy in the bundle: in the alphabet of the manifest, whatever a browser or a person called it.
fn plain_name(name: &str) -> String {
    let stem = spelt(name.strip_suffix(".onnx").unwrap_or(name));
    let stem = stem.trim_matches('_');
    let stem = if stem.is_empty() { "network" } else { stem };
    format!("{}.onnx", &stem[..stem.len().min(STEM_MAX)])
}

fn bundle_file(name: &str, bytes: Vec<u8>) -> BundleFile {
    BundleFile {
        name: name.to_owned(),
        sha256: hex_sha256(&bytes),
        bytes: bytes.into(),
        data: Vec::new(),
    }
}

/// The files of weights, which lie beside the graph.
fn weights(graph: &Path, names: &[String]) -> Result<Vec<BundleFile>, String> {
    let one = |name: &String| {
        let mut parts = Path::new(name).components();
        if !matches!((parts.next(), parts.next()), (Some(Component::Normal(_)), None)) {
            return Err(format!(
                "its weights are in `{name}`, outside of its folder; export it with external_data=False, or with the \
                 weights beside it"
            ));
        }
        let path = graph.with_file_name(name);
        let bytes = read(&path, NETWORK_BYTES_MAX).map_err(|error| {
            format!(
                "its weights are in a file of their own, `{name}`: {error}; copy it beside the graph, or export with \
                 external_data=False"
            )
        })?;
        Ok(bundle_file(name, bytes))
    };
    names.iter().map(one).collect()
}

fn metadata(session: &Session) -> Result<BTreeMap<String, String>, String> {
    let text = |e: ort::Error| first_line(&e.to_string());
    let metadata = session.metadata().map_err(text)?;
    let keys = metadata.custom_keys().map_err(text)?;
    let pair = |key: String| metadata.custom(&key).map(|value| (key, value));
    Ok(keys.into_iter().filter_map(pair).collect())
}

fn tensor(outlet: &Outlet) -> Option<(TensorElementType, &[i64])> {
    match outlet.dtype() {
        ValueType::Tensor { ty, shape, .. } => Some((*ty, shape)),
        _ => None,
    }
}

/// The input that a picture fits.
fn picture(inputs: &[Outlet], size: Option<[u32; 2]>) -> Result<Picture, String> {
    let fitting = inputs.iter().find_map(|input| {
        let (ty, shape) = tensor(input)?;
        let element = match ty {
            TensorElementType::Float32 => Element::F32,
            TensorElementType::Float16 => Element::F16,
            TensorElementType::Uint8 => Element::U8,
            _ => return None,
        };
        let axes = match shape.len() {
            3 => shape,
            4 => &shape[1..],
            _ => return None,
        };
        let layout = match axes {
            [3, ..] => Layout::Nchw,
            [.., 3] => Layout::Nhwc,
            [c, ..] if *c < 0 => Layout::Nchw,
            _ => return None,
        };
        Some((input.name(), element, shape, axes, layout))
    });
    let Some((name, element, shape, axes, layout)) = fitting else {
        let all: Vec<String> = inputs
            .iter()
            .map(|input| format!("{} {}", input.name(), input.dtype()))
            .collect();
        return Err(format!(
            "it has no input for a picture of three channels ([n, 3, height, width] or [n, height, width, 3], f32, f16 or \
             u8); its inputs: {}; export it with the picture as its input",
            all.join(", ")
        ));
    };
    let (h, w) = match layout {
        Layout::Nchw => (axes[1], axes[2]),
        Layout::Nhwc => (axes[0], axes[1]),
    };
    let side = |declared: i64, asked: Option<u32>| u32::try_from(declared).ok().filter(|&d| d > 0).or(asked);
    let (Some(width), Some(height)) = (side(w, size.map(|s| s[0])), side(h, size.map(|s| s[1]))) else {
        return Err(
            "it takes pictures of any size; say which size it was trained with: --size 640x640".into(),
        );
    };
    require_size(width, height)?;
    let sides = match layout {
        Layout::Nchw => [3, height as usize, width as usize],
        Layout::Nhwc => [height as usize, width as usize, 3],
    };
    let batch = (shape.len() == 4).then(|| usize::try_from(shape[0]).unwrap_or(1).max(1));
    Ok(Picture {
        tensor: name.to_owned(),
        element,
        layout,
        width,
        height,
        shape: batch.into_iter().chain(sides).collect(),
    })
}

/// Before a picture of that size is drawn.
fn require_size(width: u32, height: u32) -> Result<(), String> {
    if width.max(height) > INPUT_SIDE_MAX {
        return Err(format!(
            "its input is {width} x {height} pixels, at most {INPUT_SIDE_MAX} a side are read: export it for a smaller size, or \
             give one it takes: --size 640x640"
        ));
    }
    Ok(())
}

/// Values for the other inputs: RT-DETR and D-FINE want the size that their boxes are to be in.
fn constants(inputs: &[Outlet], picture: &Picture) -> Result<Vec<(String, Vec<i64>)>, String> {
    let others = inputs.iter().filter(|input| input.name() != picture.tensor);
    others
        .map(|input| match tensor(input) {
            Some((TensorElementType::Int64 | TensorElementType::Int32 | TensorElementType::Float32, [.., 2]))
                if input.name().contains("size") =>
            {
                let values = vec![i64::from(picture.width), i64::from(picture.height)];
                Ok((input.name().to_owned(), values))
            }
            _ => Err(format!(
                "it has another input, `{}` ({}), of which nothing is known; export it with the picture as its only input",
                input.name(),
                input.dtype()
            )),
        })
        .collect()
}

/// Runs the graph on drawn pictures: what it does not declare shows itself.
fn probe(
    session: &mut Session,
    picture: &Picture,
    constants: &[(String, Vec<i64>)],
    onnx: &OnnxFile,
) -> Result<Vec<Output>, String> {
    let text = |e: ort::Error| {
        format!(
            "it does not run on a drawn picture: {}",
            first_line(&e.to_string())
        )
    };
    let given = |(name, values): &(String, Vec<i64>)| Constant::of(name, values, session.inputs());
    let constants = constants.iter().map(given).collect::<Result<Vec<_>, _>>()?;
    let batch = if picture.shape.len() == 4 {
        picture.shape[0]
    } else {
        1
    };
    let names: Vec<String> = session.outputs().iter().map(|o| o.name().to_owned()).collect();
    let mut outputs: Vec<Output> = Vec::new();
    for which in 0..PICTURES {
        let mut given: Vec<(String, SessionInputValue<'_>)> = vec![(
            picture.tensor.clone(),
            drawn(picture, which).map_err(text)?.into(),
        )];
        for constant in &constants {
            let value = constant.tensor(batch).map_err(text)?;
            given.push((constant.name.clone(), value.into()));
        }
        let ran = session.run(given).map_err(text)?;
        for name in &names {
            let Some(Ok(wide)) = ran.get(name).map(Wide::of) else {
                continue;
            };
            let whole = ran.get(name).is_some_and(|value| is_whole(value.dtype()));
            let (shape, values) = wide.into_parts();
            require_finite(name, &values)?;
            let low = values.iter().copied().fold(f32::INFINITY, f32::min);
            let high = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            match outputs.iter_mut().find(|output| output.name == *name) {
                Some(known) => {
                    (known.low, known.high) = (known.low.min(low), known.high.max(high));
                    (known.shape, known.values) = (shape, values);
                }
                None => outputs.push(Output {
                    name: name.clone(),
                    whole,
                    shape,
                    low,
                    high,
                    ending: onnx.ending(name),
                    values,
                }),
            }
        }
    }
    Ok(outputs)
}

fn is_whole(dtype: &ValueType) -> bool {
    use TensorElementType::{Int32, Int64, Uint8};
    matches!(
        dtype,
        ValueType::Tensor {
            ty: Int64 | Int32 | Uint8,
            ..
        }
    )
}

/// A drawn picture: a slope, a checked pattern, or plain grey; floats from 0 to 1.
fn drawn(picture: &Picture, which: usize) -> ort::Result<DynTensor> {
    let count = picture.shape.iter().product();
    let row = picture.width as usize;
    let sample = |at: usize| match which {
        0 => (at % row * 255 / row) as u8,
        1 => ((at ^ (at / row)) * 37) as u8,
        _ => 114,
    };
    let shape = picture.shape.clone();
    let samples = (0..count).map(sample);
    Ok(match picture.element {
        Element::F32 => {
            let values: Vec<f32> = samples.map(|v| f32::from(v) / 255.0).collect();
            Tensor::from_array((shape, values))?.upcast()
        }
        Element::F16 => {
            let values: Vec<f16> = samples.map(|v| f16::from_f32(f32::from(v) / 255.0)).collect();
            Tensor::from_array((shape, values))?.upcast()
        }
        Element::U8 => Tensor::from_array((shape, samples.collect::<Vec<u8>>()))?.upcast(),
    })
}
