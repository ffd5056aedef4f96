//! An input tensor that networks share, so that what was prepared for one of them serves the next.
//!
//! It serves when photo and region are the same ones. Photos are distinguished by their addresses, which holds as
//! long as all of them are borrowed: between two calls the owner says [`Input::forget`]. The tensors are in memory that
//! the device reads by itself, and photos are prepared right there.

use image::RgbImage;
use ort::memory::Allocator;
use ort::value::{DynTensor, TensorElementType};
use walkaround_domain::UnitRect;
use walkaround_vision::tensor::{Element, InputSpec, Layout, TensorSlice, prepare};

/// One photo, or a part of it, as the input of a network.
pub(crate) struct View<'a> {
    pub photo: &'a RgbImage,
    pub region: UnitRect,
}

/// The input tensor of all networks of an engine that need the same: while one photo is inspected,
/// what was prepared for one of them serves the next.
pub(crate) struct Input {
    pub(crate) spec: InputSpec,
    /// Whether the tensors have a batch axis; without one they hold one photo.
    pub(crate) batched: bool,
    memory: Allocator,
    /// One for each size of batch that came: at most [`super::BATCH_BUCKETS`] (31 slots together), and those that graphs
    /// fix.
    batches: Vec<Batch>,
}

struct Batch {
    slots: usize,
    tensor: DynTensor,
    /// What the first slot holds: see [`Input::forget`].
    holds: Option<Held>,
}

/// One view that was prepared, not a batch of several.
struct Held {
    /// Address of the photo: distinguishes the photos of one call, since all of them are borrowed until its end.
    photo: usize,
    region: UnitRect,
    /// The part of the photo that the tensor covers.
    covers: UnitRect,
}

impl Input {
    /// Tensors will be in memory of this allocator.
    pub(crate) fn new(spec: InputSpec, batched: bool, memory: Allocator) -> Self {
        Self {
            spec,
            batched,
            memory,
            batches: Vec::new(),
        }
    }

    /// To be called before photos come that were not all there before: one may be where another was.
    pub(crate) fn forget(&mut self) {
        self.batches.iter_mut().for_each(|batch| batch.holds = None);
    }

