//! Sessions of a bundle's networks, each in its role.

use super::options::EngineOptions;
use crate::bundle::{BundleFile, VerifiedBundle};
use crate::error::{BundleError, EngineError};
use crate::manifest::{Head, NetworkSpec, Role};
use crate::network::{Input, Network};
use crate::runtime::{ActiveDevice, Runtime};
use crate::shared_encoder::SharedEncoder;
use ort::memory::Allocator;
use tracing::debug;

/// The networks of an engine.
pub(super) struct Loaded {
    /// One for each kind of input among the networks.
    pub(super) inputs: Vec<Input>,
    pub(super) locator: Option<Network>,
    pub(super) gates: Vec<Network>,
    pub(super) segmenters: Vec<Network>,
    /// The segmenter that goes on from what the first gate hands over.
    pub(super) goes_on: Option<usize>,
}

/// Makes the sessions of the wanted roles and checks every tensor against the manifest.
pub(super) fn load(
    runtime: &Runtime,
    bundle: &VerifiedBundle,
    options: EngineOptions,
    wanted: &dyn Fn(Role) -> bool,
) -> Result<Loaded, EngineError> {
    let specs = &bundle.manifest().networks;
    let mut pair = Pair::find(runtime, bundle, options, wanted);
    let mut loaded = Loaded {
        inputs: Vec::new(),
        locator: None,
        gates: Vec::new(),
        segmenters: Vec::new(),
        goes_on: None,
    };
    let files = specs.iter().zip(bundle.networks()).enumerate();
    for (at, (spec, file)) in files.filter(|(_, (spec, _))| wanted(spec.role())) {
        let one = pair.as_mut().and_then(|pair| pair.take(at));
        let is_paired = one.is_some();
        let (mut network, memory) = match one {
            Some(one) => one,
            None => Network::load(
                runtime,
                options.device,
                options.threads.max(1),
                spec,
                read(spec, file)?,
            )?,
        };
        let same = |input: &Input| input.spec == spec.input && input.batched == network.batched;
        let shared = loaded.inputs.iter().position(same);
        network.input = shared.unwrap_or(loaded.inputs.len());
        if shared.is_none() {
            loaded
                .inputs
                .push(Input::new(spec.input, network.batched, memory));
        }
        match spec.role() {
            Role::Locator => loaded.locator = Some(network),
            Role::Gate => loaded.gates.push(network),
            Role::Segmenter => {
                if is_paired {
                    loaded.goes_on = Some(loaded.segmenters.len());
                }
                loaded.segmenters.push(network);
            }
        }
    }
    Ok(loaded)
}

fn read<'a>(spec: &NetworkSpec, file: &'a Option<BundleFile>) -> Result<&'a BundleFile, EngineError> {
    let missing = || BundleError::Network {
        network: spec.name.clone(),
        message: "its file was not read".into(),
    };
    Ok(file.as_ref().ok_or_else(missing)?)
}

/// The first gate, and the first segmenter that begins as it does: where they stand in the manifest, and their sessions.
struct Pair([(usize, Option<(Network, Allocator)>); 2]);

impl Pair {
    /// None where the networks of these roles do not share an encoder, or not on a processor: on a GPU it was never tried.
    fn find(
        runtime: &Runtime,
        bundle: &VerifiedBundle,
        options: EngineOptions,
        wanted: &dyn Fn(Role) -> bool,
    ) -> Option<Self> {
        if options.device != ActiveDevice::Cpu || !wanted(Role::Gate) || !wanted(Role::Segmenter) {
            return None;
        }
        let (specs, files) = (&bundle.manifest().networks, bundle.networks());
        let gate = specs.iter().position(|spec| spec.role() == Role::Gate)?;
        let begin_alike = |at: &usize| begin_alike(&specs[gate], &specs[*at]);
        let shared = |segmenter: usize| {
            let (first, second) = (files[gate].as_ref()?, files[segmenter].as_ref()?);
            let shared = SharedEncoder::find(&first.bytes, &second.bytes, &specs[gate].input_tensor)?;
            Some((segmenter, shared))
        };
        let (segmenter, shared) = (0..specs.len()).filter(begin_alike).find_map(shared)?;
        let pair = [&specs[gate], &specs[segmenter]];
        match Network::load_pair(runtime, options.threads.max(1), pair, shared) {
            Ok([first, second]) => Some(Self([(gate, Some(first)), (segmenter, Some(second))])),
            Err(why) => {
                debug!(why, "gate and segmenter have a common encoder, which runs twice");
                None
            }
        }
    }

    fn take(&mut self, at: usize) -> Option<(Network, Allocator)> {
        self.0.iter_mut().find(|(place, _)| *place == at)?.1.take()
    }
}

/// Whether a segmenter sees what a gate sees.
fn begin_alike(gate: &NetworkSpec, segmenter: &NetworkSpec) -> bool {
    let plain =
        |spec: &NetworkSpec| spec.data.is_empty() && spec.constants.is_empty() && spec.tiling.is_none();
    let maps = matches!(segmenter.head, Head::Segmenter { .. } | Head::ClassMap { .. });
    maps && plain(gate)
        && plain(segmenter)
        && gate.input == segmenter.input
        && gate.input_tensor == segmenter.input_tensor
        && gate.region == segmenter.region
}
