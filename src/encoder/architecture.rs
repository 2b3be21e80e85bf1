//! `DenseNet` as a list of parameters: every tensor's name, shape and start, in torchvision's own names.
//!
//! One list serves initialisation, training, inference, the encoder file and the parameter-count test, so that they
//! cannot disagree, and weights saved by torchvision fit as they are.

use serde::{Deserialize, Serialize};

/// What stands before the first dense block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stem {
    /// As published for photographs: 7×7 convolution of stride 2, then 3×3 maximum of stride 2.
    Wide,
    /// For small radiographs: one 3×3 convolution of stride 2.
    Light,
}

/// Everything that fixes the shape of a `DenseNet` (with bottleneck and compression ½).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DenseNetConfig {
    /// Planes of the input: 3 where grey is replicated for weights from photographs, else 1.
    pub channels: usize,
    /// What stands before the first dense block.
    pub stem: Stem,
    /// Feature maps of the stem.
    pub init_features: usize,
    /// Feature maps that each dense layer adds.
    pub growth: usize,
    /// The bottleneck of a dense layer has `bn_size * growth` feature maps.
    pub bn_size: usize,
    /// Dense layers in each block; between blocks width and side are halved.
    pub blocks: Vec<usize>,
    /// Findings at the output; 0 where there is no output and features are all that is asked for.
    pub labels: usize,
}

/// What a tensor is for, which says how it starts and whether it is trained.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Weight of a convolution `[out, in, kernel, kernel]`; starts as N(0, 2 / fan-in).
    Convolution,
    /// Weight of the dense layer `[out, in]`; starts uniform within ±1/√fan-in.
    Dense,
    /// Bias of the dense layer; starts at zero.
    Bias,
    /// Scale of a batch norm; starts at one.
    Scale,
    /// Shift of a batch norm; starts at zero.
    Shift,
    /// Running mean of a batch norm: not trained, starts at zero.
    RunningMean,
    /// Running variance of a batch norm: not trained, starts at one.
    RunningVariance,
}

impl Role {
    /// Whether the optimiser changes it.
    pub fn is_trained(self) -> bool {
        !matches!(self, Self::RunningMean | Self::RunningVariance)
    }
}

/// One tensor of the network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    /// Name in files.
    pub name: String,
    /// Shape.
    pub shape: Vec<usize>,
    /// What it is for.
    pub role: Role,
}

impl Parameter {
    /// Number of scalars.
    pub fn count(&self) -> usize {
        self.shape.iter().product()
    }
}

#[derive(Default)]
struct List(Vec<Parameter>);

impl List {
    fn push(&mut self, name: String, shape: &[usize], role: Role) {
        self.0.push(Parameter { name, shape: shape.to_vec(), role });
    }

    fn conv(&mut self, name: &str, out: usize, input: usize, kernel: usize) {
        self.push(format!("{name}.weight"), &[out, input, kernel, kernel], Role::Convolution);
    }

    fn norm(&mut self, name: &str, n: usize) {
        self.push(format!("{name}.weight"), &[n], Role::Scale);
        self.push(format!("{name}.bias"), &[n], Role::Shift);
        self.push(format!("{name}.running_mean"), &[n], Role::RunningMean);
        self.push(format!("{name}.running_var"), &[n], Role::RunningVariance);
    }
}

impl DenseNetConfig {
    /// The network of the benchmark's classifier (DuMont Schütte 2021), tensor for tensor as in torchvision.
    pub fn densenet121(labels: usize) -> Self {
        Self {
            channels: 3,
            stem: Stem::Wide,
            init_features: 64,
            growth: 32,
            bn_size: 4,
            blocks: vec![6, 12, 24, 16],
            labels,
        }
    }

    /// A network for radiographs of 64 to 128 px at their own size, fast enough to follow a hand on one core.
    pub fn small(labels: usize) -> Self {
        Self {
            channels: 1,
            stem: Stem::Light,
            init_features: 24,
            growth: 16,
            bn_size: 2,
            blocks: vec![2, 5, 8, 8],
            labels,
        }
    }

    /// Checks the numbers a file stated before any memory is taken for them.
    ///
    /// # Errors
    /// A sentence that says which number is out of range.
    pub fn validate(&self) -> Result<(), String> {
        self.validate_body()?;
        // Large classifiers of photographs have 1000 outputs and must be readable.
        if (1..=1024).contains(&self.labels) {
            Ok(())
        } else {
            Err(format!("{} labels are not 1 to 1024", self.labels))
        }
    }

    /// As [`DenseNetConfig::validate`], for what lies before the output.
    ///
    /// # Errors
    /// A sentence that says which number is out of range.
    pub fn validate_body(&self) -> Result<(), String> {
        let check = |ok: bool, text: String| if ok { Ok(()) } else { Err(text) };
        check([1, 3].contains(&self.channels), format!("{} input planes are neither 1 nor 3", self.channels))?;
        check(
            (1..=256).contains(&self.init_features),
            format!("init_features {} is not 1 to 256", self.init_features),
        )?;
        check((1..=64).contains(&self.growth), format!("growth {} is not 1 to 64", self.growth))?;
        check((1..=8).contains(&self.bn_size), format!("bn_size {} is not 1 to 8", self.bn_size))?;
        check((1..=6).contains(&self.blocks.len()), format!("{} blocks are not 1 to 6", self.blocks.len()))?;
        check(self.blocks.iter().all(|n| (1..=64).contains(n)), "a block has not 1 to 64 layers".to_owned())
    }

