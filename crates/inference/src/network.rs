//! One network: a session whose tensors match its description, run in batches of a few fixed sizes.
//!
//! Its tensors are bound to the session: the input is prepared in, and the output arrives in, memory that the device
//! reads and writes by itself (`memory.rs`). On a processor that means without a copy, on a GPU with one each way.

mod check;
mod features;
mod input;
mod memory;
mod outputs;
mod unread;

use crate::bundle::BundleFile;
use crate::error::{BundleError, EngineError};
use crate::manifest::{Head, NetworkSpec};
use crate::outputs::{Raw, require_finite};
use crate::runtime::{ActiveDevice, Runtime, first_line};
use crate::shared_encoder::{Feature, SharedEncoder};
pub(crate) use check::Constant;
use check::{Batch, check_constants, check_input, check_outputs};
pub(crate) use features::Encoded;
pub(crate) use input::{Input, View};
use memory::Places;
use ort::memory::{Allocator, MemoryInfo};
use ort::session::{IoBinding, Session};
use ort::value::Outlet;
pub(crate) use outputs::Wide;
use std::ops::Range;
use std::sync::Arc;
pub(crate) use unread::unread_objects;
use walkaround_domain::UnitRect;
use walkaround_vision::tensor::{TensorData, prepare};

/// Batch sizes that sessions see. A few fixed sizes keep GPU memory from creeping: the arena grows once for
/// each shape.
pub const BATCH_BUCKETS: [usize; 5] = [1, 2, 4, 8, 16];

