//! Networks and their tensors, for display.

use crate::manifest::Role;
use ort::value::{Outlet, ValueType};

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

/// A tensor of a session, for display.
pub(super) fn tensor_report(outlet: &Outlet) -> TensorReport {
    let shape = match outlet.dtype() {
        ValueType::Tensor { ty, shape, .. } => format!("{ty:?} {shape:?}"),
        other => other.to_string(),
    };
    TensorReport {
        name: outlet.name().to_owned(),
        shape,
    }
}
