//! The same run with several seeds: what is typed, and the specs that it makes.

use crate::training::RunSpec;

/// Most seeds of one array.
const MOST: usize = 100;

/// The seeds that are typed for a run, in their order; the run's own where nothing is typed.
///
/// # Errors
/// What is wrong and what may be typed, in a sentence.
pub fn of(spec: &RunSpec, text: &str) -> Result<Vec<u64>, String> {
    let seeds = parse(text)?;
    if seeds.is_empty() {
        return Ok(vec![spec.seed]);
    }
    // The longest name is that of the largest number.
    if let (Some(&largest), true) = (seeds.iter().max(), seeds.len() > 1)
        && let Err(problem) = with_seed(spec, largest).validate()
    {
        return Err(format!("\u{201c}{}\u{201d}: {problem}; shorten the name", name(spec, largest)));
    }
    Ok(seeds)
}

/// The spec of each seed; where there are several, each has its seed in its name.
pub fn specs(spec: &RunSpec, seeds: &[u64]) -> Vec<RunSpec> {
    match seeds {
        [seed] => vec![RunSpec { seed: *seed, ..spec.clone() }],
        _ => seeds.iter().map(|&seed| with_seed(spec, seed)).collect(),
    }
}

/// What the run with this seed is called among several.
pub fn name(spec: &RunSpec, seed: u64) -> String {
    let name = spec.name.trim();
    // A run that was duplicated may be one of several itself.
    let name = name.strip_suffix(&format!("-seed{}", spec.seed)).unwrap_or(name);
    format!("{name}-seed{seed}")
}

fn with_seed(spec: &RunSpec, seed: u64) -> RunSpec {
    RunSpec { name: name(spec, seed), seed, ..spec.clone() }
}

/// Numbers and ranges, `1, 2, 3` or `1-3`; none where nothing is typed.
fn parse(text: &str) -> Result<Vec<u64>, String> {
    let mut seeds = Vec::new();
    if text.trim().is_empty() {
        return Ok(seeds);
    }
    // A spec's file holds no larger whole number.
    let number = |word: &str| word.trim().parse::<u64>().ok().filter(|&seed| i64::try_from(seed).is_ok());
    for word in text.split(',') {
        let range = match word.split_once(['-', '\u{2013}']) {
            Some((first, last)) => number(first).zip(number(last)),
            None => number(word).map(|seed| (seed, seed)),
        };
        let (first, last) = range.filter(|(first, last)| first <= last).ok_or_else(|| {
            let word = word.trim();
            format!("\u{201c}{word}\u{201d} is no seed: give whole numbers such as 1, 2, 3, or a range such as 1-3")
        })?;
        // Before a range is written out, which may be a long one.
        if last - first >= (MOST - seeds.len()) as u64 {
            return Err(format!("give at most {MOST} seeds"));
        }
        for seed in first..=last {
            if seeds.contains(&seed) {
                return Err(format!("seed {seed} is named twice"));
            }
            seeds.push(seed);
        }
    }
    Ok(seeds)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generator::Family;
    use crate::training::presets;

    fn spec() -> RunSpec {
        RunSpec { name: "chest 32".to_owned(), seed: 7, ..presets::preset("small-32", Family::CpdGan).unwrap() }
    }

    #[test]
    fn seeds_are_numbers_and_ranges_and_the_runs_own_where_nothing_is_typed() {
        let typed = |text: &str| of(&spec(), text);
        assert_eq!(typed("  "), Ok(vec![7]));
        assert_eq!(typed("3"), Ok(vec![3]));
        assert_eq!(typed("1, 2,3"), Ok(vec![1, 2, 3]));
        assert_eq!(typed("9, 1-3, 5 \u{2013} 5"), Ok(vec![9, 1, 2, 3, 5]));
        assert_eq!(typed("1-100").map(|seeds| seeds.len()), Ok(100));
        for (wrong, word) in [
            ("one", "is no seed"),
            ("1,", "is no seed"),
            ("-1", "is no seed"),
            ("3-1", "is no seed"),
            ("1-2-3", "is no seed"),
            ("18446744073709551615", "is no seed"),
            ("1-101", "at most 100"),
            ("0-9223372036854775807", "at most 100"),
            ("1-100, 200", "at most 100"),
            ("1-3, 2", "seed 2 is named twice"),
        ] {
            assert!(typed(wrong).is_err_and(|problem| problem.contains(word)), "{wrong}: {:?}", typed(wrong));
        }
    }

    #[test]
    fn several_runs_have_their_seeds_in_their_names_and_differ_in_nothing_else() {
        let spec = spec();
        assert_eq!(specs(&spec, &[3]), [RunSpec { seed: 3, ..spec.clone() }]);
        let both = specs(&spec, &[1, 20]);
        let named = |name: &str, seed| RunSpec { name: name.to_owned(), seed, ..spec.clone() };
        assert_eq!(both, [named("chest 32-seed1", 1), named("chest 32-seed20", 20)]);
        // One of them, duplicated with other seeds.
        assert_eq!(name(&both[1], 4), "chest 32-seed4");
        let long = RunSpec { name: "n".repeat(60), ..spec };
        assert!(of(&long, "1").is_ok());
        assert!(of(&long, "1, 2").is_err_and(|problem| problem.contains("shorten the name")));
    }
}