    /// Width of each block's input and output, in order.
    pub fn widths(&self) -> Vec<(usize, usize)> {
        let mut width = self.init_features;
        self.blocks
            .iter()
            .map(|layers| {
                let widths = (width, width + layers * self.growth);
                width = widths.1 / 2;
                widths
            })
            .collect()
    }

    /// Length of the feature vector: width after the last block.
    pub fn features(&self) -> usize {
        self.widths().last().map_or(self.init_features, |&(_, out)| out)
    }

    /// Width of a dense layer's bottleneck.
    pub fn bottleneck(&self) -> usize {
        self.bn_size * self.growth
    }

    /// Smallest side of an image that leaves at least one pixel after the last block.
    pub fn smallest_side(&self) -> usize {
        let stem = if self.stem == Stem::Wide { 4 } else { 2 };
        stem << (self.blocks.len() - 1)
    }

    /// Multiply-adds of one image of this side, by the definition, in round numbers.
    pub fn multiply_adds(&self, side: usize) -> usize {
        let wide = self.stem == Stem::Wide;
        let mut side = side.div_ceil(2);
        let kernel = if wide { 49 } else { 9 };
        let mut sum = side * side * kernel * self.channels * self.init_features;
        if wide {
            side = side.div_ceil(2);
        }
        for (&layers, (input, out)) in self.blocks.iter().zip(self.widths()) {
            let growing: usize = (0..layers).map(|l| input + l * self.growth + 9 * self.growth).sum();
            sum += side * side * (growing * self.bottleneck() + out * out / 2);
            side /= 2;
        }
        sum
    }

    /// All tensors, from the image to the findings.
    pub fn parameters(&self) -> Vec<Parameter> {
        let mut list = List::default();
        let kernel = if self.stem == Stem::Wide { 7 } else { 3 };
        list.conv("features.conv0", self.init_features, self.channels, kernel);
        list.norm("features.norm0", self.init_features);
        let widths = self.widths();
        for (b, (&layers, &(input, out))) in (1..).zip(self.blocks.iter().zip(&widths)) {
            for l in 0..layers {
                let name = format!("features.denseblock{b}.denselayer{}", l + 1);
                let width = input + l * self.growth;
                list.norm(&format!("{name}.norm1"), width);
                list.conv(&format!("{name}.conv1"), self.bottleneck(), width, 1);
                list.norm(&format!("{name}.norm2"), self.bottleneck());
                list.conv(&format!("{name}.conv2"), self.growth, self.bottleneck(), 3);
            }
            if b < self.blocks.len() {
                list.norm(&format!("features.transition{b}.norm"), out);
                list.conv(&format!("features.transition{b}.conv"), out / 2, out, 1);
            }
        }
        list.norm("features.norm5", self.features());
        if self.labels > 0 {
            list.push("classifier.weight".into(), &[self.labels, self.features()], Role::Dense);
            list.push("classifier.bias".into(), &[self.labels], Role::Bias);
        }
        list.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trained(config: &DenseNetConfig) -> usize {
        config.parameters().iter().filter(|p| p.role.is_trained()).map(Parameter::count).sum()
    }

    #[test]
    fn densenet_121_has_torchvisions_parameters() {
        // m = torchvision.models.densenet121(); sum(p.numel() for p in m.parameters()) -> 7978856
        // sum(p.numel() for p in m.features.parameters()) -> 6953856
        // len(m.state_dict()) - sum(k.endswith('num_batches_tracked') for k in m.state_dict()) -> 606
        let config = DenseNetConfig::densenet121(1000);
        assert_eq!(trained(&config), 7_978_856);
        assert_eq!(trained(&config) - 1000 * 1025, 6_953_856);
        assert_eq!(config.features(), 1024);
        let names: Vec<String> = config.parameters().into_iter().map(|p| p.name).collect();
        assert_eq!(names.len(), 606);
        assert!(names.contains(&"features.denseblock3.denselayer24.norm2.running_var".to_owned()));
    }

    #[test]
    fn the_small_network_is_small() {
        let config = DenseNetConfig::small(15);
        assert!((200_000..600_000).contains(&trained(&config)), "{}", trained(&config));
        assert!((128..=256).contains(&config.features()), "{}", config.features());
        assert_eq!(config.smallest_side(), 16);
    }

    #[test]
    fn multiply_adds_are_the_published_ones() {
        // torchvision's documentation: 2.83 GFLOPS, of which the classifier's 1000 outputs are 1 MFLOP.
        let published = 2.83e9;
        let count = DenseNetConfig::densenet121(1000).multiply_adds(224) as f64;
        assert!((count / published - 1.0).abs() < 0.02, "{count}");
    }

    #[test]
    fn impossible_numbers_are_refused() {
        let good = DenseNetConfig::small(6);
        assert!(good.validate().is_ok() && DenseNetConfig::densenet121(1000).validate().is_ok());
        for bad in [
            DenseNetConfig { channels: 2, ..good.clone() },
            DenseNetConfig { growth: 1 << 40, ..good.clone() },
            DenseNetConfig { blocks: vec![], ..good.clone() },
            DenseNetConfig { blocks: vec![1 << 50], ..good.clone() },
            DenseNetConfig { labels: 0, ..good.clone() },
            DenseNetConfig { init_features: 0, ..good.clone() },
        ] {
            assert!(bad.validate().is_err(), "{bad:?}");
        }
        let body = DenseNetConfig { labels: 0, ..good.clone() };
        assert!(body.validate_body().is_ok() && DenseNetConfig { growth: 0, ..body.clone() }.validate_body().is_err());
        assert_eq!(body.parameters().len() + 2, good.parameters().len());
    }
}
