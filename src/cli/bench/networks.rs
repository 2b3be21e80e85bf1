//! Forward passes: both GANs at the papers' width, the models that ship, and the encoder.

use std::path::Path;

use serde_json::json;

use super::meter::{Meter, Row};
use super::weights::Weights;
use crate::compute::kernel::Instructions;
use crate::compute::random::{normals, stream};
use crate::encoder::{self, DenseNetConfig, Encoder, EncoderCard, EncoderTraining, Input, Role};
use crate::finding::Vocabulary;
use crate::generator::model_file::{self, ModelFile};
use crate::generator::sampler::{Sampler, TOGETHER};
use crate::generator::{Architecture, Family, Tensors, library};
use crate::radiograph::{Meaning, Radiograph};

/// Findings of the networks measured here.
pub const LABELS: usize = 14;

/// Random weights for a list of parameters; what is measured does not depend on them.
pub fn drawn(architecture: &Architecture) -> Tensors {
    let draw = |parameter: crate::generator::architecture::Parameter| {
        let values = normals(&mut stream(1, &parameter.name), parameter.count());
        (parameter.name, (parameter.shape, values))
    };
    architecture.generator().into_iter().map(draw).collect()
}

/// Floating-point operations of one image by the definition: every convolution at its own side, none saved.
pub fn operations(architecture: &Architecture) -> f64 {
    let area = |name: &str| {
        let side = name.split('.').nth(1).and_then(|side| side.parse::<f64>().ok()).unwrap_or(1.0);
        if name.contains("dense") { 1.0 } else { side * side }
    };
    let shown = format!("g.{}.image", architecture.resolution);
    let of = |p: &crate::generator::architecture::Parameter| {
        let hidden = p.name.contains("image") && architecture.family == Family::ProgGan && !p.name.starts_with(&shown);
        if p.is_bias() || hidden {
            0.0
        } else {
            2.0 * p.count() as f64 * if p.shape.len() == 2 { 1.0 } else { area(&p.name) }
        }
    };
    architecture.generator().iter().map(of).sum()
}

/// Both GANs at the papers' width, one image and a batch.
pub fn sampler(
    meter: Meter,
    sides: &[usize],
    weights: Option<&Path>,
    tell: &mut impl FnMut(Row),
) -> anyhow::Result<()> {
    for family in [Family::ProgGan, Family::CpdGan] {
        for &side in sides {
            let architecture = Architecture::paper(family, side, LABELS);
            architecture.validate().map_err(anyhow::Error::msg)?;
            let tensors = drawn(&architecture);
            let sampler = Sampler::new(&architecture, &tensors, Instructions::best());
            let z = normals(&mut stream(2, "latents"), TOGETHER * architecture.latent);
            // Image i has finding i.
            let y: Vec<f32> = (0..TOGETHER * LABELS).map(|i| f32::from(i / LABELS == i % LABELS)).collect();
            let mut out = vec![0.0; TOGETHER * side * side];
            sampler.sample(&z, &y, &mut out);
            if let Some(folder) = weights {
                let file = described(&architecture, &tensors, &z, &y, &out);
                file.write(folder, &format!("sampler-{}-{side}", family.name()))?;
            }
            // All batches once, to tell how time grows with them.
            let growing = family == Family::ProgGan && side == 64;
            for &batch in if growing { &[1, 2, 4, TOGETHER][..] } else { &[1, TOGETHER] } {
                let row = Row::new("sampler").with("network", family.name()).with("resolution", side);
                let (z, y) = (&z[..batch * architecture.latent], &y[..batch * LABELS]);
                let out = &mut out[..batch * side * side];
                let row = meter.time_plain(row.with("batch", batch), || sampler.sample(z, y, out));
                tell(row.with_share(batch as f64 * operations(&architecture)));
            }
        }
    }
    Ok(())
}

/// A generator's tensors with their run-time scale applied, latents, labels and images.
fn described(architecture: &Architecture, tensors: &Tensors, z: &[f32], y: &[f32], images: &[f32]) -> Weights {
    let Architecture { family, resolution, latent, labels, .. } = *architecture;
    let mut file = Weights::new(json!({"work": "sampler", "network": family.name(), "resolution": resolution}));
    for parameter in architecture.generator() {
        let scaled = tensors[&parameter.name].1.iter().map(|w| w * parameter.scale).collect();
        file.push(parameter.name, &parameter.shape, scaled);
    }
    let n = z.len() / latent;
    file.push("bench.input.0", &[n, latent], z.to_vec());
    file.push("bench.input.1", &[n, labels], y.to_vec());
    file.push("bench.output", &[n, resolution, resolution], images.to_vec());
    file
}

