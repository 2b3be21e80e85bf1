//! Which films make up a point of a sweep, exactly as published (DuMont Schütte 2021).
//!
//! All choices are functions of the cohort and the factor alone, never of a sweep's seeds: every repeat learns from the
//! same films and is judged on the same films.

use std::collections::BTreeMap;

use rand::seq::SliceRandom;

use super::spec::{Factor, RankedOn};
use crate::cohort::{Fold, Pack};
use crate::compute::random;
use crate::finding::{Combination, NO_FINDING, Vocabulary};
use crate::store;

/// What is known of each film of a cohort when films are chosen: its class and its fold.
#[derive(Debug, Clone, PartialEq)]
pub struct Catalogue {
    /// Findings, to name classes in messages.
    pub vocabulary: Vocabulary,
    /// Class and fold of each film, in the order of the pack.
    pub films: Vec<(Combination, Fold)>,
}

impl Catalogue {
    /// Of a pack.
    pub fn of(pack: &Pack) -> Self {
        let film = |i: usize| (Combination::of(pack.labels(i)), pack.fold(i));
        Self { vocabulary: pack.header().vocabulary.clone(), films: (0..pack.len()).map(film).collect() }
    }

    fn name(&self, class: &Combination) -> String {
        let name = |&i: &u16| self.vocabulary.findings.get(usize::from(i)).map_or("?", String::as_str);
        class.0.iter().map(name).collect::<Vec<_>>().join(" + ")
    }

    /// The same with at most `most` films of "No Finding" alone, the first of them once shuffled (§1); the others lose that
    /// label, and films without a label belong to no class.
    ///
    /// # Errors
    /// A sentence, where the vocabulary has no such label.
    fn capped(&self, most: usize) -> Result<Self, String> {
        let place = self.vocabulary.position(NO_FINDING).ok_or_else(|| {
            format!("no_finding limits films of \"{NO_FINDING}\", a label that the cohort does not have; leave it out")
        })?;
        let healthy = Combination(vec![place as u16]);
        let mut films: Vec<usize> = (0..self.films.len()).filter(|&film| self.films[film].0 == healthy).collect();
        films.shuffle(&mut random::stream(1000, "films of no finding"));
        let mut capped = self.clone();
        films.into_iter().skip(most).for_each(|film| capped.films[film].0 = Combination(Vec::new()));
        Ok(capped)
    }

    /// Combinations with more than `least_count` films in the whole cohort, with their number where they are to be ranked,
    /// the commonest first; of equals the one that comes first in the vocabulary.
    fn ranked(&self, least_count: usize, on: RankedOn) -> Vec<(Combination, usize)> {
        let mut all: BTreeMap<&Combination, [usize; 2]> = BTreeMap::new();
        for (class, fold) in &self.films {
            let counts = all.entry(class).or_default();
            counts[0] += 1;
            counts[1] += usize::from(*fold == Fold::Train);
        }
        let kept = all.into_iter().filter(|(class, counts)| !class.0.is_empty() && counts[0] > least_count);
        let mut ranked: Vec<(Combination, usize)> = kept
            .map(|(class, counts)| (class.clone(), if on == RankedOn::All { counts[0] } else { counts[1] }))
            .collect();
        ranked.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        ranked
    }

    /// Films of a class in a fold, in the order of the pack.
    fn films_of(&self, class: &Combination, fold: Fold) -> Vec<u32> {
        (0u32..).zip(&self.films).filter(|(_, film)| film.0 == *class && film.1 == fold).map(|(i, _)| i).collect()
    }
}

/// The films of one point: positions in the pack, and the label columns that are left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subset {
    /// Classes, the commonest first.
    pub classes: Vec<Combination>,
    /// Films to learn from, class by class.
    pub train: Vec<u32>,
    /// Films to choose the epoch on.
    pub validation: Vec<u32>,
    /// Films to judge on.
    pub test: Vec<u32>,
    /// Label columns that are kept, ascending.
    pub columns: Vec<u16>,
}

impl Subset {
    /// Films of a fold.
    pub fn fold(&self, fold: Fold) -> &[u32] {
        match fold {
            Fold::Train => &self.train,
            Fold::Validation => &self.validation,
            Fold::Test => &self.test,
        }
    }

