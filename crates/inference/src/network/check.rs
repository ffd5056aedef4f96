//! A graph's inputs and outputs against what the manifest says of them.

use super::input::element_type;
use crate::manifest::{Activation, Column, Head, InstanceForm, LocatorForm, MapLayout, NetworkSpec, Role};
use ort::value::{DynTensor, Outlet, Tensor, TensorElementType, ValueType};
use walkaround_vision::tensor::Layout;

pub(super) fn find<'a>(
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
        other => Err(format!("{what} `{wanted}` is not a tensor but {other}")),
    }
}

/// How many photos a graph takes at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Batch {
    /// Any number.
    Free,
    /// So many.
    Fixed(usize),
    /// One, and the tensor has no axis for more.
    NoAxis,
}

/// Whether the graph's inputs are those of the manifest, and how many photos they hold.
pub(super) fn check_input(spec: &NetworkSpec, inputs: &[Outlet]) -> Result<Batch, String> {
    let (ty, shape) = find("input", &spec.input_tensor, inputs)?;
    let given = |name: &str| name == spec.input_tensor || spec.constants.iter().any(|(c, _)| c == name);
    if let Some(other) = inputs.iter().find(|input| !given(input.name())) {
        return Err(format!(
            "the graph has another input, `{}`: list it under input.constants",
            other.name()
        ));
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
    // Without a batch axis (torchvision's detectors) the graph takes one photo at a time.
    let axes = |shape: &[i64]| shape.iter().zip(&expected[1..]).all(|(&s, &e)| s < 0 || s == e);
    match shape.len() {
        3 if axes(shape) => return Ok(Batch::NoAxis),
        4 if axes(&shape[1..]) => {}
        _ => {
            return Err(format!(
                "input `{}` is {shape:?}, the manifest says {expected:?}",
                spec.input_tensor
            ));
        }
    }
    match shape[0] {
        n if n < 0 => Ok(Batch::Free),
        n if (1..=64).contains(&n) => Ok(Batch::Fixed(n as usize)),
        n => Err(format!(
            "the graph fixes a batch of {n}, expected 1 to 64 or a free dimension"
        )),
    }
}

/// Whether the graph takes one photo at a time, as its outputs say. Completes the instance form by what they declare.
pub(super) fn check_outputs(spec: &mut NetworkSpec, outputs: &[Outlet]) -> Result<bool, String> {
    match &mut spec.head {
        Head::Instances(form) => {
            let single = check_instances(form, outputs)?;
            orient(form, outputs)?;
            Ok(single)
        }
        _ => {
            let name = &spec.output_tensors[0];
            check_output(spec, name, outputs)?;
            // An output of one photo is not cut into several, whatever the input says.
            let (_, shape) = find("output", name, outputs)?;
            Ok(shape.first() == Some(&1))
        }
    }
}

/// Types and ranks of an instance form's tensors; their sizes are often free, and the first run shows them.
fn check_instances(form: &InstanceForm, outputs: &[Outlet]) -> Result<bool, String> {
    let mut single = false;
    for name in form.tensors() {
        let (ty, shape) = find("output", &name, outputs)?;
        use TensorElementType::{Float16, Float32, Int32, Int64, Uint8};
        if !matches!(ty, Float16 | Float32 | Int32 | Int64 | Uint8) {
            return Err(format!("output `{name}` is {ty:?}, expected floats or integers"));
        }
        let rows = form.rows.iter().find(|rows| rows.tensor == name);
        // A shape that is not declared has no axes here.
        single |= shape.is_empty() || shape[0] == 1;
        match rows {
            Some(rows) if rows.columns.len() > 1 => match shape.len() {
                0 | 3 => {}
                2 => single = true,
                _ => return Err(format!("output `{name}` is {shape:?}, expected rows of columns")),
            },
            Some(_) if shape.len() > 3 => {
                return Err(format!("output `{name}` is {shape:?}, expected one column"));
            }
            None if !matches!(shape.len(), 0 | 3 | 4) => {
                return Err(format!(
                    "output `{name}` is {shape:?}, expected masks or prototypes"
                ));
            }
            _ => {}
        }
    }
    Ok(single)
}

/// Finds which axis the columns of each row tensor are, as far as the graph declares it.
fn orient(form: &mut InstanceForm, outputs: &[Outlet]) -> Result<(), String> {
    let prototypes = match &form.masks {
        Some(masks) => {
            let (_, shape) = find("output", &masks.tensor, outputs)?;
            let axis = shape.len().checked_sub(3);
            axis.and_then(|axis| usize::try_from(shape[axis]).ok())
        }
        None => None,
    };
    let classes = form.channels.len();
    for rows in &mut form.rows {
        let (_, shape) = find("output", &rows.tensor, outputs)?;
        let width = |column: &Column| match column {
            Column::Classes => Some(classes),
            Column::Coefficients => prototypes,
            _ => Some(1),
        };
        let width: Option<usize> = rows.columns.iter().map(width).sum();
        let (Some(width), [.., first, last]) = (width.filter(|&w| w > 1), shape) else {
            continue;
        };
        let (first, last, columns) = (*first, *last, width as i64);
        if first == columns && last == columns {
            return Err(format!(
                "output `{}` is {shape:?}: its {columns} columns may be either axis; export another number of rows",
                rows.tensor
            ));
        }
        if first >= 0 && last >= 0 && first != columns && last != columns {
            return Err(format!(
                "output `{}` is {shape:?}, the manifest names {columns} columns ({classes} channels)",
                rows.tensor
            ));
        }
        rows.columns_first = first == columns;
    }
    Ok(())
}

/// Another input of a graph, with the same values for every photo.
pub(crate) struct Constant {
    pub(crate) name: String,
    element: TensorElementType,
    /// Whether its first axis is the batch.
    batched: bool,
    values: Vec<i64>,
}

impl Constant {
    /// The input of that name with these values.
    ///
    /// # Errors
    /// When the graph has none, or one that does not take them.
    pub(crate) fn of(name: &str, values: &[i64], inputs: &[Outlet]) -> Result<Self, String> {
        let (ty, shape) = find("input", name, inputs)?;
        use TensorElementType::{Float32, Int32, Int64};
        if !matches!(ty, Float32 | Int32 | Int64) {
            return Err(format!("input `{name}` takes {ty:?}, which no constant can be"));
        }
        let length = shape.last().copied().unwrap_or(-1);
        if !matches!(shape.len(), 1 | 2) || (length >= 0 && length != values.len() as i64) {
            return Err(format!(
                "input `{name}` is {shape:?}, the manifest gives {} values",
                values.len()
            ));
        }
        Ok(Self {
            name: name.to_owned(),
            element: *ty,
            batched: shape.len() == 2,
            values: values.to_vec(),
        })
    }

    /// The tensor for a batch.
    pub(crate) fn tensor(&self, bucket: usize) -> ort::Result<DynTensor> {
        let count = if self.batched { bucket } else { 1 };
        let all: Vec<i64> = std::iter::repeat_n(&self.values, count)
            .flatten()
            .copied()
            .collect();
        let shape = if self.batched {
            vec![bucket, self.values.len()]
        } else {
            vec![self.values.len()]
        };
        Ok(match self.element {
            TensorElementType::Int64 => Tensor::from_array((shape, all))?.upcast(),
            TensorElementType::Int32 => {
                Tensor::from_array((shape, all.iter().map(|&v| v as i32).collect::<Vec<_>>()))?.upcast()
            }
            _ => Tensor::from_array((shape, all.iter().map(|&v| v as f32).collect::<Vec<_>>()))?.upcast(),
        })
    }
}

pub(super) fn check_constants(spec: &NetworkSpec, inputs: &[Outlet]) -> Result<Vec<Constant>, String> {
    let constants = spec.constants.iter();
    constants
        .map(|(name, values)| Constant::of(name, values, inputs))
        .collect()
}

/// Floats, or whole numbers where they are class numbers.
fn check_type(spec: &NetworkSpec, name: &str, ty: TensorElementType) -> Result<(), String> {
    use TensorElementType::{Float16, Float32, Int32, Int64, Uint8};
    let is_numbers = matches!(spec.head, Head::ClassMap { .. });
    match ty {
        Float32 | Float16 => Ok(()),
        Int64 | Int32 | Uint8 if is_numbers => Ok(()),
        Int64 | Int32 | Uint8 if spec.role() == Role::Segmenter => Err(format!(
            "output `{name}` is {ty:?}: if it holds class numbers, set form = \"classes\""
        )),
        _ => Err(format!("output `{name}` is {ty:?}, expected Float32 or Float16")),
    }
}

fn check_output(spec: &NetworkSpec, name: &str, outputs: &[Outlet]) -> Result<(), String> {
    let (ty, shape) = find("output", name, outputs)?;
    check_type(spec, name, *ty)?;
    if shape.is_empty() {
        // The graph does not declare a shape: the first run (the self-test) shows it.
        return Ok(());
    }
    let wrong = |expected: &str| Err(format!("output `{name}` is {shape:?}, expected {expected}"));
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
        Head::Segmenter { channels, layout, .. } => {
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
        Head::ClassMap { .. } => {
            if !(shape.len() == 3 || shape.len() == 4 && matches!(shape[1], -1 | 1)) {
                return wrong("[n, h, w] or [n, 1, h, w] of class numbers");
            }
        }
        Head::Instances(_) => {}
    }
    Ok(())
}
