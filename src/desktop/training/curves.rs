//! A run's history as curves: which measures share a chart, smoothed, thinned out to what a screen can show.

use eframe::egui::Color32;
use egui_plot::PlotPoint;

use super::history::{Basis, History};
use crate::desktop::theme::Colors;
use crate::training::events::{Figures, Quality};

/// Most points of one curve on screen; a plot is hardly wider.
const POINTS: usize = 400;

/// Values this near to zero lie on the straight part of the logarithmic scale.
const STRAIGHT: f64 = 0.01;

/// Measures that share one pair of axes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Chart {
    /// Losses of both networks.
    Losses,
    /// Mean scores that the critic gives.
    Scores,
    /// The gradient penalty.
    Penalty,
    /// Lengths of both networks' gradients.
    Gradients,
    /// Fréchet distance.
    Frechet,
    /// Kernel distance.
    Kernel,
    /// Shares of samples and reals inside the other's manifold.
    Manifold,
    /// How densely reals surround samples, and how many of them have a sample near.
    Surroundings,
    /// Where the samples' nearest distances lie among those of unseen patients.
    Nearest,
    /// Images per second.
    Speed,
    /// Memory of the process.
    Memory,
}

/// One measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "`name` says what each one is, on screen too")]
pub enum Measure {
    CriticLoss,
    GeneratorLoss,
    RealScore,
    FakeScore,
    Penalty,
    CriticGradient,
    GeneratorGradient,
    Frechet,
    Kernel,
    Precision,
    Recall,
    Density,
    Coverage,
    Nearest,
    Speed,
    Memory,
}

impl Chart {
    /// All charts, in their order on screen.
    pub const ALL: [Self; 11] = [
        Self::Losses,
        Self::Frechet,
        Self::Kernel,
        Self::Manifold,
        Self::Surroundings,
        Self::Nearest,
        Self::Scores,
        Self::Penalty,
        Self::Gradients,
        Self::Speed,
        Self::Memory,
    ];

    /// Its heading.
    pub fn text(self) -> &'static str {
        match self {
            Self::Losses => "Losses",
            Self::Scores => "Critic's scores",
            Self::Penalty => "Gradient penalty",
            Self::Gradients => "Gradient norms",
            Self::Frechet => "Fréchet distance (FID)",
            Self::Kernel => "Kernel distance (KID)",
            Self::Manifold => "Precision and recall",
            Self::Surroundings => "Density and coverage",
            Self::Nearest => "Nearest distance, percentile",
            Self::Speed => "Images per second",
            Self::Memory => "Memory, GB",
        }
    }

    /// Whether its values are amounts, of which none is the natural end of the scale.
    pub fn is_amount(self) -> bool {
        matches!(self, Self::Frechet | Self::Kernel | Self::Nearest | Self::Speed | Self::Memory)
    }

    /// A value that its scale always reaches from zero, so that what it means is seen: all of a share, or the percentile
    /// of a new patient.
    pub fn landmark(self) -> Option<f64> {
        match self {
            Self::Manifold | Self::Surroundings => Some(1.0),
            Self::Nearest => Some(50.0),
            _ => None,
        }
    }

    /// Whether it shows measures of quality, which mean nothing without what they rest on.
    fn is_quality(self) -> bool {
        matches!(self, Self::Frechet | Self::Kernel | Self::Manifold | Self::Surroundings | Self::Nearest)
    }

    /// What the figures of a run's first encoder rest on, or of its `second`, the newest first; nothing where they are no
    /// measures of quality.
    pub fn bases(self, history: &History, second: bool) -> Vec<Basis<'_>> {
        if self.is_quality() { history.bases(second) } else { Vec::new() }
    }

    /// What one should know to read it.
    pub fn tooltip(self) -> &'static str {
        match self {
            Self::Losses => {
                "What each network is trained towards. They pull against each other, so neither need fall; what they \
                 should not do is run away."
            }
            Self::Scores => "Mean score of real images and of samples. As samples improve, the two come together.",
            Self::Penalty => "Holds the critic's slope in bounds. A penalty that grows without end announces collapse.",
            Self::Gradients => "Length of the gradient of all weights, before the optimiser scales it.",
            Self::Frechet => {
                "Distance between the features of samples and reals; lower is better. Comparable only at the same \
                 encoder and number of samples."
            }
            Self::Kernel => {
                "As the Fréchet distance, without its dependence on the number of samples; may fall below 0."
            }
            Self::Manifold => {
                "Precision is the share of samples that lie among the reals, recall the share of reals that lie among the \
                 samples; higher is better, and 1 is all of them."
            }
            Self::Surroundings => {
                "Density says how closely reals surround the samples (1: as closely as each other; it may be more), \
                 coverage what share of reals has a sample near; higher is better."
            }
            Self::Nearest => {
                "Where samples' distances to their nearest training film lie among those of patients never seen: 50 is \
                 as far as a new patient; towards 0 samples are copies. Memorisation begins where this falls."
            }
            Self::Speed => "Real images shown per second.",
            Self::Memory => "Memory that the training process holds.",
        }
    }

    /// Its measures.
    pub fn measures(self) -> &'static [Measure] {
        match self {
            Self::Losses => &[Measure::CriticLoss, Measure::GeneratorLoss],
            Self::Scores => &[Measure::RealScore, Measure::FakeScore],
            Self::Penalty => &[Measure::Penalty],
            Self::Gradients => &[Measure::CriticGradient, Measure::GeneratorGradient],
            Self::Frechet => &[Measure::Frechet],
            Self::Kernel => &[Measure::Kernel],
            Self::Manifold => &[Measure::Precision, Measure::Recall],
            Self::Surroundings => &[Measure::Density, Measure::Coverage],
            Self::Nearest => &[Measure::Nearest],
            Self::Speed => &[Measure::Speed],
            Self::Memory => &[Measure::Memory],
        }
    }
}

