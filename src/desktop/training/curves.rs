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

    /// What its figures rest on in a run, the newest first; nothing where they are no measures of quality.
    pub fn bases(self, history: &History) -> Vec<Basis<'_>> {
        if self.is_quality() { history.bases() } else { Vec::new() }
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

    /// All values over thousands of images.
    pub fn values(self, history: &History) -> Vec<[f64; 2]> {
        self.told(history).map(|(value, _)| value).collect()
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
    /// As measured, thinned out; empty where smoothing changes nothing.
    pub raw: Vec<PlotPoint>,
    /// Smoothed and thinned out.
    pub smooth: Vec<PlotPoint>,
}

/// All curves of one run.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Curves(Vec<(Chart, Vec<Curve>)>);

impl Curves {
    /// Prepares the curves of a history.
    pub fn of(history: &History, look: CurveLook) -> Self {
        let curve = |&measure: &Measure| {
            let values = measure.values(history);
            let smooths = look.smoothing > 0.0 && values.len() > 2;
            let drawn = |values: &[[f64; 2]]| {
                let to = |[x, y]: [f64; 2]| PlotPoint::new(x, if look.log { to_log(y) } else { y });
                thinned(values, POINTS).into_iter().map(to).collect::<Vec<_>>()
            };
            let smooth = if smooths { smoothed(&values, look.smoothing) } else { values.clone() };
            Curve { measure, raw: if smooths { drawn(&values) } else { Vec::new() }, smooth: drawn(&smooth) }
        };
        let chart = |chart: Chart| {
            let curves: Vec<Curve> = chart.measures().iter().map(curve).filter(|c| !c.smooth.is_empty()).collect();
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
mod tests {
    use super::*;

    #[test]
    fn smoothing_leaves_a_constant_alone_and_follows_a_step() {
        let level: Vec<[f64; 2]> = (0..10).map(|i| [f64::from(i), 3.0]).collect();
        assert!(smoothed(&level, 0.9).iter().all(|[_, y]| (y - 3.0).abs() < 1e-12));
        // pandas: pd.Series([0, 0, 1, 1]).ewm(alpha=0.5).mean() -> 0, 0, 0.571429, 0.8
        let step: Vec<[f64; 2]> = [0.0, 0.0, 1.0, 1.0].into_iter().map(|y| [0.0, y]).collect();
        let found: Vec<f64> = smoothed(&step, 0.5).iter().map(|[_, y]| *y).collect();
        assert!((found[2] - 0.571429).abs() < 1e-6 && (found[3] - 0.8).abs() < 1e-12, "{found:?}");
    }

    #[test]
    fn thinning_keeps_the_peaks() {
        let mut values: Vec<[f64; 2]> = (0..10_000).map(|i| [f64::from(i), f64::from(i % 7)]).collect();
        values[4321][1] = 99.0;
        values[8765][1] = -99.0;
        let kept = thinned(&values, 400);
        assert!(kept.len() <= 400);
        assert!(kept.contains(&[4321.0, 99.0]) && kept.contains(&[8765.0, -99.0]));
        assert!(kept.is_sorted_by(|a, b| a[0] < b[0]));
        assert_eq!(thinned(&values[..5], 400), &values[..5]);
    }

    #[test]
    fn the_scale_is_logarithmic_away_from_zero_and_has_both_signs() {
        assert!((to_log(1000.0) - to_log(100.0) - 1.0).abs() < 1e-6);
        assert_eq!(to_log(0.0), 0.0);
        for value in [-300.0, -0.004, 0.02, 7.5] {
            assert!((from_log(to_log(value)) - value).abs() < 1e-9 * value.abs().max(1.0));
            assert_eq!(to_log(-value), -to_log(value));
        }
    }

    #[test]
    fn only_what_was_measured_has_a_chart() {
        let mut history = History::default();
        assert_eq!(Curves::of(&history, CurveLook::default()).charts().count(), 0);
        history.figures.push(Figures {
            step: 1,
            kimg: 0.1,
            critic_loss: 2.0,
            images_per_second: 9.0,
            ..Figures::default()
        });
        history.qualities.push(Quality { kimg: 0.1, fid: 30.0, kid: 0.2, ..Quality::default() });
        let curves = Curves::of(&history, CurveLook::default());
        let charts: Vec<Chart> = curves.charts().collect();
        assert_eq!(charts, [Chart::Losses, Chart::Frechet, Chart::Kernel, Chart::Scores, Chart::Speed]);
        assert_eq!(curves.chart(Chart::Losses)[0].smooth[0], PlotPoint::new(0.1, 2.0));
        assert!(curves.chart(Chart::Memory).is_empty());
    }

    #[test]
    fn the_manifold_has_its_charts_after_the_kernel_distance() {
        let mut history = History::default();
        let quality = Quality { count: 1000, precision: Some(0.9), recall: Some(0.8), ..Quality::default() };
        history.qualities.push(Quality { coverage: Some(0.7), ..quality });
        let curves = Curves::of(&history, CurveLook::default());
        let charts: Vec<Chart> = curves.charts().collect();
        assert_eq!(charts, [Chart::Frechet, Chart::Kernel, Chart::Manifold, Chart::Surroundings]);
        let measures = |chart| curves.chart(chart).iter().map(|curve| curve.measure).collect::<Vec<_>>();
        assert_eq!(measures(Chart::Manifold), [Measure::Precision, Measure::Recall]);
        // What was not measured has no curve.
        assert_eq!(measures(Chart::Surroundings), [Measure::Coverage]);
        assert!(charts.iter().all(|chart| chart.bases(&history).len() == 1));
        assert!(Chart::Losses.bases(&history).is_empty());
    }

    #[test]
    fn a_critic_that_has_not_begun_has_no_curve() {
        let mut history = History::default();
        for (kimg, alone) in [(0.1, true), (0.2, false)] {
            let figures = Figures { kimg, alone, generator_loss: 1.0, ..Figures::default() };
            history.figures.push(figures);
        }
        assert_eq!(Measure::GeneratorLoss.values(&history), [[0.1, 1.0], [0.2, 1.0]]);
        assert_eq!(Measure::CriticLoss.values(&history), [[0.2, 0.0]]);
        assert_eq!(Measure::RealScore.values(&history), [[0.2, 0.0]]);
    }
}
