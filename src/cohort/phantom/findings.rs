//! Which findings occur together: a patient has one condition, and each condition brings its findings.
//!
//! The tables are plausible, not fitted to any data set: what matters is that effusion comes with a large heart and
//! oedema, a pneumothorax with a fracture, devices with everything severe, and blood in the ventricles with blood in the
//! brain. Within a condition findings are drawn independently.

use rand::Rng;
use rand_chacha::ChaCha8Rng;

/// One reason for an examination.
#[derive(Debug, Clone, Copy)]
pub struct Condition<const N: usize> {
    /// What a referral would say.
    pub name: &'static str,
    /// Share of patients, percent; the shares of a table sum to 100.
    pub share: u32,
    /// Probability of each finding, percent, in the vocabulary's order without "No Finding".
    pub findings: [u32; N],
}

/// Chest: `CheXpert`'s findings from the second on. Abbreviated above each column: enlarged cardiomediastinum,
/// cardiomegaly, lung opacity, lung lesion, edema, consolidation, pneumonia, atelectasis, pneumothorax, pleural
/// effusion, pleural other, fracture, support devices.
#[rustfmt::skip]
pub const CHEST: [Condition<13>; 6] = [
    //                                                      EC  CM  LO  LL  ED  CO  PN  AT  PT  PE  PO  FR  SD
    Condition { name: "check-up",       share: 34, findings: [ 1,  2,  2,  1,  0,  0,  0,  2,  0,  1,  1,  2,  3] },
    Condition { name: "heart failure",  share: 18, findings: [20, 75, 35,  2, 65,  6,  5, 25,  1, 60,  3,  2, 40] },
    Condition { name: "infection",      share: 16, findings: [ 5, 12, 75,  3,  8, 55, 70, 20,  1, 30,  3,  1, 25] },
    Condition { name: "intensive care", share: 14, findings: [20, 30, 50,  3, 40, 25, 15, 50, 12, 50,  3,  5, 97] },
    Condition { name: "tumour",         share: 10, findings: [25,  5, 35, 85,  2, 10, 10, 25,  4, 35, 20,  5, 20] },
    Condition { name: "trauma",         share:  8, findings: [15,  5, 25,  2,  3, 10,  2, 30, 50, 30,  3, 70, 50] },
];

/// Findings of the chest that stay from film to film (positions in [`CHEST`]'s rows): enlarged cardiomediastinum,
/// cardiomegaly, lung lesion, pleural other, fracture. The others come and go.
const LASTING: [usize; 5] = [0, 1, 3, 10, 11];

/// Head: the patient's bleeds, in the order of the haemorrhage vocabulary. A slice shows those it cuts.
#[rustfmt::skip]
pub const BRAIN: [Condition<5>; 4] = [
    //                                                       EPI INTRAP INTRAV SUBAR SUBDUR
    Condition { name: "headache",       share: 30, findings: [ 0,  0,  0,  0,  0] },
    Condition { name: "head injury",    share: 40, findings: [35, 30, 12, 50, 55] },
    Condition { name: "hypertension",   share: 16, findings: [ 0, 95, 45, 10,  2] },
    Condition { name: "aneurysm",       share: 14, findings: [ 0, 20, 40, 95,  6] },
];

/// The findings of each film of one patient, in the order of `CheXpert`; "No Finding" exactly when there is none.
pub fn chest(rng: &mut ChaCha8Rng, films: u32) -> Vec<[bool; 14]> {
    let condition = pick(&CHEST, rng);
    let first = draw(condition, rng);
    let mut now = first;
    (0..films)
        .map(|film| {
            if film > 0 {
                let fresh = draw(condition, rng);
                for (i, finding) in now.iter_mut().enumerate() {
                    // Half of what can change is new on the next film.
                    if !LASTING.contains(&i) && rng.random_bool(0.5) {
                        *finding = fresh[i];
                    }
                }
            }
            let mut findings = [false; 14];
            findings[1..].copy_from_slice(&now);
            findings[0] = !now.contains(&true);
            findings
        })
        .collect()
}

/// The findings of one head, in the order of the haemorrhage vocabulary; "No Finding", last, exactly when there is none.
pub fn brain(rng: &mut ChaCha8Rng) -> [bool; 6] {
    let drawn = draw(pick(&BRAIN, rng), rng);
    let mut findings = [false; 6];
    findings[..5].copy_from_slice(&drawn);
    findings[5] = !drawn.contains(&true);
    findings
}

fn pick<'a, const N: usize>(table: &'a [Condition<N>], rng: &mut ChaCha8Rng) -> &'a Condition<N> {
    let mut left = rng.random_range(0..table.iter().map(|condition| condition.share).sum::<u32>());
    for condition in table {
        if left < condition.share {
            return condition;
        }
        left -= condition.share;
    }
    &table[0]
}

fn draw<const N: usize>(condition: &Condition<N>, rng: &mut ChaCha8Rng) -> [bool; N] {
    condition.findings.map(|percent| rng.random_range(0..100) < percent)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compute::random::stream;
    use crate::finding::Vocabulary;

    #[test]
    fn shares_and_probabilities_are_percentages() {
        assert_eq!(CHEST.iter().map(|c| c.share).sum::<u32>(), 100);
        assert_eq!(BRAIN.iter().map(|c| c.share).sum::<u32>(), 100);
        assert!(CHEST.iter().flat_map(|c| c.findings).chain(BRAIN.iter().flat_map(|c| c.findings)).all(|p| p <= 100));
    }

    #[test]
    fn prevalence_is_that_of_the_table_and_co_occurrence_is_not_independence() {
        let mut rng = stream(1, "test");
        let patients: Vec<[bool; 14]> = (0..20_000).map(|_| chest(&mut rng, 1)[0]).collect();
        let share = |test: &dyn Fn(&[bool; 14]) -> bool| patients.iter().filter(|f| test(f)).count() as f64 / 20_000.0;
        for i in 0..13 {
            let expected: u32 = CHEST.iter().map(|c| c.share * c.findings[i]).sum();
            let found = share(&|f| f[i + 1]);
            assert!((found - f64::from(expected) / 1e4).abs() < 0.015, "finding {i}: {found}");
        }
        let chexpert = Vocabulary::chexpert();
        let at = |name: &str| chexpert.position(name).unwrap();
        for (a, b) in [
            ("Pleural Effusion", "Cardiomegaly"),
            ("Pleural Effusion", "Edema"),
            ("Pneumothorax", "Fracture"),
            ("Support Devices", "Atelectasis"),
        ] {
            let (a, b) = (at(a), at(b));
            let lift = share(&|f| f[a] && f[b]) / (share(&|f| f[a]) * share(&|f| f[b]));
            assert!(lift > 1.3, "lift of {a} and {b} is {lift}");
        }
        assert!(patients.iter().all(|f| f[0] != f[1..].contains(&true)));
    }

    #[test]
    fn lasting_findings_stay_and_heads_bleed_plausibly() {
        let mut rng = stream(2, "test");
        for _ in 0..200 {
            let films = chest(&mut rng, 4);
            assert_eq!(films.len(), 4);
            assert!(LASTING.iter().all(|&i| films.iter().all(|f| f[i + 1] == films[0][i + 1])));
        }
        let heads: Vec<[bool; 6]> = (0..5000).map(|_| brain(&mut rng)).collect();
        assert!(heads.iter().all(|f| f[5] != f[..5].contains(&true)));
        let bleeding = heads.iter().filter(|f| !f[5]).count() as f64 / 5000.0;
        assert!((0.55..0.75).contains(&bleeding), "{bleeding}");
    }
}
