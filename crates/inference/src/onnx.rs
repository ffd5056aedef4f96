//! The engine on ONNX Runtime: the networks of one verified bundle, used by one thread.

use crate::bundle::VerifiedBundle;
use crate::class_maps::{best_of, class_map};
use crate::engine::{Engine, Screening, Vehicle};
use crate::error::{BundleError, EngineError};
use crate::instances::{best_score, best_vehicle, instances};
use crate::manifest::{Head, Manifest, NetworkSpec, Region, Role};
pub use crate::network::BATCH_BUCKETS;
use crate::network::{Input, Network, View, unread_objects};
use crate::outputs::{MapForm, Raw, gate, maps, vehicle};
use crate::runtime::{ActiveDevice, Runtime};
use crate::tiling::tiles;
use image::RgbImage;
use ort::value::{Outlet, ValueType};
use walkaround_domain::{ReviewPolicy, Size, UnitRect};
use walkaround_vision::findings::Segmentation;
use walkaround_vision::mask::ClassSpec;
use walkaround_vision::quality::QualityPolicy;
use walkaround_vision::tensor::Layout;

/// How sessions are made.
#[derive(Debug, Clone, Copy)]
pub struct EngineOptions {
    /// Where networks run.
    pub device: ActiveDevice,
    /// Threads inside one network run (CPU only), at least 1.
    pub threads: usize,
}

/// One tensor of a network, for display.
#[derive(Debug, Clone)]
pub struct TensorReport {
    /// Name in the graph.
    pub name: String,
    /// Element type and shape in words; free dimensions are -1.
    pub shape: String,
}

/// One network, for display.
#[derive(Debug, Clone)]
pub struct NetworkReport {
    /// Name in the manifest.
    pub name: String,
    /// What it is for.
    pub role: Role,
    /// Its input tensors.
    pub inputs: Vec<TensorReport>,
    /// Its output tensors.
    pub outputs: Vec<TensorReport>,
}

/// What one network is given for one photo: for comparison with another implementation.
#[derive(Debug, Clone)]
pub struct PreparedInput {
    /// Name in the manifest.
    pub network: String,
    /// Tiles and the three axes of the network's own layout.
    pub shape: [usize; 4],
    /// The tensors, tile by tile, normalised and widened to 32 bits.
    pub values: Vec<f32>,
}

/// What a graph needs that runs with one photo and fails with two.
const ONE_ONLY: &str = "with one photo it runs, with two it does not: export it with a batch that is free in the whole \
                        graph, or with a batch of 1";

/// Sessions of a verified bundle. One thread uses an engine at a time; make one for each thread.
pub struct OnnxEngine {
    manifest: Manifest,
    long_side: u32,
    /// One for each kind of input among the networks.
    inputs: Vec<Input>,
    locator: Option<Network>,
    gates: Vec<Network>,
    segmenters: Vec<Network>,
}

impl OnnxEngine {
    /// Makes the sessions and checks every tensor against the manifest. The self-test is a step of its own:
    /// [`OnnxEngine::self_test`](crate::self_test).
    ///
    /// # Errors
    /// [`EngineError::Bundle`] naming the network that disagrees with its description.
    pub fn new(
        runtime: &Runtime,
        bundle: &VerifiedBundle,
        options: EngineOptions,
    ) -> Result<Self, EngineError> {
        Self::with_roles(runtime, bundle, options, &|_| true)
    }

    /// As [`OnnxEngine::new`], without the segmenters: the segmentation finds nothing.
    pub(crate) fn screening_only(
        runtime: &Runtime,
        bundle: &VerifiedBundle,
        options: EngineOptions,
    ) -> Result<Self, EngineError> {
        Self::with_roles(runtime, bundle, options, &|role| role != Role::Segmenter)
    }

