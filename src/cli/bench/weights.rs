//! Weights, inputs and our own outputs in one safetensors file, for other engines to compute the same.

use std::collections::HashMap;
use std::path::Path;

use anyhow::Context;
use safetensors::Dtype;
use safetensors::tensor::TensorView;
use serde_json::Value;

use crate::store;

/// Tensors in the order they are added, with a description of what they belong to.
pub struct Weights {
    description: Value,
    tensors: Vec<(String, Vec<usize>, Vec<f32>)>,
}

impl Weights {
    /// No tensor yet.
    pub fn new(description: Value) -> Self {
        Self { description, tensors: Vec::new() }
    }

    /// Adds a tensor.
    pub fn push(&mut self, name: impl Into<String>, shape: &[usize], values: Vec<f32>) {
        self.tensors.push((name.into(), shape.to_vec(), values));
    }

    /// Writes `folder/name.safetensors`; the description is the metadata entry `bench`.
    ///
    /// # Errors
    /// When a shape does not fit its values or the disk refuses.
    pub fn write(self, folder: &Path, name: &str) -> anyhow::Result<()> {
        let views = self.tensors.iter().map(|(name, shape, values)| {
            let view = TensorView::new(Dtype::F32, shape.clone(), bytemuck::cast_slice(values));
            Ok((name.clone(), view.with_context(|| format!("{name} {shape:?}"))?))
        });
        let views = views.collect::<anyhow::Result<Vec<_>>>()?;
        let metadata = HashMap::from([("bench".to_owned(), self.description.to_string())]);
        let bytes = safetensors::serialize(views, Some(metadata))?;
        Ok(store::write_atomic(&folder.join(format!("{name}.safetensors")), &bytes)?)
    }
}
