//! An input tensor that networks share, so that what was prepared for one of them serves the next.
//!
//! It serves when photo and region are the same ones. Photos are told apart by where they are, which holds as
//! long as all of them are borrowed: between two calls the owner says [`Input::forget`].

use super::View;
use walkaround_domain::UnitRect;
use walkaround_vision::tensor::{InputSpec, TensorData, prepare};

/// The input tensor of all networks of an engine that want to see the same: while one photo is looked at,
/// what was prepared for one of them serves the next.
pub(crate) struct Input {
    pub(crate) spec: InputSpec,
    pub(super) data: TensorData,
    /// What the first slot holds: see [`Input::forget`].
    holds: Option<Held>,
}

/// One view that was prepared, not a batch of several.
struct Held {
    /// Address of the photo: tells the photos of one call apart, since all of them are borrowed until its end.
    photo: usize,
    region: UnitRect,
    /// The part of the photo that the tensor covers.
    covers: UnitRect,
}

impl Input {
    pub(crate) fn new(spec: InputSpec) -> Self {
        Self {
            spec,
            data: TensorData::new(spec.element, 0),
            holds: None,
        }
    }

    /// To be called before photos come that were not all there before: one may be where another was.
    pub(crate) fn forget(&mut self) {
        self.holds = None;
    }

    /// Fills a slot for each view, in a tensor of `bucket` slots; gives the part of its photo that each covers.
    pub(super) fn fill(&mut self, views: &[View<'_>], bucket: usize) -> Vec<UnitRect> {
        let slot = self.spec.slot_len();
        let address = |view: &View<'_>| std::ptr::from_ref(view.photo).addr();
        if let ([view], Some(held)) = (views, &self.holds)
            && (address(view), view.region) == (held.photo, held.region)
            && self.data.len() >= bucket * slot
        {
            return vec![held.covers];
        }
        if self.data.len() < bucket * slot {
            self.data = TensorData::new(self.spec.element, bucket * slot);
        }
        let covers: Vec<UnitRect> = views
            .iter()
            .enumerate()
            .map(|(i, v)| prepare(v.photo, v.region, &self.spec, self.data.slot(i, slot)))
            .collect();
        self.holds = match (views, &covers[..]) {
            ([view], [covers]) => Some(Held {
                photo: address(view),
                region: view.region,
                covers: *covers,
            }),
            _ => None,
        };
        covers
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{Rgb, RgbImage};
    use walkaround_domain::Size;
    use walkaround_vision::tensor::{ChannelOrder, Element, Filter, Layout, Resize};

    fn grey(value: u8) -> RgbImage {
        RgbImage::from_pixel(8, 8, Rgb([value; 3]))
    }

    fn input() -> Input {
        Input::new(InputSpec {
            size: Size::new(4, 4),
            resize: Resize::Stretch,
            filter: Filter::Area,
            channels: ChannelOrder::Rgb,
            layout: Layout::Nchw,
            element: Element::U8,
            scale: 1.0,
            mean: [0.0; 3],
            std: [1.0; 3],
        })
    }

    fn fill(input: &mut Input, photo: &RgbImage, bucket: usize) -> u8 {
        let region = UnitRect::WHOLE;
        assert_eq!(input.fill(&[View { photo, region }], bucket), [region]);
        let TensorData::U8(values) = &input.data else {
            panic!("{:?}", input.data)
        };
        assert!(values.len() >= bucket * input.spec.slot_len());
        values[0]
    }

    #[test]
    fn photos_one_by_one_are_told_apart_and_larger_batches_get_room() {
        let (dark, bright) = (grey(10), grey(200));
        let mut input = input();
        for bucket in [1, 1, 4, 2] {
            assert_eq!(fill(&mut input, &dark, bucket), 10);
            assert_eq!(fill(&mut input, &bright, bucket), 200);
            assert_eq!(fill(&mut input, &bright, 2 * bucket), 200);
        }
    }

    #[test]
    fn what_is_held_serves_again_until_it_is_to_be_forgotten() {
        let mut photo = grey(10);
        let mut input = input();
        fill(&mut input, &photo, 1);
        photo.put_pixel(0, 0, Rgb([90; 3]));
        // At the same address: the rule is broken here on purpose, to see that nothing was prepared again.
        assert_eq!(fill(&mut input, &photo, 1), 10);
        input.forget();
        assert_eq!(fill(&mut input, &photo, 1), 30);
    }
}
