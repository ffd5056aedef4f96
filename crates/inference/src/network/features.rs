//! Values that one network hands over to another: out of the outputs of a batch, and into the inputs of the next.

use crate::shared_encoder::Feature;
use ort::memory::Allocator;
use ort::session::IoBinding;
use ort::value::{DynTensor, DynValue, Outlet, TensorElementType, ValueType};
use walkaround_domain::UnitRect;

/// What an encoder says of one view of a photo.
#[derive(Debug, Clone)]
pub(crate) struct Encoded {
    /// The bytes of each feature.
    pub(crate) parts: Vec<Vec<u8>>,
    /// The part of the photo that the input covered.
    pub(crate) covers: UnitRect,
}

/// The axes of each feature behind that of the batch, as the session has them; none where one is free.
pub(crate) fn shapes(features: &[Feature], outlets: &[Outlet]) -> Option<Vec<Vec<i64>>> {
    let shape = |feature: &Feature| {
        let outlet = outlets.iter().find(|outlet| outlet.name() == feature.name)?;
        let ValueType::Tensor { ty, shape, .. } = outlet.dtype() else {
            return None;
        };
        let wanted = if feature.is_signed() {
            TensorElementType::Int8
        } else {
            TensorElementType::Uint8
        };
        let (batch, inner) = shape.split_first()?;
        let fits = *ty == wanted && *batch < 0 && inner.iter().all(|&axis| axis > 0);
        fits.then(|| shape.to_vec())
    };
    features.iter().map(shape).collect()
}

/// The bytes of one view of a batch of `bucket`.
pub(super) fn part(output: &DynValue, at: usize, bucket: usize) -> Result<Vec<u8>, String> {
    let text = |e: ort::Error| e.to_string();
    let signed = matches!(
        output.dtype(),
        ValueType::Tensor {
            ty: TensorElementType::Int8,
            ..
        }
    );
    if signed {
        let (_, values) = output.try_extract_tensor::<i8>().map_err(text)?;
        let size = values.len() / bucket;
        Ok(values[at * size..][..size]
            .iter()
            .map(|&v| v.cast_unsigned())
            .collect())
    } else {
        let (_, values) = output.try_extract_tensor::<u8>().map_err(text)?;
        let size = values.len() / bucket;
        Ok(values[at * size..][..size].to_vec())
    }
}

/// Binds the features of some views as the inputs of a batch of `bucket`; the slots of views that are not there are zero.
pub(super) fn bind(
    binding: &mut IoBinding,
    takes: &[(Feature, Vec<i64>)],
    views: &[Encoded],
    bucket: usize,
) -> Result<(), String> {
    let text = |e: ort::Error| e.to_string();
    for (k, (feature, shape)) in takes.iter().enumerate() {
        let axes: Vec<usize> = shape
            .iter()
            .map(|&axis| usize::try_from(axis).unwrap_or(bucket))
            .collect();
        let element = if feature.is_signed() {
            TensorElementType::Int8
        } else {
            TensorElementType::Uint8
        };
        let mut tensor = DynTensor::new(&Allocator::default(), element, &axes[..]).map_err(text)?;
        let parts = views.iter().map(|view| &view.parts[k]);
        if feature.is_signed() {
            let (_, values) = tensor.try_extract_tensor_mut::<i8>().map_err(text)?;
            values.fill(0);
            let size = values.len() / bucket;
            for (slot, part) in values.chunks_exact_mut(size).zip(parts) {
                slot.iter_mut()
                    .zip(part)
                    .for_each(|(to, from)| *to = from.cast_signed());
            }
        } else {
            let (_, values) = tensor.try_extract_tensor_mut::<u8>().map_err(text)?;
            values.fill(0);
            let size = values.len() / bucket;
            for (slot, part) in values.chunks_exact_mut(size).zip(parts) {
                slot.copy_from_slice(part);
            }
        }
        binding.bind_input(&feature.name, &tensor).map_err(text)?;
    }
    Ok(())
}