    fn with_roles(
        runtime: &Runtime,
        bundle: &VerifiedBundle,
        options: EngineOptions,
        wanted: &dyn Fn(Role) -> bool,
    ) -> Result<Self, EngineError> {
        let manifest = bundle.manifest().clone();
        let (mut locator, mut gates, mut segmenters) = (None, Vec::new(), Vec::new());
        let mut inputs: Vec<Input> = Vec::new();
        let files = manifest.networks.iter().zip(bundle.networks());
        for (spec, file) in files.filter(|(spec, _)| wanted(spec.role())) {
            let file = file.as_ref().ok_or_else(|| BundleError::Network {
                network: spec.name.clone(),
                message: "its file was not read".into(),
            })?;
            let (mut network, memory) =
                Network::load(runtime, options.device, options.threads.max(1), spec, file)?;
            let same = |input: &Input| input.spec == spec.input && input.batched == network.batched;
            let shared = inputs.iter().position(same);
            network.input = shared.unwrap_or(inputs.len());
            if shared.is_none() {
                inputs.push(Input::new(spec.input, network.batched, memory));
            }
            match spec.role() {
                Role::Locator => locator = Some(network),
                Role::Gate => gates.push(network),
                Role::Segmenter => segmenters.push(network),
            }
        }
        Ok(Self {
            long_side: manifest.long_side(),
            manifest,
            inputs,
            locator,
            gates,
            segmenters,
        })
    }

    /// Networks and their tensors, in the order locator, gates, segmenters.
    pub fn report(&self) -> Vec<NetworkReport> {
        let all = self.locator.iter().chain(&self.gates).chain(&self.segmenters);
        all.map(|n| {
            let (inputs, outputs) = n.outlets();
            NetworkReport {
                name: n.spec.name.clone(),
                role: n.spec.role(),
                inputs: inputs.iter().map(tensor_report).collect(),
                outputs: outputs.iter().map(tensor_report).collect(),
            }
        })
        .collect()
    }

    /// Outputs that no manifest key names and that look like objects: a line for each, as a warning.
    pub fn unread_objects(&self) -> Vec<String> {
        let networks = self.segmenters.iter();
        networks
            .flat_map(|network| unread_objects(&network.spec, network.outlets().1))
            .collect()
    }

    /// What every network is given for a photo, whatever the gates say: a photo without a vehicle reaches the
    /// locator only.
    ///
    /// # Errors
    /// [`EngineError::Run`] when the locator fails.
    pub fn inputs(&mut self, photo: &RgbImage) -> Result<Vec<PreparedInput>, EngineError> {
        let vehicle = self.locate(&[photo])?.remove(0);
        let others = self.gates.iter().chain(&self.segmenters);
        let asked = others.filter(|_| vehicle != Vehicle::Absent);
        Ok(self
            .locator
            .iter()
            .chain(asked)
            .map(|network| {
                let views = views(network, photo, vehicle.region());
                let size = network.spec.input.size;
                let (height, width) = (size.height as usize, size.width as usize);
                PreparedInput {
                    network: network.spec.name.clone(),
                    shape: match network.spec.input.layout {
                        Layout::Nchw => [views.len(), 3, height, width],
                        Layout::Nhwc => [views.len(), height, width, 3],
                    },
                    values: views.iter().flat_map(|view| network.prepared(view)).collect(),
                }
            })
            .collect())
    }

    /// Runs every network on a drawn picture as it will run on photos: alone and two at once, with its tiles, its outputs
    /// taken apart. What a graph does not declare shows itself here.
    ///
    /// # Errors
    /// [`EngineError::Run`] naming the network: its manifest or its export has to change.
    pub fn rehearse(&mut self) -> Result<(), EngineError> {
        let rehearsed = self.rehearse_with(1).and_then(|()| {
            self.rehearse_with(2).map_err(|error| match error {
                EngineError::Run { network, cause } => EngineError::Run {
                    network,
                    cause: format!("{cause} ({ONE_ONLY})"),
                },
                other => other,
            })
        });
        self.forget();
        rehearsed
    }