impl Measure {
    /// Its name in legends and tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::CriticLoss | Self::CriticGradient => "critic",
            Self::GeneratorLoss | Self::GeneratorGradient => "generator",
            Self::RealScore => "real images",
            Self::FakeScore => "samples",
            Self::Penalty => "penalty",
            Self::Frechet => "FID",
            Self::Kernel => "KID",
            Self::Precision => "precision",
            Self::Recall => "recall",
            Self::Density => "density",
            Self::Coverage => "coverage",
            Self::Nearest => "percentile",
            Self::Speed => "images per second",
            Self::Memory => "memory",
        }
    }

    /// Its colour: amber for what concerns samples, cyan for reals, grey for the critic and the machine.
    pub fn color(self, colors: &Colors) -> Color32 {
        match self {
            Self::GeneratorLoss | Self::GeneratorGradient | Self::FakeScore | Self::Frechet | Self::Kernel => {
                colors.synthetic
            }
            Self::Precision | Self::Density | Self::Nearest => colors.synthetic,
            Self::RealScore | Self::Recall | Self::Coverage => colors.real,
            Self::CriticLoss | Self::CriticGradient | Self::Penalty | Self::Speed | Self::Memory => colors.text,
        }
    }

    fn of_figures(self, figures: &Figures) -> Option<f64> {
        let value = match self {
            Self::CriticLoss => f64::from(figures.critic_loss),
            Self::GeneratorLoss => f64::from(figures.generator_loss),
            Self::RealScore => f64::from(figures.real_score),
            Self::FakeScore => f64::from(figures.fake_score),
            Self::Penalty => f64::from(figures.penalty),
            Self::CriticGradient => f64::from(figures.critic_gradient),
            Self::GeneratorGradient => f64::from(figures.generator_gradient),
            Self::Speed => figures.images_per_second,
            Self::Memory => figures.memory_bytes as f64 / 1e9,
            Self::Frechet
            | Self::Kernel
            | Self::Precision
            | Self::Recall
            | Self::Density
            | Self::Coverage
            | Self::Nearest => return None,
        };
        let critics = [Self::CriticLoss, Self::RealScore, Self::FakeScore, Self::CriticGradient, Self::Penalty];
        if figures.alone && critics.contains(&self) {
            return None;
        }
        // Logs of earlier versions have no gradients and no memory.
        let told = value != 0.0 || matches!(self, Self::CriticLoss | Self::GeneratorLoss | Self::RealScore);
        (told && value.is_finite()).then_some(value)
    }

    fn of_quality(self, quality: &Quality) -> Option<f64> {
        match self {
            Self::Frechet => Some(quality.fid),
            Self::Kernel => Some(quality.kid),
            Self::Precision => quality.precision,
            Self::Recall => quality.recall,
            Self::Density => quality.density,
            Self::Coverage => quality.coverage,
            Self::Nearest => quality.nearest_percentile,
            _ => None,
        }
        .filter(|value| value.is_finite())
    }

    /// All values over thousands of images, those of quality with the measure that they are part of.
    pub fn told(self, history: &History) -> impl Iterator<Item = ([f64; 2], Option<&Quality>)> {
        let figures = history.figures.iter().filter_map(move |f| Some(([f.kimg, self.of_figures(f)?], None)));
        let qualities = history.qualities.iter().filter_map(move |q| Some(([q.kimg, self.of_quality(q)?], Some(q))));
        figures.chain(qualities)
    }

    /// All values over thousands of images; of a measure of quality those of the first encoder, or of the `second`.
    pub fn values(self, history: &History, second: bool) -> Vec<[f64; 2]> {
        let own = |quality: Option<&Quality>| quality.is_some_and(|quality| quality.second) == second;
        self.told(history).filter(|(_, quality)| own(*quality)).map(|(value, _)| value).collect()
    }
}

/// How curves are drawn.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CurveLook {
    /// What stays of the mean from one value to the next, 0 (no smoothing) to below 1.
    pub smoothing: f64,
    /// Logarithmic away from zero.
    pub log: bool,
}

