//! The two published GANs as lists of parameters: every tensor's name, shape and run-time scale.
//!
//! One list serves initialisation, training, the sampler, the model file and the parameter-count test, so that they
//! cannot disagree. Source of both: DuMont Schütte 2021, published code.

use serde::{Deserialize, Serialize};

/// Which of the two published networks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Family {
    /// Progressive growing with an auxiliary classifier.
    ProgGan,
    /// Conditional pixel norm in the generator, label projection in the critic, no growing.
    CpdGan,
}

impl Family {
    /// The name as the benchmark writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::ProgGan => "prog-GAN",
            Self::CpdGan => "cpD-GAN",
        }
    }
}

/// Everything that fixes the shape of a generator and its critic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Architecture {
    /// Which network.
    pub family: Family,
    /// Side of the image in pixels: a power of two, 8 to 1024.
    pub resolution: usize,
    /// Length of the latent vector; 512 in the papers.
    pub latent: usize,
    /// Length of the label vector.
    pub labels: usize,
    /// Feature maps at level s are `min(feature_base >> s, feature_max)`; 8192 (prog-GAN) or 16384 (cpD-GAN) in the papers.
    pub feature_base: usize,
    /// Most feature maps at any level; 512 in the papers.
    pub feature_max: usize,
}

/// One tensor of a network.
#[derive(Debug, Clone, PartialEq)]
pub struct Parameter {
    /// Name in checkpoints and model files.
    pub name: String,
    /// Shape; weights of convolutions are `[out, in, kernel, kernel]`, of dense layers `[out, in]`.
    pub shape: Vec<usize>,
    /// What the stored N(0, 1) weight is multiplied by at run time (equalised learning rate); 1 for biases.
    pub scale: f32,
}

impl Parameter {
    /// Number of scalars.
    pub fn count(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether this is a bias, which starts at zero and is not scaled.
    pub fn is_bias(&self) -> bool {
        self.shape.len() == 1
    }
}

/// Collects parameters; the run-time scale is gain / √fan-in.
#[derive(Default)]
struct List(Vec<Parameter>);

impl List {
    fn weight(&mut self, name: String, shape: &[usize], gain: f64, fan_in: usize) {
        let scale = (gain / (fan_in as f64).sqrt()) as f32;
        self.0.push(Parameter { name: name + ".weight", shape: shape.to_vec(), scale });
    }

    fn bias(&mut self, name: String, n: usize) {
        self.0.push(Parameter { name: name + ".bias", shape: vec![n], scale: 1.0 });
    }

    fn conv(&mut self, name: String, out: usize, input: usize, kernel: usize, gain: f64) {
        self.weight(name.clone(), &[out, input, kernel, kernel], gain, input * kernel * kernel);
        self.bias(name, out);
    }

    fn dense(&mut self, name: String, out: usize, input: usize, gain: f64) {
        self.weight(name.clone(), &[out, input], gain, input);
        self.bias(name, out);
    }
}

impl Architecture {
    /// The published width of a family.
    pub fn paper(family: Family, resolution: usize, labels: usize) -> Self {
        let feature_base = match family {
            Family::ProgGan => 8192,
            Family::CpdGan => 16384,
        };
        Self { family, resolution, latent: 512, labels, feature_base, feature_max: 512 }
    }

    /// Checks the numbers a file stated before any memory is taken for them.
    ///
    /// # Errors
    /// A sentence that says which number is out of range.
    pub fn validate(&self) -> Result<(), String> {
        let check = |ok: bool, text: String| if ok { Ok(()) } else { Err(text) };
        let r = self.resolution;
        check(
            r.is_power_of_two() && (8..=1024).contains(&r),
            format!("resolution {r} is not a power of two from 8 to 1024"),
        )?;
        check((1..=4096).contains(&self.latent), format!("latent length {} is not 1 to 4096", self.latent))?;
        let most = crate::finding::MAX_FINDINGS;
        check((1..=most).contains(&self.labels), format!("label length {} is not 1 to {most}", self.labels))?;
        check((1..=1024).contains(&self.feature_max), format!("feature_max {} is not 1 to 1024", self.feature_max))?;
        let base = self.feature_base;
        check(
            (16..=1 << 20).contains(&base) && self.features(r) >= 1,
            format!("feature_base {base} leaves no feature at {r} px"),
        )
    }

    /// Feature maps of the block at side `side` (4, 8, …, resolution).
    pub fn features(&self, side: usize) -> usize {
        (self.feature_base >> (side.ilog2() - 1)).min(self.feature_max)
    }

    /// The sides of all blocks: 4, 8, …, resolution.
    pub fn sides(&self) -> impl DoubleEndedIterator<Item = usize> + use<> {
        (2..=self.resolution.ilog2()).map(|r| 1 << r)
    }

    /// Length of the generator's input: latent and labels.
    pub fn input(&self) -> usize {
        self.latent + self.labels
    }