    /// SHA-256 over films and columns.
    pub fn hash(&self) -> String {
        let mut bytes = Vec::new();
        for part in [&self.train, &self.validation, &self.test] {
            bytes.extend((part.len() as u64).to_le_bytes());
            bytes.extend(part.iter().flat_map(|film| film.to_le_bytes()));
        }
        bytes.extend(self.columns.iter().flat_map(|column| column.to_le_bytes()));
        store::hash_bytes(&bytes)
    }

    /// The films of point `point`.
    ///
    /// # Errors
    /// A sentence that names the class that has too few films, and the remedy.
    pub fn build(cohort: &Catalogue, factor: &Factor, point: usize) -> Result<Self, String> {
        let capped = factor.no_finding().map(|most| cohort.capped(most)).transpose()?;
        let cohort = capped.as_ref().unwrap_or(cohort);
        match *factor {
            Factor::Classes { least_count, ranked_on, shuffled, ref grid, validation, test, .. } => {
                let ranked = cohort.ranked(least_count, ranked_on);
                let at = grid[point];
                // The order within a class is seeded with the class's place, the rarest being 0, and so is the same at
                // every point.
                let order = |rank: usize, fold: Fold| {
                    let mut films = cohort.films_of(&ranked[rank].0, fold);
                    if shuffled {
                        let place = (ranked.len() - 1 - rank) as u64;
                        films.shuffle(&mut random::stream(place, &format!("films of a class, {fold}")));
                    }
                    films
                };
                Self::balanced(cohort, &ranked, at.classes, [at.train, validation, test], order)
            }
            Factor::Samples { least_count, classes, ref grid, validation, test, .. } => {
                let ranked = cohort.ranked(least_count, RankedOn::Train);
                let most = grid.iter().copied().max().unwrap_or(0);
                // One permutation of the places within a class, shared by all classes; each point takes its beginning.
                let mut places: Vec<usize> = (0..most).collect();
                places.shuffle(&mut random::stream(0, "places within a class"));
                let order = |rank: usize, fold: Fold| {
                    let films = cohort.films_of(&ranked[rank].0, fold);
                    if fold != Fold::Train || films.len() < most {
                        return films;
                    }
                    places.iter().map(|&place| films[place]).collect()
                };
                for (class, _) in ranked.iter().take(classes.unwrap_or(ranked.len())) {
                    enough(cohort, class, Fold::Train, cohort.films_of(class, Fold::Train).len(), most)?;
                }
                Self::balanced(cohort, &ranked, classes.unwrap_or(ranked.len()), [grid[point], validation, test], order)
            }
            Factor::Mix { least_count, classes, train, validation, test, .. } => {
                let ranked = cohort.ranked(least_count, RankedOn::Train);
                let order = |rank: usize, fold: Fold| cohort.films_of(&ranked[rank].0, fold);
                Self::balanced(cohort, &ranked, classes, [train, validation, test], order)
            }
            Factor::Resolution { least_count, validation, test, .. } => {
                let ranked = cohort.ranked(least_count, RankedOn::All);
                let classes: Vec<Combination> = ranked.into_iter().map(|(class, _)| class).collect();
                if classes.is_empty() {
                    return Err(format!(
                        "no combination of findings has more than {least_count} films; lower least_count"
                    ));
                }
                let whole: Vec<u32> = (0u32..)
                    .zip(&cohort.films)
                    .filter(|(_, (class, fold))| *fold == Fold::Train && classes.contains(class))
                    .map(|(film, _)| film)
                    .collect();
                let validation = stratified(cohort, &classes, Fold::Validation, validation);
                let test = stratified(cohort, &classes, Fold::Test, test);
                for (fold, films) in [(Fold::Train, &whole), (Fold::Validation, &validation), (Fold::Test, &test)] {
                    if films.is_empty() {
                        return Err(format!("the {fold} fold has no film of a common combination; lower least_count"));
                    }
                }
                let columns = (0..cohort.vocabulary.len() as u16).collect();
                Ok(Self { classes, train: whole, validation, test, columns })
            }
        }
    }

