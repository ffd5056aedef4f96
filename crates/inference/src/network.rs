//! One network: a session whose tensors match its description, run in batches of a few fixed sizes.
//!
//! Its tensors are bound to the session: the input is prepared in, and the output arrives in, memory that the device
//! reads and writes by itself (`memory.rs`). On a processor that means without a copy, on a GPU with one each way.

mod input;
mod memory;

use crate::bundle::BundleFile;
use crate::error::{BundleError, EngineError};
use crate::manifest::{Activation, Head, LocatorForm, MapLayout, NetworkSpec};
use crate::outputs::Raw;
use crate::runtime::{ActiveDevice, Runtime, first_line};
use input::element_type;
pub(crate) use input::{Input, View};
use memory::Places;
use ort::memory::{Allocator, MemoryInfo};
use ort::session::{IoBinding, Session};
use ort::value::{DynValue, Outlet, TensorElementType, ValueType};
use walkaround_domain::UnitRect;
use walkaround_vision::tensor::{Layout, TensorData, prepare};

/// Batch sizes that sessions see. A few fixed sizes keep GPU memory from creeping: the arena grows once for
/// each shape.
pub const BATCH_BUCKETS: [usize; 5] = [1, 2, 4, 8, 16];

pub(crate) struct Network {
    pub(crate) spec: NetworkSpec,
    session: Session,
    binding: IoBinding,
    /// Where outputs are to arrive.
    output: MemoryInfo<'static>,
    /// Batch sizes in use: all buckets, or the one that the graph fixes.
    buckets: Vec<usize>,
    device: ActiveDevice,
    /// Which of the engine's inputs is this network's.
    pub(crate) input: usize,
}

impl Network {
    /// The network, and an allocator for the input of this one and of others that want to see the same.
    pub(crate) fn load(
        runtime: &Runtime,
        device: ActiveDevice,
        threads: usize,
        spec: &NetworkSpec,
        file: &BundleFile,
    ) -> Result<(Self, Allocator), EngineError> {
        let bad = |message: String| BundleError::Network {
            network: spec.name.clone(),
            message,
        };
        let session = runtime
            .builder(device, threads)
            .and_then(|mut b| b.commit_from_memory(&file.bytes))
            .map_err(|e| bad(first_line(&e.to_string())))?;
        let batch = check_input(spec, session.inputs()).map_err(bad)?;
        check_output(spec, session.outputs()).map_err(bad)?;
        let buckets = batch.map_or_else(|| BATCH_BUCKETS.to_vec(), |fixed| vec![fixed]);
        let binding = session
            .create_binding()
            .map_err(|e| bad(first_line(&e.to_string())))?;
        let Places { input, output } = Places::of(&session, device);
        let network = Self {
            spec: spec.clone(),
            session,
            binding,
            output,
            buckets,
            device,
            input: 0,
        };
        Ok((network, input))
    }

    pub(crate) fn outlets(&self) -> (&[Outlet], &[Outlet]) {
        (self.session.inputs(), self.session.outputs())
    }

    /// What the network is given for one view, widened to 32 bits: `3 * height * width` values in the
    /// network's own layout.
    pub(crate) fn prepared(&self, view: &View<'_>) -> Vec<f32> {
        let input = &self.spec.input;
        let mut data = TensorData::new(input.element, input.slot_len());
        prepare(view.photo, view.region, input, data.slot(0, input.slot_len()));
        match data {
            TensorData::F32(values) => values,
            TensorData::F16(values) => values.iter().map(|v| v.to_f32()).collect(),
            TensorData::U8(values) => values.iter().map(|v| f32::from(*v)).collect(),
        }
    }

