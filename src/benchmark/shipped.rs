//! Results of sweeps that were run with this program and ship with it: numbers only, no image and no model.

use super::SweepResult;

/// The files, built into the program so that they are there wherever it is copied to.
const FILES: [&str; 5] = [
    include_str!("../../assets/benchmarks/cxr-kermany-samples.json"),
    include_str!("../../assets/benchmarks/cxr-kermany-classes.json"),
    include_str!("../../assets/benchmarks/phantom-chest-classes.json"),
    include_str!("../../assets/benchmarks/phantom-chest-samples.json"),
    include_str!("../../assets/benchmarks/phantom-chest-resolution.json"),
];

/// All results that ship.
pub fn results() -> Vec<SweepResult> {
    // The files are checked by a test; one that could not be read would only be missing from the list.
    FILES.iter().filter_map(|text| serde_json::from_str(text).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_that_ships_can_be_read_and_says_what_its_numbers_say() {
        assert_eq!(results().len(), FILES.len());
        for result in results() {
            assert_eq!(result.format, crate::benchmark::result::FORMAT, "{}", result.name);
            assert!(result.points.iter().all(|point| !point.values.is_empty()), "{}", result.name);
            assert_eq!(crate::benchmark::reading::sentences(&result), result.sentences, "{}", result.name);
        }
    }
}