/// What is done with the outputs of one view: its index, and its part of each output that the manifest names.
pub(crate) type Each<'a> = &'a mut dyn FnMut(usize, &[Raw<'_>]) -> Result<(), String>;

/// What is done with a batch: by its network, with which views, and in how many slots.
type OneBatch<'a> = &'a mut dyn FnMut(&mut Network, Range<usize>, usize) -> Result<(), String>;

pub(crate) struct Network {
    pub(crate) spec: NetworkSpec,
    session: Session,
    binding: IoBinding,
    /// Where outputs are to arrive.
    output: MemoryInfo<'static>,
    /// Batch sizes in use: all buckets, or the one that the graph fixes.
    buckets: Vec<usize>,
    /// Other inputs: name, element type, number of axes, values.
    constants: Vec<Constant>,
    device: ActiveDevice,
    /// Which of the engine's inputs is this network's.
    pub(crate) input: usize,
    /// Whether its input has a batch axis.
    pub(crate) batched: bool,
    /// What it hands over to a segmenter that goes on from there.
    hands_over: Vec<Feature>,
    /// What it goes on from instead of an input of its own, and the axes of each.
    takes: Vec<(Feature, Vec<i64>)>,
    /// Whether a run keeps what it hands over.
    pub(crate) keeps: bool,
    /// What the last run that kept it handed over, in the order of its views.
    pub(crate) encoded: Vec<Encoded>,
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
        let name = spec.name.clone();
        let bad = |message: String| BundleError::Network {
            network: name.clone(),
            message,
        };
        let session = session(runtime, device, threads, file).map_err(bad)?;
        let batch = check_input(spec, session.inputs()).map_err(bad)?;
        let constants = check_constants(spec, session.inputs()).map_err(bad)?;
        let mut spec = spec.clone();
        let single = check_outputs(&mut spec, session.outputs()).map_err(bad)?;
        let buckets = match batch {
            Batch::Fixed(fixed) => vec![fixed],
            Batch::NoAxis => vec![1],
            Batch::Free if single => vec![1],
            Batch::Free => BATCH_BUCKETS.to_vec(),
        };
        let (mut network, input) = Self::of(session, spec, device).map_err(bad)?;
        network.buckets = buckets;
        network.constants = constants;
        network.batched = batch != Batch::NoAxis;
        Ok((network, input))
    }

    /// A network of any number of photos, without constants.
    fn of(session: Session, spec: NetworkSpec, device: ActiveDevice) -> Result<(Self, Allocator), String> {
        let binding = session.create_binding().map_err(|e| first_line(&e.to_string()))?;
        let Places { input, output } = Places::of(&session, device);
        let network = Self {
            spec,
            session,
            binding,
            output,
            buckets: BATCH_BUCKETS.to_vec(),
            constants: Vec::new(),
            device,
            input: 0,
            batched: true,
            hands_over: Vec::new(),
            takes: Vec::new(),
            keeps: false,
            encoded: Vec::new(),
        };
        Ok((network, input))
    }

    /// A gate, and the segmenter that goes on from what the gate hands over; none where their graphs take a fixed number of
    /// photos, or ONNX Runtime does not take them apart.
    pub(crate) fn load_pair(
        runtime: &Runtime,
        threads: usize,
        specs: [&NetworkSpec; 2],
        shared: SharedEncoder,
    ) -> Result<[(Self, Allocator); 2], String> {
        let device = ActiveDevice::Cpu;
        let (gate_spec, segmenter_spec) = (specs[0], specs[1]);
        let graph = |spec: &NetworkSpec, bytes: &[u8]| BundleFile {
            name: spec.file.clone(),
            sha256: String::new(),
            bytes: bytes.into(),
            data: Vec::new(),
        };
        let file = graph(gate_spec, &shared.gate);
        let gate = Self::load(runtime, device, threads, gate_spec, &file);
        let (mut gate, gate_memory) = gate.map_err(|e| e.to_string())?;
        let features = shared.features.clone();
        let shapes =
            features::shapes(&features, gate.session.outputs()).ok_or("their shapes are not known")?;
        let file = graph(segmenter_spec, &shared.segmenter(&shapes));
        let session = session(runtime, device, threads, &file)?;
        let mut spec = segmenter_spec.clone();
        if check_outputs(&mut spec, session.outputs())? || gate.buckets != BATCH_BUCKETS {
            return Err("they take a fixed number of photos".into());
        }
        let (mut segmenter, memory) = Self::of(session, spec, device)?;
        segmenter.takes = features.iter().cloned().zip(shapes).collect();
        gate.hands_over = features;
        Ok([(gate, gate_memory), (segmenter, memory)])
    }

    pub(crate) fn outlets(&self) -> (&[Outlet], &[Outlet]) {
        (self.session.inputs(), self.session.outputs())
    }

    /// Whether this output is one that the manifest does not know of: it is handed over.
    pub(crate) fn is_handed_over(&self, name: &str) -> bool {
        self.hands_over.iter().any(|feature| feature.name == name)
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

    /// Runs the network over all views; `each` gets the index of a view and its part of every output.
    ///
    /// `input` is of this network's own description.
    pub(crate) fn run(
        &mut self,
        input: &mut Input,
        views: &[View<'_>],
        each: Each<'_>,
    ) -> Result<(), EngineError> {
        if self.keeps {
            self.encoded.clear();
        }
        self.in_batches(views.len(), &mut |network, chunk, bucket| {
            let (batch, covers) = input
                .fill(&views[chunk.clone()], bucket)
                .map_err(|e| e.to_string())?;
            let name = &network.spec.input_tensor;
            network
                .binding
                .bind_input(name, batch)
                .map_err(|e| e.to_string())?;
            network.run_bound(bucket, &covers, &mut |i, raw| each(chunk.start + i, raw))
        })
    }

    /// As [`Network::run`], on what another network handed over for each view.
    pub(crate) fn run_encoded(&mut self, encoded: &[Encoded], each: Each<'_>) -> Result<(), EngineError> {
        self.in_batches(encoded.len(), &mut |network, chunk, bucket| {
            let views = &encoded[chunk.clone()];
            features::bind(&mut network.binding, &network.takes, views, bucket)?;
            let covers: Vec<UnitRect> = views.iter().map(|view| view.covers).collect();
            network.run_bound(bucket, &covers, &mut |i, raw| each(chunk.start + i, raw))
        })
    }

    /// Calls `run` with the views of each batch and its number of slots.
    fn in_batches(&mut self, views: usize, run: OneBatch<'_>) -> Result<(), EngineError> {
        let mut done = 0;
        while done < views {
            let bucket = self.bucket(views - done);
            let end = views.min(done + bucket);
            run(self, done..end, bucket).map_err(|cause| EngineError::Run {
                network: self.spec.name.clone(),
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

    /// Runs a batch whose input is bound.
    fn run_bound(&mut self, bucket: usize, covers: &[UnitRect], each: Each<'_>) -> Result<(), String> {
        let text = |e: ort::Error| e.to_string();
        let Self {
            spec,
            binding,
            constants,
            ..
        } = self;
        // Bound again for every run: that is what copies the input to a GPU, and an output that is kept would have to be
        // of the same shape.
        for constant in &*constants {
            binding
                .bind_input(&constant.name, &constant.tensor(bucket).map_err(text)?)
                .map_err(text)?;
        }
        let handed_over = self.hands_over.iter().filter(|_| self.keeps);
        let names = handed_over.clone().map(|feature| &feature.name);
        for tensor in spec.output_tensors.iter().chain(names) {
            binding
                .bind_output_to_device(tensor, &self.output)
                .map_err(text)?;
        }
        binding.synchronize_inputs().map_err(text)?;
        let outputs = self.session.run_binding(binding).map_err(text)?;
        binding.synchronize_outputs().map_err(text)?;
        let output = |name: &str| outputs.get(name).ok_or("the output is missing");
        let wide = spec
            .output_tensors
            .iter()
            .map(|name| Wide::of(output(name)?))
            .collect::<Result<Vec<_>, String>>()?;
        let taken = split(spec, &wide, bucket, covers, each);
        if self.keeps {
            for (at, covers) in covers.iter().enumerate() {
                let parts = handed_over
                    .clone()
                    .map(|feature| features::part(output(&feature.name)?, at, bucket));
                self.encoded.push(Encoded {
                    parts: parts.collect::<Result<_, String>>()?,
                    covers: *covers,
                });
            }
        }
        drop(wide);
        drop(outputs);
        // Otherwise a GPU would keep the copy of the input between two runs.
        binding.clear();
        taken
    }
}

/// Where ONNX Runtime searches for files of weights that it was not given, and a folder that cannot exist.
const WEIGHTS_FOLDER: &str = "session.model_external_initializers_file_folder_path";
const NO_FOLDER: &str = "/dev/null/none";

/// A session of a graph with its files of weights.
pub(crate) fn session(
    runtime: &Runtime,
    device: ActiveDevice,
    threads: usize,
    file: &BundleFile,
) -> Result<Session, String> {
    let text = |e: ort::Error| first_line(&e.to_string());
    // Weights that the manifest does not name would be read from the working folder, whatever their digest.
    let mut builder = runtime
        .builder(device, threads)
        .map_err(text)?
        .with_config_entry(WEIGHTS_FOLDER, NO_FOLDER)
        .map_err(|e| first_line(&e.to_string()))?;
    for data in &file.data {
        builder = builder
            .with_external_initializer_file_in_memory(&data.name, Arc::clone(&data.bytes))
            .map_err(|e| first_line(&e.to_string()))?;
    }
    builder.commit_from_memory(&file.bytes).map_err(|error| {
        let line = text(error);
        if line.to_ascii_lowercase().contains("external") {
            return "its weights are in separate files; list each under data, with the graph's name for it and its \
                    digest".into();
        }
        line
    })
}

/// Hands each view its part of the outputs.
fn split(
    spec: &NetworkSpec,
    outputs: &[Wide<'_>],
    bucket: usize,
    covers: &[UnitRect],
    each: Each<'_>,
) -> Result<(), String> {
    let unbatched = match &spec.head {
        Head::Instances(form) => form
            .rows
            .iter()
            .zip(outputs)
            .any(|(rows, output)| rows.columns.len() > 1 && output.rank() == 2),
        _ => false,
    };
    for (i, covers) in covers.iter().enumerate() {
        let parts = outputs
            .iter()
            .map(|output| {
                if unbatched {
                    Ok(output.whole(*covers))
                } else {
                    output.part(i, bucket, *covers)
                }
            })
            .collect::<Result<Vec<_>, String>>()?;
        for (part, name) in parts.iter().zip(&spec.output_tensors) {
            require_finite(name, part.values)?;
        }
        each(i, &parts)?;
    }
    Ok(())
}
