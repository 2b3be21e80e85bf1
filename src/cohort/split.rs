//! Patients into train, validation and test: 80, 10 and 10 percent of the patients, none in two folds.

use std::collections::HashMap;

use rand::Rng;

use super::Fold;
use crate::compute::random::stream;

/// Assigns every patient a fold: unique names in ascending order, shuffled by the seed, the first 80 % train, the next
/// 10 % validation, the rest test (the published order of steps; DuMont Schütte 2021).
///
/// With three patients or more, no fold is empty. The result depends on the set of names and the seed alone.
pub fn by_patient<'a>(patients: impl IntoIterator<Item = &'a str>, seed: u64) -> HashMap<String, Fold> {
    let mut names: Vec<&str> = patients.into_iter().collect();
    names.sort_unstable();
    names.dedup();
    let mut rng = stream(seed, "patient split");
    for i in (1..names.len()).rev() {
        names.swap(i, rng.random_range(0..=i as u32) as usize);
    }
    let tenth = (names.len() + 5) / 10;
    let held = if names.len() >= 3 { tenth.max(1) } else { 0 };
    let train = names.len() - 2 * held;
    let fold = |i: usize| match i {
        i if i < train => Fold::Train,
        i if i < train + held => Fold::Validation,
        _ => Fold::Test,
    };
    names.iter().enumerate().map(|(i, name)| ((*name).to_owned(), fold(i))).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn shares_are_eighty_ten_ten_and_the_order_of_rows_does_not_matter() {
        let names: Vec<String> = (0..1000).map(|i| format!("patient {i}")).collect();
        let folds = by_patient(names.iter().map(String::as_str), 100);
        let count = |fold| folds.values().filter(|&&f| f == fold).count();
        assert_eq!(Fold::ALL.map(count), [800, 100, 100]);
        assert_eq!(folds, by_patient(names.iter().rev().map(String::as_str), 100));
        assert_ne!(folds, by_patient(names.iter().map(String::as_str), 101));
    }

    #[test]
    fn small_cohorts_still_have_all_three_folds() {
        for n in 3..40 {
            let names: Vec<String> = (0..n).map(|i| i.to_string()).collect();
            let folds = by_patient(names.iter().map(String::as_str), 1);
            assert_eq!(folds.values().collect::<std::collections::HashSet<_>>().len(), 3, "{n} patients");
        }
        assert_eq!(by_patient(["only"], 1)["only"], Fold::Train);
        assert!(by_patient([], 1).is_empty());
    }

    proptest! {
        #[test]
        fn never_one_patient_in_two_folds(films in prop::collection::vec("[a-c]{0,3}", 0..200), seed: u64) {
            let folds = by_patient(films.iter().map(String::as_str), seed);
            let mut seen: BTreeMap<&str, BTreeSet<Fold>> = BTreeMap::new();
            for film in &films {
                seen.entry(film).or_default().insert(folds[film.as_str()]);
            }
            prop_assert!(seen.values().all(|folds| folds.len() == 1));
            prop_assert_eq!(seen.len(), folds.len());
        }
    }
}