    /// The `classes` commonest combinations, the same number of films of each in every fold, and only the label columns
    /// that are not zero throughout.
    fn balanced(
        cohort: &Catalogue,
        ranked: &[(Combination, usize)],
        classes: usize,
        counts: [usize; 3],
        order: impl Fn(usize, Fold) -> Vec<u32>,
    ) -> Result<Self, String> {
        if ranked.len() < classes || classes < 2 {
            return Err(format!(
                "{classes} classes are asked for, and {} combinations of findings are common enough; lower least_count or \
                 ask for fewer classes (at least 2)",
                ranked.len()
            ));
        }
        let mut subset = Self {
            classes: ranked[..classes].iter().map(|(class, _)| class.clone()).collect(),
            train: Vec::new(),
            validation: Vec::new(),
            test: Vec::new(),
            columns: Vec::new(),
        };
        for (rank, (class, _)) in ranked.iter().enumerate().take(classes) {
            for (fold, count) in Fold::ALL.into_iter().zip(counts) {
                let films = order(rank, fold);
                enough(cohort, class, fold, films.len(), count)?;
                let part = match fold {
                    Fold::Train => &mut subset.train,
                    Fold::Validation => &mut subset.validation,
                    Fold::Test => &mut subset.test,
                };
                part.extend(&films[..count]);
            }
        }
        let mut columns: Vec<u16> = subset.classes.iter().flat_map(|class| class.0.iter().copied()).collect();
        columns.sort_unstable();
        columns.dedup();
        subset.columns = columns;
        Ok(subset)
    }
}

fn enough(cohort: &Catalogue, class: &Combination, fold: Fold, there: usize, asked: usize) -> Result<(), String> {
    if there >= asked {
        return Ok(());
    }
    Err(format!(
        "the class \"{}\" has {there} films in the {fold} fold, and {asked} are asked for; ask for fewer films or classes",
        cohort.name(class)
    ))
}

