//! From a network's raw output for one photo to what it means.

use crate::engine::Vehicle;
use crate::manifest::{Activation, LocatorForm, MapLayout};
use walkaround_domain::{Size, UnitRect};
use walkaround_vision::mask::ProbabilityMap;

/// One photo's share of an output tensor: shape without the batch dimension, values row-major.
pub(crate) struct Raw<'a> {
    pub shape: &'a [usize],
    pub values: &'a [f32],
    /// The part of the photo that the input tensor covered.
    pub covers: UnitRect,
}

/// Neither NaN nor infinity says anything of a photo, whatever is made of it afterwards: an infinite logit would be a sure
/// verdict. Asked of every output before anything reads it.
pub(crate) fn require_finite(name: &str, values: &[f32]) -> Result<(), String> {
    // Without a way out of the middle, so that the compiler may look at several at once.
    if values.iter().fold(true, |finite, v| finite & v.is_finite()) {
        return Ok(());
    }
    let value = values
        .iter()
        .copied()
        .find(|v| !v.is_finite())
        .unwrap_or(f32::NAN);
    Err(format!(
        "the output `{name}` holds {value}, which is no number: the export is broken (often f16 where f32 is needed)"
    ))
}

pub(crate) fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + (-x).exp())
}

/// P(damage) of a gate: `[channels]`, or a scalar.
pub(crate) fn gate(raw: &Raw<'_>, activation: Activation, positive: &[usize]) -> Result<f32, String> {
    let p = channel_probabilities(raw.values, activation);
    let range = -PROBABILITY_SLACK..=1.0 + PROBABILITY_SLACK;
    if let Some(value) = p.iter().find(|value| !range.contains(value)) {
        return Err(no_probability(*value));
    }
    let sum: f32 = positive
        .iter()
        .map(|&c| {
            p.get(c)
                .copied()
                .ok_or_else(|| format!("no channel {c}: the output has {}", p.len()))
        })
        .sum::<Result<f32, _>>()?;
    Ok(sum.clamp(0.0, 1.0))
}

fn channel_probabilities(values: &[f32], activation: Activation) -> Vec<f32> {
    match activation {
        Activation::None => values.to_vec(),
        Activation::Sigmoid => values.iter().map(|&x| sigmoid(x)).collect(),
        Activation::Softmax => {
            let top = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let e: Vec<f32> = values.iter().map(|&x| (x - top).exp()).collect();
            let sum: f32 = e.iter().sum();
            e.into_iter().map(|x| x / sum).collect()
        }
    }
}

/// How a segmenter's channels become maps.
pub(crate) struct MapForm<'a> {
    pub activation: Activation,
    pub layout: MapLayout,
    /// Class of each channel; none for background.
    pub channels: &'a [Option<usize>],
}

/// How far beside 0 and 1 a probability may lie: what rounding in 16 bits makes of one.
pub(crate) const PROBABILITY_SLACK: f32 = 0.01;

/// A value that no probability can be, with its likely cause.
pub(crate) fn no_probability(value: f32) -> String {
    format!("a probability is {value}: does the output need activation = \"sigmoid\" or \"softmax\"?")
}

/// Probability maps of a segmenter: `[c, h, w]`, `[h, w, c]`, or `[h, w]` for one channel.
pub(crate) fn maps(raw: &Raw<'_>, form: &MapForm<'_>) -> Result<Vec<ProbabilityMap>, String> {
    let (c, h, w) = axes(raw.shape, form.layout)?;
    if c != form.channels.len() {
        return Err(format!(
            "the output has {c} channels, the manifest names {}",
            form.channels.len()
        ));
    }
    let area = h * w;
    let (step, offset) = match form.layout {
        MapLayout::Nhwc => (c, 1),
        MapLayout::Nchw => (1, area),
    };
    let norm =
        (form.activation == Activation::Softmax).then(|| SoftmaxNorm::new(raw.values, c, area, form.layout));
    let mut out = Vec::new();
    for (channel, class) in form.channels.iter().enumerate() {
        let Some(class) = *class else { continue };
        let all = &raw.values[channel * offset..];
        let logits = all.iter().step_by(step).take(area);
        let values: Vec<f32> = match (&norm, form.activation) {
            (Some(norm), _) => logits.enumerate().map(|(i, &x)| norm.probability(i, x)).collect(),
            (None, Activation::Sigmoid) => logits.map(|&x| sigmoid(x)).collect(),
            // A plane as it is: copied at once, not value by value.
            (None, _) if step == 1 => all[..area].to_vec(),
            (None, _) => logits.copied().collect(),
        };
        if form.activation == Activation::None {
            let (low, high) = values
                .iter()
                .fold((0.0f32, 1.0f32), |(low, high), v| (low.min(*v), high.max(*v)));
            if low < -PROBABILITY_SLACK || high > 1.0 + PROBABILITY_SLACK {
                return Err(no_probability(if low < -PROBABILITY_SLACK { low } else { high }));
            }
        }
        out.push(ProbabilityMap {
            class,
            width: w,
            height: h,
            values,
            covers: raw.covers,
        });
    }
    Ok(out)
}

