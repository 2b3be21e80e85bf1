//! The sampler on a graphics device, beside the processor's engine on the same weights.

use super::meter::{Meter, Row};
use super::networks::{LABELS, drawn};
use crate::compute::graphics::Graphics;
use crate::compute::kernel::Instructions;
use crate::compute::random::{normals, stream};
use crate::generator::sampler::graphics::GraphicsSampler;
use crate::generator::sampler::{Sampler, TOGETHER};
use crate::generator::{Architecture, Family, Generator, Recipe, library};

/// Sides above which a device in software would take minutes.
const SOFTWARE: usize = 32;

/// Both GANs at the papers' width, one image and (in hardware) a batch, and the shipped models. Without a device, or with
/// one that fails, there is one row that says so. Each row names its device, and how far its images are from the
/// processor's.
pub fn graphics(meter: Meter, sides: &[usize], tell: &mut impl FnMut(Row)) -> anyhow::Result<()> {
    let graphics = match Graphics::open(None) {
        Ok(graphics) => graphics,
        Err(error) => {
            tell(Row::new("graphics").with("device", error.to_string()));
            return Ok(());
        }
    };
    let row = || {
        let kind = if graphics.is_software() { "software" } else { "hardware" };
        Row::new("graphics").with("device", graphics.name()).with("kind", kind)
    };
    for family in [Family::ProgGan, Family::CpdGan] {
        for &side in sides.iter().filter(|&&side| !graphics.is_software() || side <= SOFTWARE) {
            let architecture = Architecture::paper(family, side, LABELS);
            let tensors = drawn(&architecture);
            let z = normals(&mut stream(2, "latents"), TOGETHER * architecture.latent);
            let y: Vec<f32> = (0..TOGETHER * LABELS).map(|i| f32::from(i / LABELS == i % LABELS)).collect();
            let mut exact = vec![0.0; TOGETHER * side * side];
            Sampler::new(&architecture, &tensors, Instructions::best()).sample(&z, &y, &mut exact);
            let sampler = GraphicsSampler::new(&graphics, &architecture, &tensors)?;
            let mut out = vec![0.0; exact.len()];
            for &batch in if graphics.is_software() { &[1][..] } else { &[1, TOGETHER] } {
                let row = row().with("network", family.name()).with("resolution", side).with("batch", batch);
                let (z, y) = (&z[..batch * architecture.latent], &y[..batch * LABELS]);
                let out = &mut out[..batch * side * side];
                match meter.time(row.clone(), || sampler.sample(z, y, out)) {
                    Ok(row) => tell(row.with("error", error(&exact[..out.len()], out))),
                    Err(failure) => {
                        tell(row.with("failed", failure.to_string()));
                        return Ok(());
                    }
                }
            }
        }
    }
    for entry in library::shipped() {
        let generator = Generator::load(&entry.path)?;
        let sampler = generator.bring_to(&graphics, &entry.path)?;
        let card = generator.card();
        let row = row().with("network", card.name.clone()).with("resolution", card.architecture.resolution);
        let recipe = Recipe::new(generator.id(), 1);
        let mut angle = 0.0f32;
        tell(meter.time(row.with("batch", 1), || {
            angle += 0.05;
            let here = Recipe { plane: [angle.sin(), (0.7 * angle).cos()], ..recipe.clone() };
            generator.render_on(&sampler, &[here]).map(|_| ())
        })?);
    }
    Ok(())
}

/// The largest difference as a share of the root mean square of what is exact.
fn error(exact: &[f32], out: &[f32]) -> f64 {
    let square: f64 = exact.iter().map(|v| f64::from(*v).powi(2)).sum();
    let most = exact.iter().zip(out).map(|(a, b)| f64::from((a - b).abs())).fold(0.0, f64::max);
    most / (square / exact.len() as f64).sqrt()
}

#[cfg(test)]
mod tests {
    use super::error;

    #[test]
    fn an_error_is_a_share_of_the_root_mean_square() {
        assert!((error(&[3.0, 4.0, 0.0, 0.0], &[3.0, 4.5, 0.0, 0.25]) - 0.2).abs() < 1e-12);
    }
}
