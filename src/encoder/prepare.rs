//! From a radiograph to the network's input.

use super::Input;
use crate::radiograph::{Meaning, Radiograph};

/// An image whose numbers stand for something else than the encoder knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "this encoder was trained on {expected:?} values and cannot judge an image of {found:?} values; choose the encoder of that image's cohort"
)]
pub struct MeaningError {
    /// What the encoder was trained on.
    pub expected: Meaning,
    /// What the image holds.
    pub found: Meaning,
}

/// The input of the network: `side * side * planes` values, planes innermost.
///
/// Values are clipped to the window first. Shrinking averages areas, as the pyramid of a pack does; enlarging interpolates
/// linearly between pixel centres.
///
/// # Errors
/// [`MeaningError`] when the image holds other values than `input` states.
pub fn prepare(image: &Radiograph, input: &Input) -> Result<Vec<f32>, MeaningError> {
    if image.meaning() != input.meaning {
        return Err(MeaningError { expected: input.meaning, found: image.meaning() });
    }
    let [low, high] = input.window;
    // Before it is resized: as a film of a pack is seen.
    let grey = resized(&image.clone().clipped(input.window), input.side);
    let scale = (high - low).recip();
    let mut planes = Vec::with_capacity(grey.len() * input.mean.len());
    for value in grey {
        let shown = (value - low) * scale;
        planes.extend(input.mean.iter().zip(&input.sd).map(|(mean, sd)| (shown - mean) / sd));
    }
    Ok(planes)
}

fn resized(image: &Radiograph, side: usize) -> Vec<f32> {
    if (image.width(), image.height()) == (side, side) {
        return image.pixels().to_vec();
    }
    // First whichever direction shrinks, then whichever grows.
    let (width, height) = (image.width().min(side), image.height().min(side));
    match image.resized(width, height) {
        Ok(smaller) => enlarged(smaller.pixels(), width, height, side),
        // Sides of 1 to the card's checked side are always accepted.
        Err(_) => vec![0.0; side * side],
    }
}

/// Linear between pixel centres, edges held.
fn enlarged(pixels: &[f32], width: usize, height: usize, side: usize) -> Vec<f32> {
    let places = |from: usize| -> Vec<(usize, usize, f32)> {
        (0..side)
            .map(|i| {
                let place = ((i as f32 + 0.5) * from as f32 / side as f32 - 0.5).max(0.0);
                let below = (place as usize).min(from - 1);
                (below, (below + 1).min(from - 1), place - below as f32)
            })
            .collect()
    };
    let (columns, rows) = (places(width), places(height));
    let mut out = Vec::with_capacity(side * side);
    for &(top, bottom, v) in &rows {
        for &(left, right, u) in &columns {
            let line = |row: usize| pixels[row * width + left] * (1.0 - u) + pixels[row * width + right] * u;
            out.push(line(top) * (1.0 - v) + line(bottom) * v);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(side: usize, pixels: Vec<f32>) -> Radiograph {
        Radiograph::new(side, side, pixels, Meaning::Density).unwrap()
    }

    #[test]
    fn enlarging_is_pytorchs_bilinear_interpolation() {
        // x=torch.tensor([[0.,1.,2.],[4.,3.,8.],[1.,7.,5.]])[None,None]
        // F.interpolate(x,size=(5,5),mode='bilinear',align_corners=False)[0,0,[0,1,4],[1,3,2]] -> 0.4, 3.36, 7
        let pixels = vec![0.0, 1.0, 2.0, 4.0, 3.0, 8.0, 1.0, 7.0, 5.0];
        let out = enlarged(&pixels, 3, 3, 5);
        for (at, expected) in [(1, 0.4), (5 + 3, 3.36), (20 + 2, 7.0)] {
            assert!((out[at] - expected).abs() < 1e-5, "{at}: {} {expected}", out[at]);
        }
    }

    #[test]
    fn grey_becomes_three_standardised_planes() {
        let input = Input { side: 2, ..Input::photographic(Meaning::Density, [0.0, 2.0]) };
        let planes = prepare(&image(4, vec![1.0; 16]), &input).unwrap();
        assert_eq!(planes.len(), 12);
        // (0.5 - 0.485) / 0.229, (0.5 - 0.456) / 0.224, (0.5 - 0.406) / 0.225
        for (found, expected) in planes.iter().zip([0.065_502_2, 0.196_428_6, 0.417_777_8].iter().cycle()) {
            assert!((found - expected).abs() < 1e-5, "{found} {expected}");
        }
        let native = Input::native(2, Meaning::Density, [0.0, 1.0]);
        let clipped = prepare(&image(2, vec![-3.0, 0.25, 1.0, 9.0]), &native).unwrap();
        assert_eq!(clipped, [-1.0, -0.5, 1.0, 1.0]);
    }

    #[test]
    fn hounsfield_units_are_not_taken_for_density() {
        let input = Input::native(2, Meaning::Hounsfield, [0.0, 80.0]);
        let error = prepare(&image(2, vec![0.0; 4]), &input).unwrap_err();
        assert!(error.to_string().contains("Hounsfield"), "{error}");
    }
}
