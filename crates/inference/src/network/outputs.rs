//! Outputs of a run as plain numbers, and what each view gets of them.

use crate::outputs::Raw;
use ort::value::{DynValue, TensorElementType, ValueType};
use std::borrow::Cow;
use walkaround_domain::UnitRect;

/// One output tensor, widened to 32-bit floats.
pub(crate) struct Wide<'a> {
    shape: Vec<usize>,
    values: Cow<'a, [f32]>,
}

impl<'a> Wide<'a> {
    /// # Errors
    /// When the output is no tensor of numbers.
    pub(crate) fn of(output: &'a DynValue) -> Result<Self, String> {
        let text = |e: ort::Error| e.to_string();
        let ValueType::Tensor { ty, .. } = output.dtype() else {
            return Err("the output is not a tensor".into());
        };
        macro_rules! widened {
            ($element:ty, $widen:expr) => {{
                let (shape, values) = output.try_extract_tensor::<$element>().map_err(text)?;
                (shape, Cow::Owned(values.iter().map($widen).collect()))
            }};
        }
        let (shape, values) = match ty {
            TensorElementType::Float32 => {
                let (shape, values) = output.try_extract_tensor::<f32>().map_err(text)?;
                (shape, Cow::Borrowed(values))
            }
            TensorElementType::Float16 => widened!(half::f16, |v| v.to_f32()),
            // Numbers of classes: small, and exact in 24 bits.
            TensorElementType::Int64 => widened!(i64, |v| *v as f32),
            TensorElementType::Int32 => widened!(i32, |v| *v as f32),
            TensorElementType::Uint8 => widened!(u8, |v| f32::from(*v)),
            other => return Err(format!("the output is {other:?}")),
        };
        Ok(Self {
            shape: shape.iter().map(|&d| usize::try_from(d).unwrap_or(0)).collect(),
            values,
        })
    }

    /// Its axes and values.
    pub(crate) fn into_parts(self) -> (Vec<usize>, Vec<f32>) {
        (self.shape, self.values.into_owned())
    }

    pub(super) fn rank(&self) -> usize {
        self.shape.len()
    }

    /// The part of view `at` of a batch of `bucket`.
    pub(super) fn part(&self, at: usize, bucket: usize, covers: UnitRect) -> Result<Raw<'_>, String> {
        let Some((&n, inner)) = self.shape.split_first() else {
            return Err("the output is a scalar".into());
        };
        if n != bucket {
            return Err(format!("the output has {n} rows for a batch of {bucket}"));
        }
        let size: usize = inner.iter().product();
        Ok(Raw {
            shape: inner,
            values: &self.values[at * size..(at + 1) * size],
            covers,
        })
    }

    /// All of it, for a graph without a batch axis.
    pub(super) fn whole(&self, covers: UnitRect) -> Raw<'_> {
        Raw {
            shape: &self.shape,
            values: &self.values,
            covers,
        }
    }
}
