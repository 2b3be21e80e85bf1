//! What each number is, in words that stand beside it wherever it is shown.

/// Words with their meaning.
pub const DEFINITIONS: [(&str, &str); 9] = [
    (
        "AUROC",
        "Probability that a test film with a finding scores above one without it, ties counting half; mean over the findings \
         of which the test films hold both kinds.",
    ),
    (
        "Interval of the AUROC",
        "95 % percentile interval over 1000 draws of the test fold's patients and of the seeds, both with replacement. For one \
         finding: by DeLong, averaged over seeds.",
    ),
    (
        "Interval over seeds",
        "95 % interval of the mean AUROC over the seeds alone, by Student's t; it takes the test films for given.",
    ),
    (
        "Relative performance",
        "Mean AUROC of classifiers trained on samples alone (in a mix: on real films and samples together) over that of \
         classifiers trained on the real films alone that the samples stand in for, both tested on the same real films; \
         interval from the same draws for both.",
    ),
    (
        "p across seeds",
        "Two-sided paired t test of the differences (with samples minus real alone) of classifiers with the same seed; \
         Bonferroni: times the number of such tests in the sweep. Below 4 degrees of freedom it is weak.",
    ),
    (
        "p of a finding",
        "Two-sided paired DeLong test of the two classifiers of one seed (with samples, and real films alone) on the same test \
         films, not corrected; one for each seed.",
    ),
    (
        "Calibration error",
        "Expected calibration error over ten bins of equal width; where the loss weighted findings by frequency, \
         probabilities are first given the training data's frequencies again.",
    ),
    ("Brier score", "Mean squared difference between probability and outcome; 0 is perfect."),
    (
        "Operating point",
        "Sensitivity, specificity and F1 on the test films at the threshold with the largest sensitivity plus specificity \
         (Youden) on the data on which the classifier's epoch was chosen.",
    ),
];

/// The meaning of a word; empty where there is none.
pub fn definition(word: &str) -> &'static str {
    DEFINITIONS.iter().find(|(known, _)| *known == word).map_or("", |(_, meaning)| meaning)
}
