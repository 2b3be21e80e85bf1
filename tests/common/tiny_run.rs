//! The run of the command line's tests: 16 px, a few features, a step in milliseconds.

#![allow(dead_code, reason = "each test file uses a part of it")]

/// A spec on the pack `pack` beside it, of `kimg` thousand images, with samples every `sample_kimg`.
pub fn spec(name: &str, kimg: f64, sample_kimg: f64, tensorboard: bool) -> String {
    format!(
        r#"
name = "{name}"
cohort = "pack"
seed = 7
device = "cpu"

[network]
family = "cpd_gan"
resolution = 16
latent = 8
feature_base = 64
feature_max = 8

[loss]
kind = "wgan_gp"
penalty = 10.0
drift = 0.001

[schedule]
total_kimg = {kimg:?}

[[schedule.levels]]
side = 16
batch = 8

[record]
sample_kimg = {sample_kimg:?}
checkpoint_kimg = 0.08
tensorboard = {tensorboard}
"#
    )
}

/// The words that draw the pack: a few slices.
pub const PACK: [&str; 8] = ["cohort", "phantom", "brain", "--count", "60", "--resolution", "32", "--out"];
