//! The output of a network: what each role reads of it, every value in its range.

use super::activation::Activation;
use super::bounds::{ensure, share};
use super::instances::{Column, InstanceForm, MaskForm, MaskFrame, RowTensor, Unit};
use super::raw;
use super::role::Role;
use super::{Head, LocatorForm, MapLayout};

/// Most classes that a network distinguishes.
const CLASS_NUMBERS_MAX: usize = 10_000;

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
    match (role, raw.form) {
        (raw::Role::Locator, Some(raw::Form::Instances)) => detector(raw, Role::Locator),
        (raw::Role::Gate, Some(raw::Form::Instances)) => detector(raw, Role::Gate),
        (raw::Role::Locator, _) => locator(raw),
        (raw::Role::Gate, _) => gate(raw),
        (raw::Role::Segmenter, Some(raw::Form::Instances)) => {
            let keys = [
                "threshold",
                "form",
                "channels",
                "overlap",
                "per_row",
                "unit",
                "rows",
                "masks",
            ];
            only(raw, &keys)?;
            let form = instances(raw, Role::Segmenter, channels(raw, class)?)?;
            Ok(Head::Instances(form))
        }
        (raw::Role::Segmenter, Some(raw::Form::Classes)) => {
            ensure(raw.layout.is_none(), || "class numbers have no layout".into())?;
            only(raw, &["channels", "form"])?;
            ensure(matches!(raw.activation, raw::Activation::None), || {
                "class numbers have no activation".into()
            })?;
            Ok(Head::ClassMap {
                channels: channels(raw, class)?,
            })
        }
        (raw::Role::Segmenter, _) => maps(raw, class),
    }
}

fn threshold(raw: &raw::Output) -> Result<f32, String> {
    share("threshold", raw.threshold.ok_or("threshold is missing")?)
}

/// Objects as a locator or a gate.
fn detector(raw: &raw::Output, purpose: Role) -> Result<Head, String> {
    let keys = [
        "threshold",
        "form",
        "positive",
        "class_count",
        "unit",
        "rows",
        "masks",
    ];
    only(raw, &keys)?;
    Ok(Head::Instances(instances(raw, purpose, positive_classes(raw)?)?))
}

fn locator(raw: &raw::Output) -> Result<Head, String> {
    only(raw, &["threshold", "form"])?;
    let form = match raw.form.ok_or("form is missing: boxes, map or instances")? {
        raw::Form::Boxes => LocatorForm::Boxes,
        raw::Form::Map => LocatorForm::Map,
        raw::Form::Classes | raw::Form::Instances => {
            return Err("a locator's form must be boxes, map or instances".into());
        }
    };
    Ok(Head::Locator {
        form,
        threshold: threshold(raw)?,
    })
}

fn gate(raw: &raw::Output) -> Result<Head, String> {
    ensure(raw.form.is_none(), || {
        "a gate's form must be instances; leave it out for probabilities of channels".into()
    })?;
    only(raw, &["threshold", "positive"])?;
    let positive = raw
        .positive
        .clone()
        .ok_or("positive is missing: channels that mean damage")?;
    ensure(!positive.is_empty(), || "positive is empty".into())?;
    Ok(Head::Gate {
        positive,
        threshold: threshold(raw)?,
    })
}

/// Maps of a segmenter.
fn maps(raw: &raw::Output, class: &dyn Fn(&str) -> Option<usize>) -> Result<Head, String> {
    only(raw, &["channels", "layout", "decide", "form"])?;
    ensure(!matches!(raw.form, Some(raw::Form::Boxes)), || {
        "a segmenter's form must be map, classes or instances".into()
    })?;
    let channels = channels(raw, class)?;
    let argmax = raw.decide == Some(raw::Decide::Argmax);
    ensure(!argmax || channels.len() > 1, || {
        "decide = \"argmax\" needs several channels".into()
    })?;
    Ok(Head::Segmenter {
        channels,
        layout: match raw.layout {
            None | Some(raw::Layout::Nchw) => MapLayout::Nchw,
            Some(raw::Layout::Nhwc) => MapLayout::Nhwc,
        },
        argmax,
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
                .ok_or_else(|| format!("channel `{name}` is not a class of the bundle")),
        })
        .collect::<Result<Vec<_>, _>>()?;
    ensure(channels.iter().any(Option::is_some), || {
        "channels names no class".into()
    })?;
    Ok(channels)
}