impl Default for CurveLook {
    fn default() -> Self {
        Self { smoothing: 0.8, log: false }
    }
}

/// One measure of one run, ready to be drawn.
#[derive(Debug, Clone, PartialEq)]
pub struct Curve {
    /// Which.
    pub measure: Measure,
    /// Name of the run's second encoder, where these are its figures.
    pub second: Option<String>,
    /// What the figures rest on, in words; nothing where they are no measures of quality.
    pub basis: Option<String>,
    /// As measured, thinned out; empty where smoothing changes nothing.
    pub raw: Vec<PlotPoint>,
    /// Smoothed and thinned out.
    pub smooth: Vec<PlotPoint>,
}

impl Curve {
    /// Its name: the measure, and the encoder where that is the run's second.
    pub fn name(&self) -> String {
        let measure = self.measure.name();
        self.second.as_ref().map_or_else(|| measure.to_owned(), |encoder| format!("{measure}, {encoder}"))
    }

    /// Its name with what its figures rest on: N and the encoder, without which a measure of quality says nothing.
    pub fn label(&self) -> String {
        let measure = self.measure.name();
        self.basis.as_ref().map_or_else(|| measure.to_owned(), |basis| format!("{measure}, {basis}"))
    }
}

/// All curves of one run.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Curves(Vec<(Chart, Vec<Curve>)>);

impl Curves {
    /// Prepares the curves of a history; those of a second encoder stand behind all of the first's.
    pub fn of(history: &History, look: CurveLook) -> Self {
        let curve = |chart: Chart, measure: Measure, second: bool| {
            let values = measure.values(history, second);
            let bases = chart.bases(history, second);
            let smooths = look.smoothing > 0.0 && values.len() > 2;
            let drawn = |values: &[[f64; 2]]| {
                let to = |[x, y]: [f64; 2]| PlotPoint::new(x, if look.log { to_log(y) } else { y });
                thinned(values, POINTS).into_iter().map(to).collect::<Vec<_>>()
            };
            let smooth = if smooths { smoothed(&values, look.smoothing) } else { values.clone() };
            Curve {
                measure,
                second: bases.first().filter(|_| second).map(|basis| basis.encoder.to_owned()),
                basis: Basis::in_words(&bases),
                raw: if smooths { drawn(&values) } else { Vec::new() },
                smooth: drawn(&smooth),
            }
        };
        let chart = |chart: Chart| {
            let of = |second| chart.measures().iter().map(move |&measure| (measure, second));
            let curves = of(false).chain(of(true)).map(|(measure, second)| curve(chart, measure, second));
            let curves: Vec<Curve> = curves.filter(|curve| !curve.smooth.is_empty()).collect();
            (!curves.is_empty()).then_some((chart, curves))
        };
        Self(Chart::ALL.into_iter().filter_map(chart).collect())
    }

    /// The curves of one chart; none where nothing was measured.
    pub fn chart(&self, chart: Chart) -> &[Curve] {
        self.0.iter().find(|(own, _)| *own == chart).map_or(&[], |(_, curves)| curves)
    }

    /// The charts for which something was measured.
    pub fn charts(&self) -> impl Iterator<Item = Chart> {
        self.0.iter().map(|(chart, _)| *chart)
    }
}

/// Running mean in which each value keeps the share `keep` of the mean before it, freed of its start at zero.
pub fn smoothed(values: &[[f64; 2]], keep: f64) -> Vec<[f64; 2]> {
    let (mut sum, mut weight) = (0.0, 0.0);
    let next = |&[x, y]: &[f64; 2]| {
        sum = keep * sum + (1.0 - keep) * y;
        weight = keep * weight + (1.0 - keep);
        [x, sum / weight]
    };
    values.iter().map(next).collect()
}

/// At most `most` points that keep the curve's lowest and highest values: of each stretch its two extremes, in order.
pub fn thinned(values: &[[f64; 2]], most: usize) -> Vec<[f64; 2]> {
    if values.len() <= most {
        return values.to_vec();
    }
    let stretch = values.len().div_ceil(most / 2);
    let mut kept = Vec::with_capacity(most);
    for part in values.chunks(stretch) {
        let by_value = |&a: &usize, &b: &usize| part[a][1].total_cmp(&part[b][1]);
        let low = (0..part.len()).min_by(by_value).unwrap_or(0);
        let high = (0..part.len()).max_by(by_value).unwrap_or(0);
        kept.push(part[low.min(high)]);
        if low != high {
            kept.push(part[low.max(high)]);
        }
    }
    kept
}

/// The place of a value on the scale that is logarithmic away from zero and straight within ±0.01.
pub fn to_log(value: f64) -> f64 {
    (value / (2.0 * STRAIGHT)).asinh() / std::f64::consts::LN_10
}

/// The value at a place of that scale.
pub fn from_log(place: f64) -> f64 {
    (place * std::f64::consts::LN_10).sinh() * 2.0 * STRAIGHT
}

#[cfg(test)]
mod tests;