fn axes(shape: &[usize], layout: MapLayout) -> Result<(usize, usize, usize), String> {
    match (shape, layout) {
        ([h, w], _) => Ok((1, *h, *w)),
        ([c, h, w], MapLayout::Nchw) | ([h, w, c], MapLayout::Nhwc) => Ok((*c, *h, *w)),
        _ => Err(format!(
            "the output has {} axes besides the batch, expected 2 or 3",
            shape.len()
        )),
    }
}

/// Per pixel: the largest logit and the sum of exponentials, so that channels are visited one by one.
struct SoftmaxNorm {
    top: Vec<f32>,
    sum: Vec<f32>,
}

impl SoftmaxNorm {
    fn new(values: &[f32], channels: usize, area: usize, layout: MapLayout) -> Self {
        let at = |c: usize, i: usize| match layout {
            MapLayout::Nhwc => values[i * channels + c],
            MapLayout::Nchw => values[c * area + i],
        };
        let mut top = vec![f32::NEG_INFINITY; area];
        for c in 0..channels {
            for (i, t) in top.iter_mut().enumerate() {
                *t = t.max(at(c, i));
            }
        }
        let mut sum = vec![0.0; area];
        for c in 0..channels {
            for (i, s) in sum.iter_mut().enumerate() {
                *s += (at(c, i) - top[i]).exp();
            }
        }
        Self { top, sum }
    }

    fn probability(&self, pixel: usize, logit: f32) -> f32 {
        (logit - self.top[pixel]).exp() / self.sum[pixel]
    }
}

/// The best vehicle of a locator's output.
pub(crate) fn vehicle(
    raw: &Raw<'_>,
    form: LocatorForm,
    activation: Activation,
    threshold: f32,
    input: Size,
) -> Result<Vehicle, String> {
    let found = match form {
        LocatorForm::Boxes => best_box(raw, activation, threshold, input)?,
        LocatorForm::Map => map_box(raw, activation, threshold)?,
    };
    Ok(found.map_or(Vehicle::Absent, |(b, score)| {
        let c = raw.covers;
        let x = |u: f32| (c.x0 + u * c.width()).clamp(0.0, 1.0);
        let y = |v: f32| (c.y0 + v * c.height()).clamp(0.0, 1.0);
        let region = UnitRect {
            x0: x(b.x0),
            y0: y(b.y0),
            x1: x(b.x1),
            y1: y(b.y1),
        };
        if region.width() > 0.0 && region.height() > 0.0 {
            Vehicle::Found { region, score }
        } else {
            Vehicle::Absent
        }
    }))
}

/// Best row of `[k, 5]`, as fractions of the input.
fn best_box(
    raw: &Raw<'_>,
    activation: Activation,
    threshold: f32,
    input: Size,
) -> Result<Option<(UnitRect, f32)>, String> {
    let [_, 5] = raw.shape else {
        return Err(format!("a boxes output is [n, k, 5], not [n, {:?}]", raw.shape));
    };
    let score = |row: &[f32]| match activation {
        Activation::None => row[4],
        Activation::Sigmoid | Activation::Softmax => sigmoid(row[4]),
    };
    let best = raw
        .values
        .chunks_exact(5)
        .filter(|r| score(r) >= threshold)
        .max_by(|a, b| score(a).total_cmp(&score(b)));
    let (w, h) = (input.width as f32, input.height as f32);
    Ok(best.map(|r| {
        (
            UnitRect {
                x0: r[0] / w,
                y0: r[1] / h,
                x1: r[2] / w,
                y1: r[3] / h,
            },
            score(r),
        )
    }))
}