/// About `most` films of a fold, each class in its share (largest remainders), or all where there are no more.
fn stratified(cohort: &Catalogue, classes: &[Combination], fold: Fold, most: usize) -> Vec<u32> {
    let strata: Vec<Vec<u32>> = classes.iter().map(|class| cohort.films_of(class, fold)).collect();
    let total: usize = strata.iter().map(Vec::len).sum();
    let most = most.min(total);
    let exact = |films: &Vec<u32>| most as f64 * films.len() as f64 / total.max(1) as f64;
    let mut counts: Vec<usize> = strata.iter().map(|films| exact(films).floor() as usize).collect();
    let mut by_remainder: Vec<usize> = (0..strata.len()).collect();
    by_remainder.sort_by(|&a, &b| exact(&strata[b]).fract().total_cmp(&exact(&strata[a]).fract()).then(a.cmp(&b)));
    let missing = most - counts.iter().sum::<usize>();
    by_remainder.into_iter().take(missing).for_each(|stratum| counts[stratum] += 1);
    let mut chosen = Vec::with_capacity(most);
    for (rank, (mut films, count)) in strata.into_iter().zip(counts).enumerate() {
        films.shuffle(&mut random::stream(rank as u64, &format!("stratified {fold} fold")));
        chosen.extend(&films[..count.min(films.len())]);
    }
    chosen.sort_unstable();
    chosen
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::benchmark::spec::ClassPoint;

    /// Six findings; combination k of the list has so many films in train, validation and test, dealt in turn so that no
    /// class lies in one piece. One combination is empty, one rare, one common in the whole but not in the train fold.
    const COUNTS: [(&[u16], [usize; 3]); 7] = [
        (&[0], [40, 12, 12]),
        (&[1, 2], [30, 10, 10]),
        (&[2], [26, 9, 9]),
        (&[1], [18, 30, 8]),
        (&[3, 4], [20, 6, 6]),
        (&[5], [2, 1, 1]),
        (&[], [50, 10, 10]),
    ];

    fn cohort() -> Catalogue {
        let mut films = Vec::new();
        for turn in 0..50 {
            for (class, counts) in COUNTS {
                for (fold, count) in Fold::ALL.into_iter().zip(counts) {
                    if turn < count {
                        films.push((Combination(class.to_vec()), fold));
                    }
                }
            }
        }
        Catalogue { vocabulary: Vocabulary::new("own", ["A", "B", "C", "D", "E", "F"]), films }
    }

    fn classes(ranked_on: RankedOn, shuffled: bool, grid: &[(usize, usize)]) -> Factor {
        Factor::Classes {
            resolution: 32,
            least_count: 10,
            no_finding: None,
            ranked_on,
            shuffled,
            grid: grid.iter().map(|&(classes, train)| ClassPoint { classes, train }).collect(),
            validation: 5,
            test: 4,
        }
    }

    fn names(subset: &Subset) -> Vec<Vec<u16>> {
        subset.classes.iter().map(|class| class.0.clone()).collect()
    }

    fn per_class(cohort: &Catalogue, subset: &Subset, fold: Fold) -> Vec<usize> {
        let of =
            |class: &Combination| subset.fold(fold).iter().filter(|&&f| cohort.films[f as usize].0 == *class).count();
        subset.classes.iter().map(of).collect()
    }

    #[test]
    fn classes_are_the_commonest_combinations_and_their_ranking_depends_on_where_they_are_counted() {
        let cohort = cohort();
        let build = |on| Subset::build(&cohort, &classes(on, true, &[(5, 10)]), 0).unwrap();
        // All films: 64, 56, 50, 44, 32; the empty combination (70) and the rare one (4) are left out.
        assert_eq!(names(&build(RankedOn::All)), [vec![0], vec![1], vec![1, 2], vec![2], vec![3, 4]]);
        // Train fold: 40, 30, 26, 20, 18.
        assert_eq!(names(&build(RankedOn::Train)), [vec![0], vec![1, 2], vec![2], vec![3, 4], vec![1]]);
    }

    #[test]
    fn classes_are_balanced_nested_and_judged_on_the_same_films() {
        let cohort = cohort();
        for shuffled in [true, false] {
            let factor = classes(RankedOn::All, shuffled, &[(5, 10), (3, 15), (2, 18)]);
            let built: Vec<Subset> = (0..3).map(|point| Subset::build(&cohort, &factor, point).unwrap()).collect();
            for (subset, train) in built.iter().zip([10, 15, 18]) {
                for (fold, each) in [(Fold::Train, train), (Fold::Validation, 5), (Fold::Test, 4)] {
                    assert!(per_class(&cohort, subset, fold).iter().all(|&n| n == each));
                    let films: BTreeSet<u32> = subset.fold(fold).iter().copied().collect();
                    assert_eq!(films.len(), subset.fold(fold).len(), "a film stands twice");
                    assert!(films.iter().all(|&f| cohort.films[f as usize].1 == fold));
                }
            }
            for pair in built.windows(2) {
                let (more, fewer) = (&pair[0], &pair[1]);
                assert!(more.classes.starts_with(&fewer.classes));
                for fold in [Fold::Validation, Fold::Test] {
                    // The films of a class that both have are the same.
                    let kept: Vec<u32> = more
                        .fold(fold)
                        .iter()
                        .copied()
                        .filter(|&f| fewer.classes.contains(&cohort.films[f as usize].0))
                        .collect();
                    assert_eq!(kept, fewer.fold(fold));
                }
            }
            let (first, last) = (&built[0], &built[2]);
            let in_order = last.train[..18].is_sorted();
            assert_eq!(in_order, !shuffled);
            assert!(first.train[..10].iter().all(|film| last.train.contains(film)));
        }
    }

    #[test]
    fn label_columns_that_are_zero_throughout_are_deleted() {
        let cohort = cohort();
        let factor = classes(RankedOn::All, true, &[(5, 10), (2, 10)]);
        let columns = |point| Subset::build(&cohort, &factor, point).unwrap().columns;
        assert_eq!(columns(0), [0, 1, 2, 3, 4]);
        assert_eq!(columns(1), [0, 1]);
        let whole = Factor::Resolution { least_count: 10, no_finding: None, grid: vec![32], validation: 9, test: 9 };
        assert_eq!(Subset::build(&cohort, &whole, 0).unwrap().columns.len(), 6);
    }

    #[test]
    fn samples_are_nested_prefixes_of_one_permutation_and_the_other_folds_never_change() {
        let cohort = cohort();
        let factor = Factor::Samples {
            resolution: 32,
            least_count: 10,
            no_finding: None,
            classes: Some(4),
            grid: vec![20, 12, 5],
            validation: 6,
            test: 6,
        };
        let built: Vec<Subset> = (0..3).map(|point| Subset::build(&cohort, &factor, point).unwrap()).collect();
        assert_eq!(names(&built[0]), [vec![0], vec![1, 2], vec![2], vec![3, 4]]);
        for (subset, count) in built.iter().zip([20, 12, 5]) {
            assert!(per_class(&cohort, subset, Fold::Train).iter().all(|&n| n == count));
            assert_eq!((&subset.validation, &subset.test), (&built[0].validation, &built[0].test));
            for class in 0..4 {
                assert_eq!(subset.train[class * count..][..count], built[0].train[class * 20..][..count]);
            }
        }
        // The same places within every class.
        let places = |class: usize| -> Vec<usize> {
            let films = cohort.films_of(&built[0].classes[class], Fold::Train);
            let chosen = &built[0].train[class * 20..][..20];
            chosen.iter().map(|film| films.iter().position(|f| f == film).unwrap()).collect()
        };
        assert!((1..4).all(|class| places(class) == places(0)));
        assert!(!places(0).is_sorted() && places(0).iter().all(|&place| place < 20));
        // Left out, all classes that are common enough take part.
        let all = Factor::Samples {
            resolution: 32,
            least_count: 31,
            no_finding: None,
            classes: None,
            grid: vec![5],
            validation: 2,
            test: 2,
        };
        assert_eq!(Subset::build(&cohort, &all, 0).unwrap().classes.len(), 5);
    }

    #[test]
    fn resolution_takes_the_whole_train_fold_and_shares_of_the_others() {
        let cohort = cohort();
        let factor =
            Factor::Resolution { least_count: 10, no_finding: None, grid: vec![32, 64], validation: 33, test: 1000 };
        let subset = Subset::build(&cohort, &factor, 0).unwrap();
        assert_eq!(subset.train.len(), 40 + 30 + 26 + 18 + 20);
        // 33 of 67, in the order 64, 56, 50, 44, 32 of all films: 12, 30, 10, 9, 6 of validation.
        assert_eq!(per_class(&cohort, &subset, Fold::Validation), [6, 15, 5, 4, 3]);
        assert_eq!(subset.test.len(), 12 + 10 + 9 + 8 + 6);
        assert_eq!(subset, Subset::build(&cohort, &factor, 1).unwrap());
    }

    #[test]
    fn a_mix_has_the_same_films_at_every_ratio() {
        let cohort = cohort();
        let grid = vec![0.0, 0.5, 2.0];
        let factor =
            Factor::Mix { resolution: 32, least_count: 10, classes: 3, train: 8, validation: 5, test: 4, grid };
        let first = Subset::build(&cohort, &factor, 0).unwrap();
        assert_eq!(names(&first), [vec![0], vec![1, 2], vec![2]]);
        for (fold, each) in [(Fold::Train, 8), (Fold::Validation, 5), (Fold::Test, 4)] {
            assert_eq!(per_class(&cohort, &first, fold), [each; 3]);
        }
        assert!((1..3).all(|point| Subset::build(&cohort, &factor, point).unwrap() == first));
    }

    #[test]
    fn films_of_no_finding_are_capped_before_anything_is_chosen_and_no_others() {
        let vocabulary = Vocabulary::new("own", [NO_FINDING, "B", "C", "D", "E", "F"]);
        let named = Catalogue { vocabulary, ..cohort() };
        let factor = |no_finding| Factor::Resolution {
            least_count: 10,
            no_finding,
            grid: vec![32, 64],
            validation: 1000,
            test: 1000,
        };
        let films = |no_finding| {
            let subset = Subset::build(&named, &factor(no_finding), 0).unwrap();
            let of = |fold| per_class(&named, &subset, fold);
            let each = of(Fold::Train).into_iter().zip(of(Fold::Validation)).zip(of(Fold::Test));
            (names(&subset), each.map(|((train, validation), test)| train + validation + test).collect::<Vec<_>>())
        };
        // 64 films have no finding; the other combinations keep all of theirs.
        let others = [vec![1], vec![1, 2], vec![2], vec![3, 4]];
        let (classes, counts) = films(Some(20));
        assert_eq!((&classes[..4], &classes[4], counts), (&others[..], &vec![0], vec![56, 50, 44, 32, 20]));
        assert_eq!(films(Some(64)), films(None));
        let built = |point| Subset::build(&named, &factor(Some(20)), point).unwrap();
        assert_eq!(built(0), built(1));
        let without = Subset::build(&cohort(), &factor(Some(20)), 0).unwrap_err();
        assert!(without.contains("leave it out"), "{without}");
    }

    #[test]
    fn too_few_films_are_told_with_the_class_and_the_remedy() {
        let cohort = cohort();
        let refused = |factor: &Factor| Subset::build(&cohort, factor, 0).unwrap_err();
        let text = refused(&classes(RankedOn::All, true, &[(5, 21)]));
        assert!(text.contains("\"B\" has 18 films in the train fold, and 21"), "{text}");
        assert!(refused(&classes(RankedOn::All, true, &[(9, 1)])).contains("lower least_count"));
        let none = Factor::Resolution { least_count: 1000, no_finding: None, grid: vec![32], validation: 1, test: 1 };
        assert!(refused(&none).contains("lower least_count"));
    }
}
