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
    assert!(charts.iter().all(|chart| chart.bases(&history, false).len() == 1));
    assert!(Chart::Losses.bases(&history, false).is_empty());
}

#[test]
fn two_encoders_have_a_curve_each_that_says_what_it_rests_on() {
    let mut history = History::default();
    for i in 1..4u8 {
        let (kimg, fid) = (f64::from(i), 12.0 / f64::from(i));
        let first = Quality { kimg, fid, count: 500, encoder: "small".to_owned(), ..Quality::default() };
        let second = Quality { fid: 9.0 * fid, encoder: "photographs".to_owned(), second: true, ..first.clone() };
        history.qualities.extend([first, second]);
    }
    history.figures.push(Figures { kimg: 1.0, critic_loss: 2.0, generator_loss: 1.0, ..Figures::default() });
    let curves = Curves::of(&history, CurveLook { smoothing: 0.0, log: false });
    let [first, second] = curves.chart(Chart::Frechet) else { panic!("not two curves") };
    let last = |curve: &Curve| (curve.smooth.len(), curve.smooth[2].y);
    assert_eq!((last(first), last(second)), ((3, 4.0), (3, 36.0)));
    assert_eq!((first.name().as_str(), second.name().as_str()), ("FID", "FID, photographs"));
    assert_eq!(first.label(), "FID, N = 500, small");
    assert_eq!(second.label(), "FID, N = 500, photographs");
    assert_eq!(Measure::Frechet.values(&history, true), [[1.0, 108.0], [2.0, 54.0], [3.0, 36.0]]);
    // What no encoder measures is there once, and rests on nothing.
    let losses = curves.chart(Chart::Losses);
    assert_eq!(losses.len(), 2);
    assert_eq!((losses[0].label().as_str(), &losses[0].second), ("critic", &None));
    assert!(Measure::CriticLoss.values(&history, true).is_empty());
}

#[test]
fn a_critic_that_has_not_begun_has_no_curve() {
    let mut history = History::default();
    for (kimg, alone) in [(0.1, true), (0.2, false)] {
        let figures = Figures { kimg, alone, generator_loss: 1.0, ..Figures::default() };
        history.figures.push(figures);
    }
    assert_eq!(Measure::GeneratorLoss.values(&history, false), [[0.1, 1.0], [0.2, 1.0]]);
    assert_eq!(Measure::CriticLoss.values(&history, false), [[0.2, 0.0]]);
    assert_eq!(Measure::RealScore.values(&history, false), [[0.2, 0.0]]);
}
