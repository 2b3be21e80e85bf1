//! Both GANs by the definition, in plain loops and double precision: what the sampler is held against.
//!
//! Written from the layer tables of DuMont Schütte 2021, with nothing shared with the sampler
//! but the list of parameters.

use super::*;

/// A stack of feature maps, `[channels][side * side]`.
type Maps = Vec<Vec<f64>>;

struct Reference<'a> {
    architecture: &'a Architecture,
    tensors: &'a Tensors,
    raw: Vec<f64>,
}

/// Network output `[R, R]` for one latent and one label vector.
pub fn generate(architecture: &Architecture, tensors: &Tensors, z: &[f32], y: &[f32]) -> Vec<f64> {
    let raw = z.iter().chain(y).map(|v| f64::from(*v)).collect();
    Reference { architecture, tensors, raw }.run()
}

impl Reference<'_> {
    fn weight(&self, name: &str) -> Vec<f64> {
        let name = format!("{name}.weight");
        let scale = self.architecture.generator().iter().find(|p| p.name == name).unwrap().scale;
        self.tensors[&name].1.iter().map(|w| f64::from(*w) * f64::from(scale)).collect()
    }

    fn bias(&self, name: &str) -> Vec<f64> {
        self.tensors[&format!("{name}.bias")].1.iter().map(|b| f64::from(*b)).collect()
    }

    fn dense(&self, name: &str, input: &[f64]) -> Vec<f64> {
        let dot = |row: &[f64]| row.iter().zip(input).map(|(a, b)| a * b).sum();
        self.weight(name).chunks(input.len()).map(dot).collect()
    }

    /// Bias, leaky `ReLU`, then the pixel norm of the family.
    fn finish(&self, name: &str, norm: &str, mut maps: Maps) -> Maps {
        for (map, bias) in maps.iter_mut().zip(self.bias(name)) {
            for value in map {
                let sum = *value + bias;
                *value = if sum > 0.0 { sum } else { 0.2 * sum };
            }
        }
        let (channels, pixels) = (maps.len(), maps[0].len());
        for pixel in 0..pixels {
            let square: f64 = maps.iter().map(|map| map[pixel] * map[pixel]).sum::<f64>() / channels as f64;
            for map in &mut maps {
                map[pixel] /= (square + 1e-8).sqrt();
            }
        }
        if self.architecture.family == Family::CpdGan {
            let part = |part: &str| {
                let name = format!("{norm}.{part}");
                let sums = self.dense(&name, &self.raw);
                sums.into_iter().zip(self.bias(&name)).map(|(a, b)| a + b).collect::<Vec<f64>>()
            };
            for ((map, gamma), beta) in maps.iter_mut().zip(part("gamma")).zip(part("beta")) {
                map.iter_mut().for_each(|value| *value = *value * gamma + beta);
            }
        }
        maps
    }

    /// A 3×3 convolution with zeros around, without bias.
    fn conv(&self, name: &str, maps: &Maps, side: usize) -> Maps {
        let weight = self.weight(name);
        let out = weight.len() / (9 * maps.len());
        let mut result = vec![vec![0.0; side * side]; out];
        for (o, target) in result.iter_mut().enumerate() {
            for (i, source) in maps.iter().enumerate() {
                for (tap, w) in weight[(o * maps.len() + i) * 9..][..9].iter().enumerate() {
                    for y in 0..side {
                        let from = (y + tap / 3).wrapping_sub(1);
                        for x in 0..side {
                            let at = (x + tap % 3).wrapping_sub(1);
                            if from < side && at < side {
                                target[y * side + x] += w * source[from * side + at];
                            }
                        }
                    }
                }
            }
        }
        result
    }

    fn to_image(&self, side: usize, maps: &Maps) -> Vec<f64> {
        let name = format!("g.{side}.image");
        let (weight, bias) = (self.weight(&name), self.bias(&name)[0]);
        (0..side * side).map(|p| maps.iter().zip(&weight).map(|(map, w)| map[p] * w).sum::<f64>() + bias).collect()
    }

    fn run(&self) -> Vec<f64> {
        let square: f64 = self.raw.iter().map(|v| v * v).sum::<f64>() / self.raw.len() as f64;
        let input: Vec<f64> = self.raw.iter().map(|v| v / (square + 1e-8).sqrt()).collect();
        let maps = self.dense("g.4.dense", &input).chunks(16).map(<[f64]>::to_vec).collect();
        let mut maps = self.finish("g.4.dense", "g.4.dense_norm", maps);
        maps = self.finish("g.4.conv", "g.4.conv_norm", self.conv("g.4.conv", &maps, 4));
        let mut image = self.to_image(4, &maps);
        for side in self.architecture.sides().skip(1) {
            maps = maps.iter().map(|map| double(map, side)).collect();
            for part in ["up", "conv"] {
                let name = format!("g.{side}.{part}");
                maps = self.finish(&name, &format!("{name}_norm"), self.conv(&name, &maps, side));
            }
            let own = self.to_image(side, &maps);
            image = match self.architecture.family {
                Family::ProgGan => own,
                Family::CpdGan => double(&image, side).iter().zip(own).map(|(a, b)| a + b).collect(),
            };
        }
        image
    }
}