    /// Fills a slot for each view, in a tensor of so many slots; gives it, and the part of its photo that each view
    /// covers. Slots past the last view keep what an earlier batch left there.
    ///
    /// # Errors
    /// When there is no memory for a batch of this size.
    pub(super) fn fill(
        &mut self,
        views: &[View<'_>],
        slots: usize,
    ) -> ort::Result<(&DynTensor, Vec<UnitRect>)> {
        let spec = self.spec;
        let batch = self.batch(slots)?;
        let address = |view: &View<'_>| std::ptr::from_ref(view.photo).addr();
        if let ([view], Some(held)) = (views, &batch.holds)
            && (address(view), view.region) == (held.photo, held.region)
        {
            return Ok((&batch.tensor, vec![held.covers]));
        }
        // Whatever fails now, it is not what was held.
        batch.holds = None;
        let mut covers = Vec::with_capacity(views.len());
        for (i, view) in views.iter().enumerate() {
            let slot = slot(&mut batch.tensor, i, &spec)?;
            covers.push(prepare(view.photo, view.region, &spec, slot));
        }
        if let ([view], [covers]) = (views, &covers[..]) {
            batch.holds = Some(Held {
                photo: address(view),
                region: view.region,
                covers: *covers,
            });
        }
        Ok((&batch.tensor, covers))
    }

    /// The batch of so many slots, made when it is first asked for.
    fn batch(&mut self, slots: usize) -> ort::Result<&mut Batch> {
        let at = match self.batches.iter().position(|batch| batch.slots == slots) {
            Some(at) => at,
            None => {
                let tensor = zeros(&self.memory, &self.spec, self.batched, slots)?;
                self.batches.push(Batch {
                    slots,
                    tensor,
                    holds: None,
                });
                self.batches.len() - 1
            }
        };
        Ok(&mut self.batches[at])
    }
}

/// What an element is called by ONNX Runtime.
pub(super) fn element_type(element: Element) -> TensorElementType {
    match element {
        Element::F32 => TensorElementType::Float32,
        Element::F16 => TensorElementType::Float16,
        Element::U8 => TensorElementType::Uint8,
    }
}

/// A tensor of so many slots. A fresh one holds whatever was in memory: that must reach no network.
fn zeros(memory: &Allocator, spec: &InputSpec, batched: bool, slots: usize) -> ort::Result<DynTensor> {
    let (height, width) = (spec.size.height as usize, spec.size.width as usize);
    let shape = match spec.layout {
        Layout::Nchw => [slots, 3, height, width],
        Layout::Nhwc => [slots, height, width, 3],
    };
    let shape = if batched { &shape[..] } else { &shape[1..] };
    let mut tensor = DynTensor::new(memory, element_type(spec.element), shape)?;
    for i in 0..slots {
        match slot(&mut tensor, i, spec)? {
            TensorSlice::F32(values) => values.fill(0.0),
            TensorSlice::F16(values) => values.fill(half::f16::ZERO),
            TensorSlice::U8(values) => values.fill(0),
        }
    }
    Ok(tensor)
}

/// The elements of one slot.
fn slot<'a>(tensor: &'a mut DynTensor, index: usize, spec: &InputSpec) -> ort::Result<TensorSlice<'a>> {
    let range = index * spec.slot_len()..(index + 1) * spec.slot_len();
    Ok(match spec.element {
        Element::F32 => TensorSlice::F32(&mut tensor.try_extract_tensor_mut()?.1[range]),
        Element::F16 => TensorSlice::F16(&mut tensor.try_extract_tensor_mut()?.1[range]),
        Element::U8 => TensorSlice::U8(&mut tensor.try_extract_tensor_mut()?.1[range]),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::Runtime;
    use image::{Rgb, RgbImage};
    use std::path::PathBuf;
    use walkaround_domain::Size;
    use walkaround_vision::tensor::{ChannelOrder, Filter, Resize};

    fn grey(value: u8) -> RgbImage {
        RgbImage::from_pixel(8, 8, Rgb([value; 3]))
    }

    /// Tensors are made by ONNX Runtime.
    fn input(element: Element) -> Input {
        let named = std::env::var_os("WALKAROUND_ONNXRUNTIME").map(PathBuf::from);
        let own = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../.tools/onnxruntime/libonnxruntime.so"
        );
        Runtime::load(&named.unwrap_or_else(|| own.into())).expect("the library that `make setup` gets");
        let spec = InputSpec {
            size: Size::new(4, 4),
            resize: Resize::Stretch,
            filter: Filter::Area,
            channels: ChannelOrder::Rgb,
            layout: Layout::Nchw,
            element,
            scale: 1.0,
            mean: [0.0; 3],
            std: [1.0; 3],
        };
        Input::new(spec, true, Allocator::default())
    }

    /// What the slots begin with after a photo was put into the first.
    fn fill(input: &mut Input, photo: &RgbImage, slots: usize) -> Vec<u8> {
        let region = UnitRect::WHOLE;
        let len = input.spec.slot_len();
        let (tensor, covers) = input.fill(&[View { photo, region }], slots).expect("memory");
        assert_eq!(covers, [region]);
        let (shape, values) = tensor.try_extract_tensor::<u8>().expect("bytes");
        assert_eq!(**shape, [slots as i64, 3, 4, 4]);
        values.chunks(len).map(|slot| slot[0]).collect()
    }

    #[test]
    fn photos_one_by_one_are_told_apart_and_every_size_of_batch_has_its_tensor() {
        let (dark, bright) = (grey(10), grey(200));
        let mut input = input(Element::U8);
        for slots in [1, 1, 4, 2] {
            assert_eq!(fill(&mut input, &dark, slots)[0], 10);
            assert_eq!(fill(&mut input, &bright, slots)[0], 200);
            assert_eq!(fill(&mut input, &bright, 2 * slots)[0], 200);
        }
        assert_eq!(input.batches.len(), 4);
    }

    #[test]
    fn slots_that_nobody_filled_are_black_and_later_hold_what_was_there() {
        let (dark, bright) = (grey(10), grey(200));
        let mut input = input(Element::U8);
        assert_eq!(fill(&mut input, &dark, 4), [10, 0, 0, 0]);
        let region = UnitRect::WHOLE;
        let both = [&dark, &bright].map(|photo| View { photo, region });
        input.fill(&both, 4).expect("memory");
        assert_eq!(fill(&mut input, &bright, 4), [200, 200, 0, 0]);
    }

    #[test]
    fn what_is_held_serves_again_until_it_is_to_be_forgotten() {
        let mut photo = grey(10);
        let mut input = input(Element::U8);
        fill(&mut input, &photo, 1);
        photo.put_pixel(0, 0, Rgb([90; 3]));
        // At the same address: the rule is broken here on purpose, to see that nothing was prepared again.
        assert_eq!(fill(&mut input, &photo, 1), [10]);
        // The tensor of another size never held it.
        assert_eq!(fill(&mut input, &photo, 2)[0], 30);
        input.forget();
        assert_eq!(fill(&mut input, &photo, 1), [30]);
    }

    #[test]
    fn every_element_is_prepared_in_place() {
        let photo = grey(10);
        let view = || View {
            photo: &photo,
            region: UnitRect::WHOLE,
        };
        let mut wide = input(Element::F32);
        let (tensor, _) = wide.fill(&[view()], 1).expect("memory");
        let (_, values) = tensor.try_extract_tensor::<f32>().expect("f32");
        let mut half = input(Element::F16);
        let (tensor, _) = half.fill(&[view()], 1).expect("memory");
        let (_, halves) = tensor.try_extract_tensor::<half::f16>().expect("f16");
        assert!(values.iter().all(|&v| v > 0.0) && values.len() == 48);
        assert!(
            halves
                .iter()
                .zip(values)
                .all(|(h, v)| *h == half::f16::from_f32(*v))
        );
    }
}