/// Each model that ships: one sample at a time.
pub fn models(meter: Meter, weights: Option<&Path>, tell: &mut impl FnMut(Row)) -> anyhow::Result<()> {
    for entry in library::shipped() {
        let ModelFile { card, tensors, .. } = model_file::read(&entry.path)?;
        let Architecture { resolution: side, latent, labels, .. } = card.architecture;
        let sampler = Sampler::new(&card.architecture, &tensors, Instructions::best());
        let z = normals(&mut stream(2, "latents"), TOGETHER * latent);
        let y: Vec<f32> = (0..TOGETHER * labels).map(|i| f32::from(i / labels % labels == i % labels)).collect();
        let mut out = vec![0.0; TOGETHER * side * side];
        sampler.sample(&z, &y, &mut out);
        if let Some(folder) = weights {
            let file = described(&card.architecture, &tensors, &z, &y, &out);
            file.write(folder, &format!("models-{}", card.name))?;
        }
        let row = Row::new("models").with("network", card.name).with("resolution", side).with("batch", 1);
        let out = &mut out[..side * side];
        let row = meter.time_plain(row, || sampler.sample(&z[..latent], &y[..labels], out));
        tell(row.with_share(operations(&card.architecture)));
    }
    Ok(())
}

/// An encoder of this shape with random weights.
pub fn random_encoder(name: &str, config: &DenseNetConfig, input: Input) -> (Encoder, encoder::Tensors) {
    let draw = |parameter: encoder::Parameter| {
        let count = parameter.count();
        let fan_in = (count / parameter.shape[0]).max(1) as f32;
        let values = match parameter.role {
            Role::Convolution | Role::Dense => {
                let values = normals(&mut stream(1, &parameter.name), count);
                values.into_iter().map(|v| v * (2.0 / fan_in).sqrt()).collect()
            }
            Role::Scale | Role::RunningVariance => vec![1.0; count],
            Role::Bias | Role::Shift | Role::RunningMean => vec![0.0; count],
        };
        (parameter.name, (parameter.shape, values))
    };
    let tensors: encoder::Tensors = config.parameters().into_iter().map(draw).collect();
    let card = EncoderCard {
        name: name.to_owned(),
        preset: name.to_owned(),
        architecture: config.clone(),
        input,
        vocabulary: Vocabulary::new("bench", (0..config.labels).map(|i| format!("Finding {i}"))),
        training: EncoderTraining {
            cohort: "none".to_owned(),
            cohort_hash: String::new(),
            phantom: true,
            images: 0,
            patients: 0,
            schedule: "random weights".to_owned(),
            seed: 1,
            source: crate::encoder::Source::Films,
        },
        metrics: std::collections::BTreeMap::new(),
        remarks: Vec::new(),
        licence: "none".to_owned(),
        citation: String::new(),
    };
    (Encoder::from_parts(card, &tensors, String::new()), tensors)
}

/// `DenseNet` features, one image and 32.
pub fn encoder(meter: Meter, weights: Option<&Path>, tell: &mut impl FnMut(Row)) -> anyhow::Result<()> {
    const MOST: usize = 32;
    let window = [0.0, 1.0];
    let shapes = [
        ("DenseNet-121", DenseNetConfig::densenet121(LABELS), Input::photographic(Meaning::Density, window)),
        ("small", DenseNetConfig::small(LABELS), Input::native(64, Meaning::Density, window)),
    ];
    for (name, config, input) in shapes {
        let (side, planes) = (input.side, config.channels);
        let (encoder, tensors) = random_encoder(name, &config, input.clone());
        let mut rng = stream(3, "images");
        let images = (0..MOST).map(|_| {
            let pixels = normals(&mut rng, side * side).into_iter().map(|v| 0.5 + 0.2 * v).collect();
            Radiograph::new(side, side, pixels, Meaning::Density)
        });
        let images = images.collect::<Result<Vec<_>, _>>()?;
        let features = encoder.features(&images)?;
        if let Some(folder) = weights {
            let mut file =
                Weights::new(json!({"work": "encoder", "network": name, "resolution": side, "config": config}));
            for (name, (shape, values)) in &tensors {
                file.push(name.clone(), shape, values.clone());
            }
            let mut pixels = Vec::with_capacity(MOST * planes * side * side);
            for image in &images {
                // Planes innermost here, outermost elsewhere.
                let prepared = encoder::prepare(image, &input)?;
                for plane in 0..planes {
                    pixels.extend(prepared.iter().skip(plane).step_by(planes));
                }
            }
            file.push("bench.input.0", &[MOST, planes, side, side], pixels);
            file.push("bench.output", &[MOST, config.features()], features);
            file.write(folder, &format!("encoder-{name}"))?;
        }
        for batch in [1, MOST] {
            let row = Row::new("encoder").with("network", name).with("resolution", side).with("batch", batch);
            tell(meter.time(row, || encoder.features(&images[..batch]).map(|_| ()))?);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    // FLOPs of the layers by hand, 64 px prog-GAN: 2 * (526 * 8192 + 16 * 9 * 512 * 512
    //   + sum over 8, 16, 32 of 2 * s * s * 9 * 512 * 512 + 64 * 64 * 9 * (512 * 256 + 256 * 256) + 64 * 64 * 256)
    #[test]
    fn operations_are_those_of_the_definition() {
        let by_hand = 526.0 * 8192.0
            + 16.0 * 9.0 * 262_144.0
            + 2.0 * (64.0 + 256.0 + 1024.0) * 9.0 * 262_144.0
            + 4096.0 * 9.0 * (131_072.0 + 65_536.0)
            + 4096.0 * 256.0;
        assert_eq!(operations(&Architecture::paper(Family::ProgGan, 64, LABELS)), 2.0 * by_hand);
    }
}