/// Every pixel twice in both directions; `side` is that of the result.
fn double(map: &[f64], side: usize) -> Vec<f64> {
    (0..side * side).map(|p| map[p / side / 2 * (side / 2) + p % side / 2]).collect()
}

mod tests {
    use super::*;
    use crate::compute::random::{normals, stream};
    use crate::generator::testing::{architecture, tensors};

    /// Latents, label vectors and exact images of `n` samples.
    fn samples(architecture: &Architecture, tensors: &Tensors, n: usize) -> (Vec<f32>, Vec<f32>, Vec<Vec<f64>>) {
        let z = normals(&mut stream(7, "inputs"), n * architecture.latent);
        let y: Vec<f32> = (0..n * architecture.labels).map(|i| [0.0, 1.0, 0.4][i % 3]).collect();
        let inputs = z.chunks(architecture.latent).zip(y.chunks(architecture.labels));
        let exact = inputs.map(|(z, y)| generate(architecture, tensors, z, y)).collect();
        (z, y, exact)
    }

    /// The largest error as a share of the image's root mean square.
    fn error(exact: &[f64], out: &[f32]) -> f64 {
        let rms = (exact.iter().map(|v| v * v).sum::<f64>() / exact.len() as f64).sqrt();
        assert!(out.iter().all(|v| v.is_finite()) && rms > 1e-3);
        exact.iter().zip(out).map(|(a, b)| (a - f64::from(*b)).abs()).fold(0.0, f64::max) / rms
    }

    #[test]
    fn both_networks_agree_with_their_definition_in_every_instruction_set() {
        let shapes = [
            // family, resolution, latent, labels, base, most: widths that are and are not multiples of a lane.
            (Family::ProgGan, 8, 7, 2, 48, 12),
            (Family::ProgGan, 32, 40, 14, 512, 64),
            (Family::ProgGan, 64, 16, 5, 768, 20),
            (Family::ProgGan, 16, 33, 3, 8192, 140),
            (Family::CpdGan, 8, 9, 3, 64, 32),
            (Family::CpdGan, 32, 64, 6, 480, 96),
            (Family::CpdGan, 64, 24, 1, 700, 40),
            (Family::CpdGan, 8, 20, 15, 8192, 176),
        ];
        for (family, resolution, latent, labels, base, most) in shapes {
            let architecture = architecture(family, resolution, latent, labels, base, most);
            let tensors = tensors(&architecture, 5);
            let pixels = resolution * resolution;
            let (z, y, exact) = samples(&architecture, &tensors, 2);
            for instructions in Instructions::available() {
                let sampler = Sampler::new(&architecture, &tensors, instructions);
                let mut out = vec![f32::NAN; 2 * pixels];
                sampler.sample(&z, &y, &mut out);
                for (exact, out) in exact.iter().zip(out.chunks(pixels)) {
                    // Single precision through up to ten layers; F(4×4) loses about two bits more than the plain form.
                    let error = error(exact, out);
                    println!("{architecture:?} {}: {error:.1e}", instructions.name());
                    assert!(error < 5e-5, "{architecture:?} {}: {error}", instructions.name());
                }
            }
        }
    }

    #[test]
    fn a_sample_has_the_same_bits_alone_in_a_batch_and_on_one_thread() {
        for (family, resolution, most) in
            [(Family::ProgGan, 32, 40), (Family::CpdGan, 64, 32), (Family::CpdGan, 16, 144)]
        {
            let architecture = architecture(family, resolution, 24, 4, 4096, most);
            let sampler = Sampler::new(&architecture, &tensors(&architecture, 3), Instructions::best());
            let n = TOGETHER + 3;
            let z = normals(&mut stream(1, "z"), n * 24);
            let y = vec![0.5; n * 4];
            let pixels = resolution * resolution;
            let mut all = vec![0.0; n * pixels];
            sampler.sample(&z, &y, &mut all);
            for threads in [1, 3] {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                for i in [0, TOGETHER - 1, n - 1] {
                    let mut one = vec![0.0; pixels];
                    pool.install(|| sampler.sample(&z[i * 24..][..24], &y[i * 4..][..4], &mut one));
                    assert_eq!(one, all[i * pixels..][..pixels], "{family:?} image {i}, {threads} threads");
                }
            }
        }
    }

    #[test]
    fn a_second_frame_takes_no_new_memory() {
        let architecture = architecture(Family::CpdGan, 64, 24, 4, 4096, 32);
        let sampler = Sampler::new(&architecture, &tensors(&architecture, 3), Instructions::best());
        let (z, y) = (normals(&mut stream(1, "z"), 24), [1.0, 0.0, 0.0, 0.5]);
        let mut out = vec![0.0; 64 * 64];
        sampler.sample(&z, &y, &mut out);
        let held = sampler.arena.held();
        assert!(held.len() == 1 && held[0] > 0);
        for _ in 0..3 {
            sampler.sample(&z, &y, &mut out);
            assert_eq!(sampler.arena.held(), held);
        }
    }
}
