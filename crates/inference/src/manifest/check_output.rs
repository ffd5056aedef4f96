//! The output of a network: what each role reads of it, every value in its range.

use super::activation::Activation;
use super::bounds::{ensure, share};
use super::instances::{Column, InstanceForm, MaskForm, MaskFrame, RowTensor, Unit};
use super::raw;
use super::{Head, LocatorForm, MapLayout};

pub(super) fn activation(raw: raw::Activation) -> Activation {
    match raw {
        raw::Activation::None => Activation::None,
        raw::Activation::Sigmoid => Activation::Sigmoid,
        raw::Activation::Softmax => Activation::Softmax,
    }
}

pub(super) fn head(
    role: raw::Role,
    raw: &raw::Output,
    class: &dyn Fn(&str) -> Option<usize>,
) -> Result<Head, String> {
    let threshold = || share("threshold", raw.threshold.ok_or("threshold is missing")?);
    match role {
        raw::Role::Locator => {
            only(raw, &["threshold", "form"])?;
            let form = match raw.form.ok_or("form is missing: boxes or map")? {
                raw::Form::Boxes => LocatorForm::Boxes,
                raw::Form::Map => LocatorForm::Map,
                raw::Form::Classes | raw::Form::Instances => {
                    return Err("a locator's form is boxes or map".into());
                }
            };
            Ok(Head::Locator {
                form,
                threshold: threshold()?,
            })
        }
        raw::Role::Gate => {
            only(raw, &["threshold", "positive"])?;
            let positive = raw
                .positive
                .clone()
                .ok_or("positive is missing: channels that mean damage")?;
            ensure(!positive.is_empty(), || "positive is empty".into())?;
            Ok(Head::Gate {
                positive,
                threshold: threshold()?,
            })
        }
        raw::Role::Segmenter if matches!(raw.form, Some(raw::Form::Instances)) => {
            only(
                raw,
                &[
                    "threshold",
                    "form",
                    "channels",
                    "overlap",
                    "unit",
                    "rows",
                    "masks",
                ],
            )?;
            let form = instances(raw, channels(raw, class)?, threshold()?)?;
            Ok(Head::Instances(form))
        }
        raw::Role::Segmenter => {
            only(raw, &["channels", "layout", "form"])?;
            ensure(!matches!(raw.form, Some(raw::Form::Boxes)), || {
                "a segmenter's form is map, classes or instances".into()
            })?;
            let channels = channels(raw, class)?;
            let layout = map_layout(raw)?;
            Ok(Head::Segmenter { channels, layout })
        }
    }
}

fn map_layout(raw: &raw::Output) -> Result<MapLayout, String> {
    Ok(match (raw.form, raw.layout) {
        (Some(raw::Form::Classes), None) => {
            ensure(raw.activation == raw::Activation::None, || {
                "class numbers have no activation".into()
            })?;
            MapLayout::Numbers
        }
        (Some(raw::Form::Classes), Some(_)) => return Err("class numbers have no layout".into()),
        (_, None | Some(raw::Layout::Nchw)) => MapLayout::Nchw,
        (_, Some(raw::Layout::Nhwc)) => MapLayout::Nhwc,
    })
}

/// The class of each channel, or of each class number.
fn channels(raw: &raw::Output, class: &dyn Fn(&str) -> Option<usize>) -> Result<Vec<Option<usize>>, String> {
    let names = raw
        .channels
        .as_ref()
        .ok_or("channels is missing: the class of each channel")?;
    let channels = names
        .iter()
        .map(|name| match name.as_str() {
            "" => Ok(None),
            name => class(name)
                .map(Some)
                .ok_or_else(|| format!("channel `{name}` is no class")),
        })
        .collect::<Result<Vec<_>, _>>()?;
    ensure(channels.iter().any(Option::is_some), || {
        "channels name no class".into()
    })?;
    Ok(channels)
}

fn instances(
    raw: &raw::Output,
    channels: Vec<Option<usize>>,
    threshold: f32,
) -> Result<InstanceForm, String> {
    let rows = raw
        .rows
        .as_ref()
        .ok_or("rows is missing: each tensor and its columns")?;
    ensure(!rows.is_empty(), || "rows names no tensor".into())?;
    let rows = rows
        .iter()
        .map(|(tensor, columns)| {
            let columns = columns
                .iter()
                .map(|word| {
                    Column::parse(word).ok_or_else(|| format!("rows.{tensor}: `{word}` is no column"))
                })
                .collect::<Result<Vec<_>, _>>()?;
            ensure(!columns.is_empty(), || format!("rows.{tensor} names no column"))?;
            Ok(RowTensor {
                tensor: tensor.clone(),
                columns,
            })
        })
        .collect::<Result<Vec<_>, String>>()?;
    let form = InstanceForm {
        rows,
        channels,
        activation: activation(raw.activation),
        threshold,
        overlap: raw.overlap.map(|o| share("overlap", o)).transpose()?,
        unit: match raw.unit {
            None | Some(raw::Unit::Pixels) => Unit::Pixels,
            Some(raw::Unit::Share) => Unit::Share,
        },
        masks: raw.masks.as_ref().map(masks).transpose()?,
    };
    form.check()?;
    Ok(form)
}

fn masks(raw: &raw::Masks) -> Result<MaskForm, String> {
    let activation = activation(raw.activation);
    ensure(activation != Activation::Softmax, || {
        "masks.activation is none or sigmoid".into()
    })?;
    Ok(MaskForm {
        tensor: raw.tensor.clone(),
        frame: match raw.over {
            None | Some(raw::Over::View) => MaskFrame::View,
            Some(raw::Over::Box) => MaskFrame::Box,
        },
        activation,
    })
}

/// Refuses output keys that belong to another role: they would be ignored silently.
fn only(raw: &raw::Output, allowed: &[&str]) -> Result<(), String> {
    let given = [
        ("threshold", raw.threshold.is_some()),
        ("positive", raw.positive.is_some()),
        ("channels", raw.channels.is_some()),
        ("layout", raw.layout.is_some()),
        ("form", raw.form.is_some()),
        ("overlap", raw.overlap.is_some()),
        ("unit", raw.unit.is_some()),
        ("rows", raw.rows.is_some()),
        ("masks", raw.masks.is_some()),
    ];
    match given.iter().find(|(key, set)| *set && !allowed.contains(key)) {
        Some((key, _)) => Err(format!("{key} does not belong to this role")),
        None => Ok(()),
    }
}