    /// All tensors of the generator, from the input to the image.
    pub fn generator(&self) -> Vec<Parameter> {
        let (plain, dense, up) = match self.family {
            Family::ProgGan => (2f64.sqrt(), 2f64.sqrt() / 4.0, 2f64.sqrt()),
            Family::CpdGan => (1.0, 1.0, 2f64.sqrt()),
        };
        let mut list = List::default();
        let first = self.features(4);
        list.weight("g.4.dense".into(), &[first * 16, self.input()], dense, self.input());
        list.bias("g.4.dense".into(), first);
        self.norm(&mut list, "g.4.dense_norm", first);
        list.conv("g.4.conv".into(), first, first, 3, plain);
        self.norm(&mut list, "g.4.conv_norm", first);
        list.conv("g.4.image".into(), 1, first, 1, 1.0);
        for side in self.sides().skip(1) {
            let (input, out) = (self.features(side / 2), self.features(side));
            // The published cpD-GAN takes the fan-in of its up-convolution from the output width.
            let fan_in = 9 * if self.family == Family::CpdGan { out } else { input };
            list.weight(format!("g.{side}.up"), &[out, input, 3, 3], up, fan_in);
            list.bias(format!("g.{side}.up"), out);
            self.norm(&mut list, &format!("g.{side}.up_norm"), out);
            list.conv(format!("g.{side}.conv"), out, out, 3, plain);
            self.norm(&mut list, &format!("g.{side}.conv_norm"), out);
            list.conv(format!("g.{side}.image"), 1, out, 1, 1.0);
        }
        list.0
    }

    /// The two dense layers of one conditional pixel norm; prog-GAN's pixel norm has none.
    fn norm(&self, list: &mut List, name: &str, channels: usize) {
        if self.family == Family::CpdGan {
            list.dense(format!("{name}.gamma"), channels, self.input(), 1.0);
            list.dense(format!("{name}.beta"), channels, self.input(), 1.0);
        }
    }

    /// All tensors of the critic (the discriminator), from the image to the score.
    pub fn critic(&self) -> Vec<Parameter> {
        let down = 2f64.sqrt();
        let (plain, outputs) = match self.family {
            Family::ProgGan => (2f64.sqrt(), 1 + self.labels),
            Family::CpdGan => (1.0, self.labels),
        };
        let mut list = List::default();
        for side in self.sides().rev() {
            let width = self.features(side);
            if self.family == Family::ProgGan || side == self.resolution {
                list.conv(format!("d.{side}.image"), width, 1, 1, plain);
            }
            if side > 4 {
                let out = self.features(side / 2);
                list.conv(format!("d.{side}.conv"), width, width, 3, plain);
                list.conv(format!("d.{side}.down"), out, width, 3, down);
                if self.family == Family::CpdGan {
                    list.weight(format!("d.{side}.skip"), &[out, width, 1, 1], down, width);
                }
            }
        }
        let last = self.features(4);
        list.conv("d.4.conv".into(), last, last + 1, 3, plain);
        list.dense("d.4.dense".into(), last, last * 16, plain);
        list.dense("d.score".into(), outputs, last, 1.0);
        list.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(family: Family, resolution: usize, labels: usize) -> (usize, usize) {
        let architecture = Architecture::paper(family, resolution, labels);
        let total = |list: Vec<Parameter>| list.iter().map(Parameter::count).sum();
        (total(architecture.generator()), total(architecture.critic()))
    }

    #[test]
    fn prog_gan_has_the_published_parameter_counts() {
        let family = Family::ProgGan;
        assert_eq!(counts(family, 32, 14), (20_830_212, 20_729_871));
        assert_eq!(counts(family, 64, 14), (22_600_453, 22_500_623));
        assert_eq!(counts(family, 128, 14), (23_043_206, 22_943_631));
        assert_eq!(counts(family, 32, 6), (20_764_676, 20_725_767));
        assert_eq!(counts(family, 64, 6), (22_534_917, 22_496_519));
        assert_eq!(counts(family, 128, 6), (22_977_670, 22_939_527));
    }

    #[test]
    fn cpd_gan_has_the_published_parameter_counts() {
        let family = Family::CpdGan;
        assert_eq!(counts(family, 32, 14), (25_147_396, 21_512_718));
        assert_eq!(counts(family, 64, 14), (30_946_821, 26_494_478));
        assert_eq!(counts(family, 128, 14), (33_256_710, 28_395_278));
        assert_eq!(counts(family, 256, 14), (33_969_287, 28_870_542));
        assert_eq!(counts(family, 512, 14), (34_214_984, 28_989_390));
        assert_eq!(counts(family, 32, 6), (25_016_324, 21_508_614));
        assert_eq!(counts(family, 64, 6), (30_799_365, 26_490_374));
        assert_eq!(counts(family, 128, 6), (33_101_062, 28_391_174));
        assert_eq!(counts(family, 256, 6), (33_809_543, 28_866_438));
        assert_eq!(counts(family, 512, 6), (34_053_192, 28_985_286));
    }

    #[test]
    fn impossible_numbers_are_refused() {
        let good = Architecture::paper(Family::CpdGan, 64, 14);
        assert!(good.validate().is_ok());
        assert!(Architecture { resolution: 48, ..good }.validate().is_err());
        assert!(Architecture { resolution: 1 << 40, ..good }.validate().is_err());
        assert!(Architecture { latent: 1 << 40, ..good }.validate().is_err());
        assert!(Architecture { labels: 0, ..good }.validate().is_err());
        assert!(Architecture { feature_base: 16, ..good }.validate().is_err());
    }
}