/// Which class numbers mean a vehicle or damage.
fn positive_classes(raw: &raw::Output) -> Result<Vec<Option<usize>>, String> {
    let positive = raw
        .positive
        .as_ref()
        .ok_or("positive is missing: the wanted class numbers")?;
    let most = *positive.iter().max().ok_or("positive is empty")?;
    ensure(most < CLASS_NUMBERS_MAX, || {
        format!(
            "positive names class {most}, expected 0 to {}",
            CLASS_NUMBERS_MAX - 1
        )
    })?;
    let count = raw.class_count.unwrap_or(most + 1);
    ensure(count > most && count <= CLASS_NUMBERS_MAX, || {
        format!(
            "class_count is {count}, expected {} to {CLASS_NUMBERS_MAX}",
            most + 1
        )
    })?;
    let wanted = |number: usize| positive.contains(&number).then_some(0);
    Ok((0..count).map(wanted).collect())
}

fn instances(raw: &raw::Output, purpose: Role, channels: Vec<Option<usize>>) -> Result<InstanceForm, String> {
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
                    Column::parse(word).ok_or_else(|| format!("rows.{tensor}: `{word}` is not a column"))
                })
                .collect::<Result<Vec<_>, _>>()?;
            ensure(!columns.is_empty(), || format!("rows.{tensor} names no column"))?;
            Ok(RowTensor {
                tensor: tensor.clone(),
                columns,
                columns_first: false,
            })
        })
        .collect::<Result<Vec<_>, String>>()?;
    let form = InstanceForm {
        purpose,
        rows,
        channels,
        activation: activation(raw.activation),
        threshold: threshold(raw)?,
        each: raw.per_row == Some(raw::PerRow::Each),
        overlap: raw.overlap.map(|o| share("overlap", o)).transpose()?,
        unit: match raw.unit {
            None | Some(raw::Unit::Pixels) => Unit::Pixels,
            Some(raw::Unit::Share) => Unit::Share,
        },
        masks: raw.masks.as_ref().map(masks).transpose()?,
    };
    form.check()?;
    ensure(
        purpose == Role::Segmenter || raw.class_count.is_some() || !form.has(Column::Classes),
        || "class_count is missing: the number of columns of `classes`".into(),
    )?;
    Ok(form)
}

fn masks(raw: &raw::Masks) -> Result<MaskForm, String> {
    let activation = activation(raw.activation);
    ensure(activation != Activation::Softmax, || {
        "masks.activation must be none or sigmoid".into()
    })?;
    Ok(MaskForm {
        tensor: raw.tensor.clone(),
        frame: match raw.over {
            None | Some(raw::Over::View) => MaskFrame::View,
            Some(raw::Over::Box) => MaskFrame::Box,
            Some(raw::Over::PixelBox) => MaskFrame::PixelBox,
        },
        activation,
        in_score: raw.in_score,
    })
}

/// Refuses output keys that belong to another role: they would be ignored silently.
fn only(raw: &raw::Output, allowed: &[&str]) -> Result<(), String> {
    let given = [
        ("threshold", raw.threshold.is_some()),
        ("positive", raw.positive.is_some()),
        ("channels", raw.channels.is_some()),
        ("layout", raw.layout.is_some()),
        ("decide", raw.decide.is_some()),
        ("form", raw.form.is_some()),
        ("overlap", raw.overlap.is_some()),
        ("per_row", raw.per_row.is_some()),
        ("class_count", raw.class_count.is_some()),
        ("unit", raw.unit.is_some()),
        ("rows", raw.rows.is_some()),
        ("masks", raw.masks.is_some()),
    ];
    match given.iter().find(|(key, set)| *set && !allowed.contains(key)) {
        Some((key, _)) => Err(format!("{key} does not belong to this role")),
        None => Ok(()),
    }
}