    fn rehearse_with(&mut self, photos: usize) -> Result<(), EngineError> {
        let picture = RgbImage::from_fn(256, 192, |x, y| image::Rgb([x as u8, y as u8, (x ^ y) as u8]));
        self.forget();
        self.locate(&vec![&picture; photos])?;
        for network in &mut self.gates {
            let whole = || View {
                photo: &picture,
                region: UnitRect::WHOLE,
            };
            let views: Vec<View<'_>> = std::iter::repeat_with(whole).take(photos).collect();
            let spec = network.spec.clone();
            network.run(&mut self.inputs[network.input], &views, &mut |_, raw| {
                gate_score(&spec, raw).map(|_| ())
            })?;
        }
        self.run_segmenters(&vec![(&picture, UnitRect::WHOLE); photos])?;
        Ok(())
    }

    /// What the inputs hold is of no photo that comes now.
    fn forget(&mut self) {
        self.inputs.iter_mut().for_each(Input::forget);
    }

    /// Locator and gates.
    fn run_gates(&mut self, photos: &[&RgbImage]) -> Result<Vec<Screening>, EngineError> {
        let vehicles = self.locate(photos)?;
        let mut screenings: Vec<Screening> = vehicles
            .iter()
            .map(|&vehicle| Screening {
                vehicle,
                gate: None,
                suspect: vehicle != Vehicle::Absent,
            })
            .collect();
        // Photos without a vehicle end here: the gates never see them.
        let present: Vec<usize> = (0..photos.len())
            .filter(|&i| vehicles[i] != Vehicle::Absent)
            .collect();
        for (k, network) in self.gates.iter_mut().enumerate() {
            let spec = network.spec.clone();
            let views: Vec<View<'_>> = present
                .iter()
                .map(|&i| View {
                    photo: photos[i],
                    region: seen(network.spec.region, vehicles[i].region()),
                })
                .collect();
            network.run(&mut self.inputs[network.input], &views, &mut |v, raw| {
                let GateScore { p, threshold } = gate_score(&spec, raw)?;
                let screening = &mut screenings[present[v]];
                screening.gate = Some(screening.gate.map_or(p, |best: f32| best.max(p)));
                // Any gate may raise suspicion; all must agree that a photo is clean.
                screening.suspect = p >= threshold || (k > 0 && screening.suspect);
                Ok(())
            })?;
        }
        Ok(screenings)
    }

    /// Segmenters.
    fn run_segmenters(&mut self, photos: &[(&RgbImage, UnitRect)]) -> Result<Vec<Segmentation>, EngineError> {
        let mut out: Vec<Segmentation> = vec![Segmentation::default(); photos.len()];
        for network in &mut self.segmenters {
            let mut all = Vec::new();
            let mut owner = Vec::new();
            for (i, (photo, vehicle)) in photos.iter().enumerate() {
                let own = views(network, photo, *vehicle);
                owner.extend(std::iter::repeat_n(i, own.len()));
                all.extend(own);
            }
            let (head, activation) = (network.spec.head.clone(), network.spec.activation);
            let size = network.spec.input.size;
            network.run(&mut self.inputs[network.input], &all, &mut |v, raw| {
                let photo = &mut out[owner[v]];
                match &head {
                    Head::Segmenter {
                        channels,
                        layout,
                        argmax,
                    } => {
                        let form = MapForm {
                            activation,
                            layout: *layout,
                            channels,
                        };
                        if *argmax {
                            photo.class_maps.push(best_of(&raw[0], &form)?);
                        } else {
                            photo.maps.extend(maps(&raw[0], &form)?);
                        }
                    }
                    Head::ClassMap { channels } => photo.class_maps.push(class_map(&raw[0], channels)?),
                    Head::Instances(form) => photo.instances.extend(instances(raw, form, size)?),
                    Head::Gate { .. } | Head::Locator { .. } => {}
                }
                Ok(())
            })?;
        }
        Ok(out)
    }

