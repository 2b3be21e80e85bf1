//! What each field of a spec means, in a sentence.

/// What a field means, or a part that may be absent; nothing for a path that no spec has.
pub fn help(path: &str) -> &'static str {
    match path {
        "name" => "Of the model that comes out; the run's folder is named after it.",
        "cohort" => "The pack to train on; only its train fold is shown to the networks.",
        "seed" => "Of every random draw: the same spec and seed give the same weights.",
        "network.family" => "Both as published; see docs/models.md for how they differ.",
        "network.resolution" => "Side of the finished images in pixels, a power of two.",
        "network.latent" => "Length of the latent vector.",
        "network.feature_base" => {
            "Features at a side are twice this number divided by the side, up to the most allowed."
        }
        "network.feature_max" => "Most features at any side.",
        "loss.kind" => "WGAN-GP as published, or the logistic loss with R1.",
        "loss.penalty" => "Weight of the gradient penalty; 10 as published.",
        "loss.drift" => "Weight of the squared score of reals; 0.001 as published.",
        "loss.gamma" => "Weight of R1's penalty.",
        "loss.every" => "Steps from one penalty to the next; its weight grows with them.",
        "loss.label_weight" => "Weight of the classifier inside the critic; prog-GAN only.",
        "schedule.total_kimg" => "Real images shown over the whole run, in thousands.",
        _ if path.starts_with("schedule.levels.") => of_level(path),
        "optimiser.rate" => "Learning rate of both networks.",
        "optimiser.beta1" => "Decay of Adam's first moment.",
        "optimiser.beta2" => "Decay of Adam's second moment.",
        "optimiser.epsilon" => "Added under Adam's division.",
        "optimiser.settle" => "Share of the run's end over which the rate falls to a tenth; 0 as published.",
        "optimiser.below" => {
            "Share of the rate for the generator's levels below its last, which a start has taught already."
        }
        "average.kind" => "Whether the average that samples are drawn from follows by steps or by images shown.",
        "average.decay" => "What stays of the average at every step; 0.999 as published.",
        "average.kimg" => "Thousands of images over which half of the average is replaced.",
        "data.augment" => "What is done to every image before the critic sees it; helps small cohorts.",
        "data.balanced" => "Draws a finding first, then an image that has it.",
        "anchor" => "Ties the generator to the principal components of the train fold, which the papers do not.",
        "anchor.alone_kimg" => "Thousands of images over which the generator learns from the anchor, without a critic.",
        "anchor.weight" => "Weight of the anchor in the generator's loss once the critic is there.",
        "anchor.findings" => {
            "Weight of the change that each finding makes on average; 0 leaves findings to the critic."
        }
        "anchor.findings_later" => {
            "The same once the critic is there: at 0 samples need not all show a finding's average."
        }
        "anchor.rate" => "Learning rate while the generator learns alone; it may be ten times as high then.",
        "record.sample_kimg" => "Thousands of images from one sample grid to the next.",
        "record.checkpoint_kimg" => "Thousands of images from one checkpoint to the next.",
        "record.quality_kimg" => {
            "Thousands of images from one measure of quality to the next at full size; 0 for none."
        }
        "record.keep" => "Checkpoints kept, beside the best one; older ones are removed.",
        "record.tensorboard" => "Whether figures and sample grids are also written for TensorBoard.",
        "record.half_precision" => "Whether the model file holds 16-bit numbers.",
        "quality.count" => "Samples measured, against as many reals; fewer where the train fold has fewer.",
        "quality.encoder" => "The encoder file to measure with; without one, the program's own for the cohort.",
        "quality.second_encoder" => {
            "A second encoder file, whose figures stand beside the first's; the first alone judges."
        }
        "quality.stop" => "Ends the run where the Fréchet distance falls no more; the model is then the best one.",
        "quality.stop.from_kimg" => "Measures before this many thousand images do not count.",
        "quality.stop.patience" => "Measures in a row without a new smallest distance after which the run ends.",
        "guard.steps" => "Steps in a row that are skipped or run away before something is done.",
        "guard.loss" => "A loss beyond this, or one that is not a number, has run away.",
        "guard.then" => "What is done: on from the last good checkpoint at a lower rate, or the run ends.",
        "guard.rate" => "Factor of the learning rate after each return to a checkpoint.",
        "guard.most" => "Returns to a checkpoint before the run ends after all.",
        "micro_batch" => "Images of a minibatch computed at a time, to save memory; the gradient is still the whole's.",
        "precision" => "What the networks compute in; only 32-bit numbers are offered.",
        "device" => "What to compute on; auto takes the first GPU that this build can use, else the processor.",
        "start_from" => "A checkpoint of another run to take weights from.",
        _ => "",
    }
}

fn of_level(path: &str) -> &'static str {
    match path.rsplit('.').next() {
        Some("side") => "Side of this level in pixels; each level doubles the one before.",
        Some("batch") => "Images in a minibatch, a multiple of 4.",
        Some("fade_kimg") => "Thousands of images over which this level fades in; without effect on the first.",
        Some("stable_kimg") => {
            "Thousands of images shown at this level after the fade; the last one goes on to the end."
        }
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::desktop::training::draft::{Draft, tests::full};

    #[test]
    fn every_key_of_a_spec_has_a_short_sentence_of_its_own() {
        let mut sentences = BTreeMap::new();
        for (loss, average) in [("wgan_gp", "per_step"), ("r1", "half_life")] {
            let mut draft = Draft::like(&full());
            draft.set("loss.kind", loss);
            draft.set("average.kind", average);
            let parts = draft.optional().map(|(part, on)| {
                assert!(on, "{part} is not in the full spec");
                part.to_owned()
            });
            let keys: Vec<String> = draft.fields().into_iter().map(|field| field.path).chain(parts).collect();
            for key in keys {
                let sentence = help(&key);
                assert!(sentence.ends_with('.') && sentence.len() <= 100, "{key}: {sentence:?}");
                // All levels share theirs.
                let level: String = key.chars().filter(|c| !c.is_ascii_digit() || !key.contains("levels")).collect();
                let other = sentences.insert(sentence, level.clone()).unwrap_or_else(|| level.clone());
                assert_eq!(other, level, "{sentence}");
            }
        }
        assert_eq!(help("optimiser.speed"), "");
    }
}