    /// Runs the network over all views; `each` gets the index of a view and its part of the output.
    ///
    /// `input` is of this network's own description.
    pub(crate) fn run(
        &mut self,
        input: &mut Input,
        views: &[View<'_>],
        each: &mut dyn FnMut(usize, &Raw<'_>) -> Result<(), String>,
    ) -> Result<(), EngineError> {
        let name = self.spec.name.clone();
        let mut done = 0;
        while done < views.len() {
            let bucket = self.bucket(views.len() - done);
            let end = views.len().min(done + bucket);
            self.run_chunk(input, &views[done..end], bucket, &mut |i, raw| {
                each(done + i, raw)
            })
            .map_err(|cause| EngineError::Run {
                network: name.clone(),
                cause: first_line(&cause),
            })?;
            done = end;
        }
        Ok(())
    }

    /// Slots of the next batch when so many views are left.
    ///
    /// A GPU takes hardly longer for a slot that nobody fills than for one run more; a processor takes as long
    /// as for a photo, so there batches are full as far as the graph allows.
    fn bucket(&self, left: usize) -> usize {
        let above = self.buckets.iter().copied().find(|&b| b >= left);
        let within = self.buckets.iter().copied().rfind(|&b| b <= left);
        let wanted = match self.device {
            ActiveDevice::Cpu => within.or(above),
            ActiveDevice::Cuda => above.or(within),
        };
        wanted.unwrap_or(left)
    }

    fn run_chunk(
        &mut self,
        input: &mut Input,
        views: &[View<'_>],
        bucket: usize,
        each: &mut dyn FnMut(usize, &Raw<'_>) -> Result<(), String>,
    ) -> Result<(), String> {
        let text = |e: ort::Error| e.to_string();
        let (batch, covers) = input.fill(views, bucket).map_err(text)?;
        let Self { spec, binding, .. } = self;
        // Bound again for every run: that is what copies the input to a GPU, and an output that is kept would have to be
        // of the same shape.
        binding.bind_input(&spec.input_tensor, batch).map_err(text)?;
        binding
            .bind_output_to_device(&spec.output_tensor, &self.output)
            .map_err(text)?;
        binding.synchronize_inputs().map_err(text)?;
        let outputs = self.session.run_binding(binding).map_err(text)?;
        binding.synchronize_outputs().map_err(text)?;
        let output = outputs.get(&spec.output_tensor).ok_or("the output is missing")?;
        let taken = split(output, bucket, &covers, each);
        drop(outputs);
        // Otherwise a GPU would keep the copy of the input between two runs.
        binding.clear();
        taken
    }
}

/// Hands each view its part of a batch output.
fn split(
    output: &DynValue,
    bucket: usize,
    covers: &[UnitRect],
    each: &mut dyn FnMut(usize, &Raw<'_>) -> Result<(), String>,
) -> Result<(), String> {
    let widened: Vec<f32>;
    let (shape, values): (&[i64], &[f32]) = match output.dtype() {
        ValueType::Tensor {
            ty: TensorElementType::Float16,
            ..
        } => {
            let (shape, values) = output
                .try_extract_tensor::<half::f16>()
                .map_err(|e| e.to_string())?;
            widened = values.iter().map(|v| v.to_f32()).collect();
            (shape, &widened)
        }
        _ => {
            let (shape, values) = output.try_extract_tensor::<f32>().map_err(|e| e.to_string())?;
            (shape, values)
        }
    };
    let dims: Vec<usize> = shape.iter().map(|&d| usize::try_from(d).unwrap_or(0)).collect();
    let Some((&n, inner)) = dims.split_first() else {
        return Err("the output is a scalar".into());
    };
    if n != bucket {
        return Err(format!("the output has {n} rows for a batch of {bucket}"));
    }
    let size: usize = inner.iter().product();
    for (i, covers) in covers.iter().enumerate() {
        each(
            i,
            &Raw {
                shape: inner,
                values: &values[i * size..(i + 1) * size],
                covers: *covers,
            },
        )?;
    }
    Ok(())
}

fn find<'a>(
    what: &str,
    wanted: &str,
    outlets: &'a [Outlet],
) -> Result<(&'a TensorElementType, &'a [i64]), String> {
    let outlet = outlets.iter().find(|o| o.name() == wanted).ok_or_else(|| {
        let names: Vec<&str> = outlets.iter().map(Outlet::name).collect();
        format!("no {what} tensor `{wanted}`; the graph has: {}", names.join(", "))
    })?;
    match outlet.dtype() {
        ValueType::Tensor { ty, shape, .. } => Ok((ty, shape)),
        other => Err(format!("{what} `{wanted}` is no tensor but {other}")),
    }
}

/// The fixed batch size of the graph, if it has one.
fn check_input(spec: &NetworkSpec, inputs: &[Outlet]) -> Result<Option<usize>, String> {
    let (ty, shape) = find("input", &spec.input_tensor, inputs)?;
    if inputs.len() != 1 {
        return Err(format!("the graph has {} inputs, expected one", inputs.len()));
    }
    let wanted = element_type(spec.input.element);
    if *ty != wanted {
        return Err(format!(
            "input `{}` takes {ty:?}, the manifest says {wanted:?}",
            spec.input_tensor
        ));
    }
    let (h, w) = (
        i64::from(spec.input.size.height),
        i64::from(spec.input.size.width),
    );
    let expected = match spec.input.layout {
        Layout::Nchw => [-1, 3, h, w],
        Layout::Nhwc => [-1, h, w, 3],
    };
    let fits = shape.len() == 4 && shape.iter().zip(expected).skip(1).all(|(&s, e)| s < 0 || s == e);
    if !fits {
        return Err(format!(
            "input `{}` is {shape:?}, the manifest says {expected:?}",
            spec.input_tensor
        ));
    }
    match shape[0] {
        n if n < 0 => Ok(None),
        n if (1..=64).contains(&n) => Ok(Some(n as usize)),
        n => Err(format!(
            "the graph fixes a batch of {n}, expected 1 to 64 or a free dimension"
        )),
    }
}

fn check_output(spec: &NetworkSpec, outputs: &[Outlet]) -> Result<(), String> {
    let (ty, shape) = find("output", &spec.output_tensor, outputs)?;
    if !matches!(ty, TensorElementType::Float32 | TensorElementType::Float16) {
        return Err(format!(
            "output `{}` is {ty:?}, expected Float32 or Float16",
            spec.output_tensor
        ));
    }
    if shape.is_empty() {
        // The graph does not declare a shape: the first run (the self-test) shows it.
        return Ok(());
    }
    let wrong = |expected: &str| {
        Err(format!(
            "output `{}` is {shape:?}, expected {expected}",
            spec.output_tensor
        ))
    };
    match &spec.head {
        Head::Gate { positive, .. } => {
            let channels = if shape.len() == 1 { 1 } else { shape[1] };
            let most = positive.iter().copied().max().unwrap_or(0) as i64;
            if shape.len() > 2 || (channels >= 0 && most >= channels) {
                return wrong(&format!("[n, channels] with a channel {most}"));
            }
            if spec.activation == Activation::Softmax && channels == 1 {
                return Err("softmax over one channel is always 1: use sigmoid".into());
            }
        }
        Head::Segmenter { channels, layout } => {
            let axis = if *layout == MapLayout::Nchw { 1 } else { 3 };
            let count = channels.len() as i64;
            match shape.len() {
                3 if count == 1 => {}
                4 if shape[axis] < 0 || shape[axis] == count => {}
                _ => return wrong(&format!("four axes with {count} channels")),
            }
        }
        Head::Locator {
            form: LocatorForm::Boxes,
            ..
        } => {
            if shape.len() != 3 || (shape[2] >= 0 && shape[2] != 5) {
                return wrong("[n, k, 5]");
            }
        }
        Head::Locator {
            form: LocatorForm::Map,
            ..
        } => {
            if !(shape.len() == 3 || shape.len() == 4 && matches!(shape[1], -1 | 1)) {
                return wrong("[n, 1, h, w]");
            }
        }
    }
    Ok(())
}
