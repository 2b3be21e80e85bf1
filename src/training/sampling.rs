//! The sample grid: the same latents and findings at every stage of a run, drawn from the average of the generator.

use std::path::Path;

use candle_core::{Result, Tensor};

use super::TrainingError;
use super::reals::{RadiographSource, common_labels};
use super::spec::RunSpec;
use super::state::State;
use crate::compute::random;
use crate::generator::network::generate;
use crate::{radiograph, store};

/// Columns: latents.
const COLUMNS: usize = 8;
/// Rows: the label vectors that are commonest in the train fold.
const ROWS: usize = 8;

/// Writes the grid of 8 latents (across) by the 8 commonest label vectors (down), with images at full size.
///
/// # Errors
/// When the arithmetic or the disk fails.
pub fn write_grid(
    path: &Path,
    state: &State,
    spec: &RunSpec,
    source: &dyn RadiographSource,
) -> std::result::Result<(), TrainingError> {
    let rows = common_labels(source, ROWS);
    let side = state.architecture.resolution;
    let width = COLUMNS * side;
    let mut grey = vec![0u8; width * rows.len() * side];
    let latents = random::normals(&mut random::stream(spec.seed, "sample grid"), COLUMNS * state.architecture.latent);
    for (row, labels) in rows.iter().enumerate() {
        let images = images(state, spec, &latents, labels)?;
        for (column, image) in images.iter().enumerate() {
            let shown = image.len().isqrt();
            let zoom = side / shown;
            for y in 0..side {
                let at = (row * side + y) * width + column * side;
                for (x, pixel) in grey[at..at + side].iter_mut().enumerate() {
                    // The published way to 8 bits: (x + 1) / 2 · 255, rounded and clipped.
                    *pixel = ((image[y / zoom * shown + x / zoom] + 1.0) * 127.5).round().clamp(0.0, 255.0) as u8;
                }
            }
        }
    }
    let refused = |e: radiograph::RadiographError| candle_core::Error::Msg(e.to_string());
    let png = radiograph::encode_png8(width, rows.len() * side, &grey, &[]).map_err(refused)?;
    Ok(store::write_atomic(path, &png)?)
}

/// One image per latent, at the side the network has grown to.
fn images(state: &State, spec: &RunSpec, latents: &[f32], labels: &[f32]) -> Result<Vec<Vec<f32>>> {
    let (n, device) = (COLUMNS, &state.device);
    let latents = Tensor::from_slice(latents, (n, state.architecture.latent), device)?;
    let labels =
        Tensor::from_slice(labels, (1, labels.len()), device)?.broadcast_as((n, labels.len()))?.contiguous()?;
    let average = state.average.parameters();
    let images = generate(&average, &state.architecture, &latents, &labels, state.growth(spec))?;
    images.flatten_from(1)?.to_vec2::<f32>()
}