/// Box around the pixels of `[1, h, w]` at or above the threshold, as fractions of the input.
fn map_box(raw: &Raw<'_>, activation: Activation, threshold: f32) -> Result<Option<(UnitRect, f32)>, String> {
    let form = MapForm {
        activation,
        layout: MapLayout::Nchw,
        channels: &[Some(0)],
    };
    let maps = maps(raw, &form)?;
    let Some(map) = maps.first() else { return Ok(None) };
    let (mut x0, mut y0, mut x1, mut y1, mut top) = (usize::MAX, usize::MAX, 0, 0, 0.0f32);
    for (i, &p) in map.values.iter().enumerate().filter(|(_, p)| **p >= threshold) {
        let (x, y) = (i % map.width, i / map.width);
        (x0, y0, x1, y1, top) = (x0.min(x), y0.min(y), x1.max(x + 1), y1.max(y + 1), top.max(p));
    }
    let (w, h) = (map.width as f32, map.height as f32);
    let rect = UnitRect {
        x0: x0 as f32 / w,
        y0: y0 as f32 / h,
        x1: x1 as f32 / w,
        y1: y1 as f32 / h,
    };
    Ok((x1 > 0).then_some((rect, top)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw<'a>(shape: &'a [usize], values: &'a [f32]) -> Raw<'a> {
        Raw {
            shape,
            values,
            covers: UnitRect::WHOLE,
        }
    }

    #[test]
    fn what_is_no_number_is_refused_whatever_would_be_made_of_it() {
        assert_eq!(require_finite("x", &[0.0, -1e30, f32::MAX]), Ok(()));
        for wrong in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let error = require_finite("x", &[0.5, wrong, 0.5]).unwrap_err();
            assert!(error.contains(&format!("`x` holds {wrong}")), "{error}");
        }
    }

    #[test]
    fn gate_adds_the_positive_channels() {
        let p = gate(&raw(&[3], &[0.0, 0.0, 0.0]), Activation::Softmax, &[1, 2]).unwrap();
        assert!((p - 2.0 / 3.0).abs() < 1e-6);
        assert!((gate(&raw(&[], &[0.0]), Activation::Sigmoid, &[0]).unwrap() - 0.5).abs() < 1e-6);
        assert!(gate(&raw(&[1], &[0.5]), Activation::None, &[1]).is_err());
    }

    #[test]
    fn softmax_maps_agree_between_layouts_and_sum_to_one() {
        let nchw = [1.0, 2.0, 3.0, 0.0, -1.0, 5.0];
        let nhwc = [1.0, 3.0, -1.0, 2.0, 0.0, 5.0];
        let channels = [Some(0), Some(1), Some(2)];
        let form = |layout| MapForm {
            activation: Activation::Softmax,
            layout,
            channels: &channels,
        };
        let a = maps(&raw(&[3, 1, 2], &nchw), &form(MapLayout::Nchw)).unwrap();
        let b = maps(&raw(&[1, 2, 3], &nhwc), &form(MapLayout::Nhwc)).unwrap();
        for i in 0..2 {
            let sum: f32 = a.iter().map(|m| m.values[i]).sum();
            assert!((sum - 1.0).abs() < 1e-6);
            for (x, y) in a.iter().zip(&b) {
                assert!((x.values[i] - y.values[i]).abs() < 1e-6);
            }
        }
    }

    #[test]
    fn background_channels_give_no_map_and_counts_must_agree() {
        let channels = [None, Some(4)];
        let form = MapForm {
            activation: Activation::None,
            layout: MapLayout::Nchw,
            channels: &channels,
        };
        let got = maps(&raw(&[2, 1, 1], &[0.9, 0.1]), &form).unwrap();
        assert_eq!((got.len(), got[0].class, got[0].values[0]), (1, 4, 0.1));
        assert!(maps(&raw(&[3, 1, 1], &[0.0; 3]), &form).is_err());
    }

    #[test]
    fn values_that_no_probability_can_be_are_refused_with_the_likely_cause() {
        let form = MapForm {
            activation: Activation::None,
            layout: MapLayout::Nchw,
            channels: &[Some(0)],
        };
        assert!(
            maps(&raw(&[1, 1, 2], &[-0.005, 1.005]), &form).is_ok(),
            "rounding in 16 bits"
        );
        for value in [4.25, 1171.6, -0.43] {
            let map = maps(&raw(&[1, 1, 2], &[0.5, value]), &form).unwrap_err();
            let gate = gate(&raw(&[2], &[0.5, value]), Activation::None, &[0]).unwrap_err();
            for error in [map, gate] {
                assert!(
                    error.contains(&value.to_string()) && error.contains("sigmoid"),
                    "{error}"
                );
            }
        }
    }

    #[test]
    fn boxes_are_mapped_through_what_the_tensor_covered() {
        let values = [0.0, 0.0, 10.0, 10.0, 0.3, 25.0, 50.0, 75.0, 100.0, 0.9];
        let letterboxed = Raw {
            shape: &[2, 5],
            values: &values,
            covers: UnitRect {
                x0: 0.0,
                y0: -0.5,
                x1: 1.0,
                y1: 1.5,
            },
        };
        let got = vehicle(
            &letterboxed,
            LocatorForm::Boxes,
            Activation::None,
            0.5,
            Size::new(100, 100),
        )
        .unwrap();
        let Vehicle::Found { region, score } = got else {
            panic!("{got:?}")
        };
        assert_eq!(score, 0.9);
        assert_eq!(
            region,
            UnitRect {
                x0: 0.25,
                y0: 0.5,
                x1: 0.75,
                y1: 1.0
            }
        );
    }

    #[test]
    fn nothing_above_the_threshold_is_no_vehicle() {
        let size = Size::new(4, 4);
        let map = raw(&[1, 2, 2], &[0.1, 0.2, 0.3, 0.4]);
        assert_eq!(
            vehicle(&map, LocatorForm::Map, Activation::None, 0.5, size).unwrap(),
            Vehicle::Absent
        );
        let boxes = raw(&[1, 5], &[0.0, 0.0, 4.0, 4.0, 0.4]);
        assert_eq!(
            vehicle(&boxes, LocatorForm::Boxes, Activation::None, 0.5, size).unwrap(),
            Vehicle::Absent
        );
    }
}
