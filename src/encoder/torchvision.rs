//! A `DenseNet` as torchvision saves it, without a card: weights of photographs, whose features can compare images and whose
//! classes are no findings.
//!
//! In: tensors in torchvision's names. Out: the network, told from their shapes, and a card that says how an image is shown
//! to it. As in the benchmark's classifier, that is the whole film at 224 px in three equal planes, each standardised as
//! photographs are; torchvision's own evaluation of photographs scales them to 256 px and cuts 224 out of the middle, which
//! would take the border off a film.

use super::{DenseNetConfig, EncoderCard, EncoderTraining, Input, Source, Stem, Tensors, file};
use crate::finding::Vocabulary;
use crate::radiograph::Meaning;

/// The tensor by which such a file is recognised.
pub const STEM: &str = "features.conv0.weight";

/// What begins the names of the output's tensors.
const OUTPUT: &str = "classifier.";

/// Kernel of the first convolution, and planes that it takes.
const FIRST: [usize; 3] = [3, 7, 7];

/// The published networks: name, feature maps of the stem, growth, layers of each block.
const PUBLISHED: [(&str, usize, usize, [usize; 4]); 4] = [
    ("densenet121", 64, 32, [6, 12, 24, 16]),
    ("densenet161", 96, 48, [6, 12, 36, 24]),
    ("densenet169", 64, 32, [6, 12, 32, 32]),
    ("densenet201", 64, 32, [6, 12, 48, 32]),
];

/// Card and tensors of an encoder called `name`, for images of `meaning` that are shown in `window`. Its output is left
/// away, whatever it names: the file does not say.
///
/// # Errors
/// A sentence that names the tensor and the fault.
pub fn encoder(
    name: String,
    tensors: Tensors,
    meaning: Meaning,
    window: [f32; 2],
) -> Result<(EncoderCard, Tensors), String> {
    let body: Tensors = tensors
        .into_iter()
        .filter(|(name, _)| !name.starts_with(OUTPUT))
        .map(|(name, tensor)| (as_of_now(&name), tensor))
        .collect();
    let architecture = architecture(&body)?;
    file::fit(&architecture, &body)?;
    let card = EncoderCard {
        name,
        preset: preset(&architecture).to_owned(),
        architecture,
        input: Input::photographic(meaning, window),
        vocabulary: Vocabulary::new::<&str>("none", []),
        training: EncoderTraining {
            cohort: "not stated".to_owned(),
            cohort_hash: String::new(),
            phantom: false,
            images: 0,
            patients: 0,
            schedule: "not stated".to_owned(),
            seed: 0,
            source: Source::Films,
        },
        metrics: std::collections::BTreeMap::new(),
        remarks: vec!["Weights in torchvision's names, without a card: for features alone.".to_owned()],
        licence: "not stated".to_owned(),
        citation: String::new(),
    };
    Ok((card, body))
}

/// A tensor's name as torchvision gives it today. The files on pytorch.org still say `denselayer1.norm.1.weight`, which
/// torchvision renames too when it reads them.
fn as_of_now(name: &str) -> String {
    let mut name = name.to_owned();
    for old in [".norm.1.", ".norm.2.", ".conv.1.", ".conv.2."] {
        name = name.replace(old, &format!("{}{}", &old[..5], &old[6..]));
    }
    name
}

/// The network that has tensors of these shapes.
fn architecture(tensors: &Tensors) -> Result<DenseNetConfig, String> {
    let shape = |name: &str| -> Result<[usize; 4], String> {
        let unusable = || format!("tensor {name} is missing, or holds other than 32-bit or 16-bit numbers");
        let (shape, _) = tensors.get(name).ok_or_else(unusable)?;
        shape.as_slice().try_into().map_err(|_| format!("tensor {name} has shape {shape:?}, which is no convolution's"))
    };
    let [init_features, first @ ..] = shape(STEM)?;
    if first != FIRST {
        return Err(format!(
            "its first convolution is {first:?}; torchvision's takes 3 planes by 7 × 7 pixels, {FIRST:?}"
        ));
    }
    let layer = |block: usize, layer: usize| format!("features.denseblock{block}.denselayer{layer}");
    let is_there = |block, number| tensors.contains_key(&format!("{}.conv2.weight", layer(block, number)));
    // One more than the network may have, so that too many are refused below.
    let layers = |block| (1..=65).take_while(|&number| is_there(block, number)).count();
    let [growth, ..] = shape(&format!("{}.conv2.weight", layer(1, 1)))?;
    let [bottleneck, ..] = shape(&format!("{}.conv1.weight", layer(1, 1)))?;
    let config = DenseNetConfig {
        channels: first[0],
        stem: Stem::Wide,
        init_features,
        growth,
        bn_size: bottleneck.checked_div(growth).unwrap_or(0),
        blocks: (1..=7).map(layers).take_while(|&layers| layers > 0).collect(),
        labels: 0,
    };
    config.validate_body()?;
    Ok(config)
}