    fn locate(&mut self, photos: &[&RgbImage]) -> Result<Vec<Vehicle>, EngineError> {
        let mut found = vec![Vehicle::NotAsked; photos.len()];
        let Some(network) = &mut self.locator else {
            return Ok(found);
        };
        let (head, activation) = (network.spec.head.clone(), network.spec.activation);
        let input = network.spec.input.size;
        let views: Vec<View<'_>> = photos
            .iter()
            .map(|p| View {
                photo: p,
                region: UnitRect::WHOLE,
            })
            .collect();
        network.run(&mut self.inputs[network.input], &views, &mut |i, raw| {
            found[i] = match &head {
                Head::Locator { form, threshold } => vehicle(&raw[0], *form, activation, *threshold, input)?,
                Head::Instances(form) => best_vehicle(raw, form, input)?,
                _ => return Err("the network is not a locator".into()),
            };
            Ok(())
        })?;
        Ok(found)
    }
}

/// What a gate says of one photo.
struct GateScore {
    /// P(damage).
    p: f32,
    /// From which the photo is suspect.
    threshold: f32,
}

fn gate_score(spec: &NetworkSpec, raw: &[Raw<'_>]) -> Result<GateScore, String> {
    match &spec.head {
        Head::Gate { positive, threshold } => Ok(GateScore {
            p: gate(&raw[0], spec.activation, positive)?,
            threshold: *threshold,
        }),
        Head::Instances(form) => Ok(GateScore {
            p: best_score(raw, form, spec.input.size)?,
            threshold: form.threshold,
        }),
        _ => Err("the network is not a gate".into()),
    }
}

fn tensor_report(outlet: &Outlet) -> TensorReport {
    let shape = match outlet.dtype() {
        ValueType::Tensor { ty, shape, .. } => format!("{ty:?} {shape:?}"),
        other => other.to_string(),
    };
    TensorReport {
        name: outlet.name().to_owned(),
        shape,
    }
}

/// The part of a photo that a network sees.
fn seen(region: Region, vehicle: UnitRect) -> UnitRect {
    match region {
        Region::Photo => UnitRect::WHOLE,
        Region::Vehicle => vehicle,
    }
}

/// The views of one photo that a network gets: one, or its tiles.
fn views<'a>(network: &Network, photo: &'a RgbImage, vehicle: UnitRect) -> Vec<View<'a>> {
    let region = seen(network.spec.region, vehicle);
    let cut = match network.spec.tiling {
        Some(tiling) => {
            let size = Size::new(photo.width(), photo.height());
            tiles(region, size, network.spec.input.size, tiling)
        }
        None => vec![region],
    };
    cut.into_iter().map(|region| View { photo, region }).collect()
}

impl Engine for OnnxEngine {
    fn bundle_name(&self) -> &str {
        &self.manifest.name
    }

    fn bundle_version(&self) -> &str {
        &self.manifest.version
    }

    fn classes(&self) -> &[ClassSpec] {
        &self.manifest.classes
    }

    fn quality(&self) -> &QualityPolicy {
        &self.manifest.quality
    }

    fn review(&self) -> &ReviewPolicy {
        &self.manifest.review
    }

    fn long_side(&self) -> u32 {
        self.long_side
    }

    fn screening_long_side(&self) -> u32 {
        self.manifest.screening_long_side()
    }

    fn screen(&mut self, photos: &[&RgbImage]) -> Result<Vec<Screening>, EngineError> {
        self.forget();
        self.run_gates(photos)
    }

    fn segment(&mut self, photos: &[(&RgbImage, UnitRect)]) -> Result<Vec<Segmentation>, EngineError> {
        self.forget();
        self.run_segmenters(photos)
    }

    fn screen_and_segment(
        &mut self,
        photo: &RgbImage,
        goes_on: &mut dyn FnMut(&Screening) -> bool,
    ) -> Result<(Screening, Segmentation), EngineError> {
        // The photo is borrowed from here to the end: what is prepared of it stays true.
        self.forget();
        let first = self.run_gates(&[photo])?.remove(0);
        let maps = if goes_on(&first) {
            self.run_segmenters(&[(photo, first.vehicle.region())])?.remove(0)
        } else {
            Segmentation::default()
        };
        Ok((first, maps))
    }
}
