//! The engine on ONNX Runtime: the networks of one verified bundle, used by one thread.

mod loading;
mod options;
mod reports;
mod views;

use crate::bundle::VerifiedBundle;
use crate::class_maps::{best_of, class_map};
use crate::engine::{Engine, Screening, Vehicle};
use crate::error::EngineError;
use crate::instances::{best_score, best_vehicle, instances};
use crate::manifest::{Head, Manifest, NetworkSpec, Role};
pub use crate::network::BATCH_BUCKETS;
use crate::network::{Each, Encoded, Input, Network, View, unread_objects};
use crate::outputs::{MapForm, Raw, gate, maps, vehicle};
use crate::runtime::Runtime;
use image::RgbImage;
use loading::load;
pub use options::EngineOptions;
use reports::tensor_report;
pub use reports::{NetworkReport, TensorReport};
use views::{address, seen, views};
use walkaround_domain::{ReviewPolicy, UnitRect};
use walkaround_vision::findings::Segmentation;
use walkaround_vision::mask::ClassSpec;
use walkaround_vision::quality::QualityPolicy;
use walkaround_vision::tensor::Layout;

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
    /// The segmenter that goes on from what the first gate hands over.
    goes_on: Option<usize>,
    /// The view of which the first gate holds what it handed over: the photo's address, as long as it is borrowed, and the
    /// region.
    encoded: Option<(usize, UnitRect)>,
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
        let loaded = load(runtime, bundle, options, wanted)?;
        Ok(Self {
            long_side: manifest.long_side(),
            manifest,
            inputs: loaded.inputs,
            locator: loaded.locator,
            gates: loaded.gates,
            segmenters: loaded.segmenters,
            goes_on: loaded.goes_on,
            encoded: None,
        })
    }

    /// Networks and their tensors, in the order locator, gates, segmenters.
    pub fn report(&self) -> Vec<NetworkReport> {
        let first = self.locator.iter().chain(&self.gates).map(|n| (n, n));
        let segmenters = self.segmenters.iter().enumerate();
        let then = segmenters.map(|(at, n)| {
            // Its own graph has the input of its gate's.
            let goes_on = self.goes_on == Some(at);
            (n, if goes_on { &self.gates[0] } else { n })
        });
        first
            .chain(then)
            .map(|(n, beginning)| NetworkReport {
                name: n.spec.name.clone(),
                role: n.spec.role(),
                inputs: beginning.outlets().0.iter().map(tensor_report).collect(),
                outputs: n
                    .outlets()
                    .1
                    .iter()
                    .filter(|outlet| !n.is_handed_over(outlet.name()))
                    .map(tensor_report)
                    .collect(),
            })
            .collect()
    }

    /// The gate and the segmenter whose common encoder runs once; none without two such networks.
    pub fn shared_encoder(&self) -> Option<[&str; 2]> {
        let segmenter = &self.segmenters[self.goes_on?];
        Some([&self.gates.first()?.spec.name, &segmenter.spec.name])
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
        // Where a run before did not come to its end.
        self.gates.iter_mut().for_each(|gate| gate.keeps = false);
        self.encoded = None;
    }

    /// What the first gate hands over for photos whose vehicles are there: held from their screening, or made now.
    fn encode(&mut self, photos: &[(&RgbImage, UnitRect)]) -> Result<Vec<Encoded>, EngineError> {
        let gate = &mut self.gates[0];
        let views: Vec<View<'_>> = photos
            .iter()
            .map(|(photo, vehicle)| View {
                photo,
                region: seen(gate.spec.region, *vehicle),
            })
            .collect();
        let is_held = matches!(&views[..], [view] if self.encoded == Some(address(view)));
        if !is_held {
            gate.keeps = true;
            let ran = gate.run(&mut self.inputs[gate.input], &views, &mut |_, _| Ok(()));
            gate.keeps = false;
            ran?;
        }
        self.encoded = None;
        Ok(std::mem::take(&mut gate.encoded))
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
        let encoded = match self.goes_on {
            Some(_) => self.encode(photos)?,
            None => Vec::new(),
        };
        for (at, network) in self.segmenters.iter_mut().enumerate() {
            let goes_on = self.goes_on == Some(at);
            let mut all = Vec::new();
            let mut owner = Vec::new();
            for (i, (photo, vehicle)) in photos.iter().enumerate() {
                let own = views(network, photo, *vehicle);
                owner.extend(std::iter::repeat_n(i, own.len()));
                all.extend(own);
            }
            let (head, activation) = (network.spec.head.clone(), network.spec.activation);
            let size = network.spec.input.size;
            let each: Each<'_> = &mut |v, raw| {
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
            };
            if goes_on {
                network.run_encoded(&encoded, each)?;
            } else {
                network.run(&mut self.inputs[network.input], &all, each)?;
            }
        }
        Ok(out)
    }

    /// Locator and gates of a photo that may be segmented next: what the first gate hands over is held for that.
    fn screen_for_segmentation(&mut self, photo: &RgbImage) -> Result<Screening, EngineError> {
        let keeps = |engine: &mut Self, keeps| {
            if let (Some(_), Some(gate)) = (engine.goes_on, engine.gates.first_mut()) {
                gate.keeps = keeps;
            }
        };
        keeps(self, true);
        let screened = self.run_gates(&[photo]);
        keeps(self, false);
        let screening = screened?.remove(0);
        if self.goes_on.is_some() && screening.vehicle != Vehicle::Absent {
            let region = seen(self.gates[0].spec.region, screening.vehicle.region());
            self.encoded = Some(address(&View { photo, region }));
        }
        Ok(screening)
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
        let first = self.screen_for_segmentation(photo)?;
        let maps = if goes_on(&first) {
            self.run_segmenters(&[(photo, first.vehicle.region())])?.remove(0)
        } else {
            Segmentation::default()
        };
        Ok((first, maps))
    }
}