/// The published name of a network; `own` of another one.
fn preset(config: &DenseNetConfig) -> &'static str {
    let same = |&&(_, init, growth, blocks): &&(&str, usize, usize, [usize; 4])| {
        (config.init_features, config.growth, config.bn_size) == (init, growth, 4) && config.blocks == blocks
    };
    PUBLISHED.iter().find(same).map_or("own", |&(name, ..)| name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encoder::{Encoder, EncoderError, example};
    use crate::radiograph::Radiograph;

    const DENSITY: (Meaning, [f32; 2]) = (Meaning::Density, [-1.0, 1.0]);

    fn made(tensors: Tensors) -> Result<(EncoderCard, Tensors), String> {
        encoder("a".to_owned(), tensors, DENSITY.0, DENSITY.1)
    }

    // With the snippet of `example`, torchvision 0.29:
    // from torchvision.transforms.v2.functional import normalize
    // m = net(False).eval(); x = (image(1, 1, 224) + 1) / 2
    // x = normalize(x.repeat(1, 3, 1, 1), [0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    // print(torch.relu(m.features(x)).mean((2, 3)))
    const FEATURES: [f32; 20] = [
        0.646_356_6,
        0.0,
        0.0,
        0.707_799_2,
        1.466_106_5,
        0.032_710_42,
        0.000_154_403_1,
        0.091_305_55,
        0.448_329_8,
        0.256_893_75,
        0.124_751_38,
        0.075_606_1,
        0.164_012_15,
        0.233_754_98,
        0.361_980_65,
        0.507_049,
        0.497_608_04,
        0.388_247_46,
        0.226_060_92,
        0.111_931_83,
    ];

    #[test]
    fn a_file_without_a_card_gives_torchvisions_features_of_grey_in_three_planes_and_no_findings() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("photographs.v1.safetensors");
        example::write_as_torchvision(&path);
        let encoder = Encoder::for_images(&path, DENSITY.0, DENSITY.1).unwrap();
        let card = encoder.card();
        assert_eq!((card.name.as_str(), card.preset.as_str(), encoder.dim()), ("photographs.v1", "own", 20));
        assert_eq!(card.architecture, DenseNetConfig { labels: 0, ..example::config(Stem::Wide) });
        assert_eq!(encoder.hash(), crate::store::hash_file(&path).unwrap());
        let image = Radiograph::new(224, 224, example::image(224, 1), DENSITY.0).unwrap();
        example::assert_close(&encoder.features(std::slice::from_ref(&image)).unwrap(), &FEATURES, 5e-6);
        // Nothing is asked of it that only findings could answer.
        assert!(encoder.classify(&[image]).unwrap().is_empty() && card.vocabulary.is_empty());
        let refused = Encoder::load(&path).unwrap_err();
        assert!(matches!(refused, EncoderError::NoCard { .. }));
        let says = refused.to_string();
        assert!(says.contains("photographs.v1.safetensors") && says.contains("names no findings"), "{says}");
        let other = Radiograph::new(2, 2, vec![0.0; 4], Meaning::Hounsfield).unwrap();
        assert!(encoder.features(&[other]).is_err());
    }

    #[test]
    fn the_published_networks_are_told_from_their_shapes_in_both_spellings() {
        for (name, init_features, growth, blocks) in PUBLISHED {
            let config =
                DenseNetConfig { init_features, growth, blocks: blocks.to_vec(), ..DenseNetConfig::densenet121(1000) };
            // What `architecture` looks at is shapes alone: numbers would be 100 MB.
            let shapes: Tensors = config.parameters().into_iter().map(|p| (p.name, (p.shape, Vec::new()))).collect();
            let found = architecture(&shapes).unwrap();
            assert_eq!(found, DenseNetConfig { labels: 0, ..config });
            assert_eq!(preset(&found), name);
        }
        let old = "features.denseblock3.denselayer24.norm.2.running_var";
        assert_eq!(as_of_now(old), "features.denseblock3.denselayer24.norm2.running_var");
        assert_eq!(
            as_of_now("features.denseblock1.denselayer2.conv.1.weight"),
            "features.denseblock1.denselayer2.conv1.weight"
        );
        for parameter in DenseNetConfig::densenet121(1).parameters() {
            assert_eq!(as_of_now(&parameter.name), parameter.name);
        }
    }

    #[test]
    fn networks_that_are_not_torchvisions_are_refused_with_the_tensor() {
        let good = || example::tensors(&example::config(Stem::Wide));
        assert!(made(good()).is_ok());
        let refused = |change: &dyn Fn(&mut Tensors)| {
            let mut tensors = good();
            change(&mut tensors);
            made(tensors).unwrap_err()
        };
        let grey = refused(&|t| drop(t.insert(STEM.to_owned(), (vec![8, 1, 7, 7], vec![0.0; 392]))));
        assert!(grey.contains("takes 3 planes"), "{grey}");
        assert!(refused(&|t| drop(t.remove("features.norm5.bias"))).contains("features.norm5.bias is missing"));
        let more = refused(&|t| drop(t.insert("features.attention".to_owned(), (vec![1], vec![0.0]))));
        assert!(more.contains("tensors"), "{more}");
        let flat = refused(&|t| drop(t.insert(STEM.to_owned(), (vec![1176], vec![0.0; 1176]))));
        assert!(flat.contains("no convolution"), "{flat}");
        let none = "features.denseblock1.denselayer1.conv2.weight";
        let empty = refused(&|t| drop(t.insert(none.to_owned(), (vec![0, 8, 3, 3], Vec::new()))));
        assert!(empty.contains("growth 0"), "{empty}");
    }
}
