//! How long a sweep will still take, from what its jobs were expected to take and what those that are done took.

use super::folder::SweepFolder;
use super::plan::{Job, Plan, Work};
use crate::training::status;

/// Share of the expected work that must be done before anything is told of the rest.
const LEAST: f64 = 0.005;

/// Seconds that the share `left` of the expected work takes where the share `done` of it took `seconds`; `None` while too
/// little is done to tell.
pub fn at_pace(seconds: f64, done: f64, left: f64) -> Option<f64> {
    (done > LEAST).then(|| seconds * left / done)
}

/// Seconds until the last job of a sweep on a cluster is done, if every job began as soon as those it needs are done; where
/// the cluster has no more than `places` for its jobs, as many of them at a time. Waiting in the cluster's queue is not
/// counted otherwise. `None` while too little is done to tell.
pub fn on_cluster(folder: &SweepFolder, plan: &Plan, places: Option<usize>) -> Option<f64> {
    let jobs: Vec<Known> = plan.jobs.iter().map(|job| Known::of(job, folder)).collect();
    until_done(&plan.jobs, &jobs, places)
}

/// What is known of one job.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Known {
    /// It is done, and what it took in seconds, where that was noted.
    Done(Option<f64>),
    /// This share of it is done, 0 to 1.
    Open(f64),
}

impl Known {
    fn of(job: &Job, folder: &SweepFolder) -> Self {
        if folder.is_done(&job.key) {
            return Self::Done(folder.seconds(&job.key));
        }
        // Only a generator can go on where it was; it alone says how far it is.
        let run = match job.work {
            Work::Generator { .. } => status::status(&folder.run(&job.key)).ok(),
            _ => None,
        };
        let share = run.filter(|run| run.total_kimg > 0.0).map_or(0.0, |run| run.kimg / run.total_kimg);
        Self::Open(share.clamp(0.0, 1.0))
    }
}

fn until_done(jobs: &[Job], known: &[Known], places: Option<usize>) -> Option<f64> {
    let all = jobs.iter().map(|job| job.weight).sum::<f64>().max(1e-9);
    // Seconds and share of the work of those done jobs that noted their time.
    let taken = |counts: &dyn Fn(&Job) -> bool| {
        jobs.iter().zip(known).filter(|(job, _)| counts(job)).fold((0.0, 0.0), |(seconds, share), (job, known)| {
            match known {
                Known::Done(Some(took)) => (seconds + took, share + job.weight / all),
                _ => (seconds, share),
            }
        })
    };
    let overall = taken(&|_| true);
    let mut ends: Vec<f64> = Vec::with_capacity(jobs.len());
    let mut work = 0.0;
    for (job, known) in jobs.iter().zip(known) {
        let needed = job.needs.iter().map(|&need| ends[need]).fold(0.0, f64::max);
        let Known::Open(share) = known else {
            ends.push(needed);
            continue;
        };
        let left = job.weight * (1.0 - share) / all;
        // A GPU speeds up generators alone: a kind's own pace goes before that of all.
        let own = taken(&|other| std::mem::discriminant(&other.work) == std::mem::discriminant(&job.work));
        let seconds = at_pace(own.0, own.1, left).or_else(|| at_pace(overall.0, overall.1, left))?;
        ends.push(needed + seconds);
        work += seconds;
    }
    let longest = ends.into_iter().fold(0.0, f64::max);
    Some(places.map_or(longest, |places| longest.max(work / places.max(1) as f64)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generator::Family;
    use crate::training::presets;

    fn job(work: Work, weight: f64, needs: &[usize]) -> Job {
        Job { key: String::new(), work, point: 0, needs: needs.to_vec(), title: String::new(), weight }
    }

    #[test]
    fn the_time_left_is_that_of_the_longest_chain_at_the_pace_of_what_is_done() {
        let run = presets::preset("small-32", Family::CpdGan).unwrap();
        let generator = || Work::Generator { run: Box::new(run.clone()) };
        let test = |classifier| Work::Test { classifier, as_published: false };
        // Three generators of 100 s, and two seconds' test of each.
        let mut jobs: Vec<Job> = (0..3).map(|_| job(generator(), 100.0, &[])).collect();
        jobs.extend((0..3).map(|i| job(test(i), 2.0, &[i])));
        let open = Known::Open(0.0);
        assert_eq!(until_done(&jobs, &[open; 6], None), None, "nothing is done");
        assert_eq!(
            until_done(&jobs, &[Known::Done(None), open, open, open, open, open], None),
            None,
            "nothing was noted"
        );

        // The first took half of what was expected: so will the others, and their tests, of which none is done.
        let mut known = [open; 6];
        known[0] = Known::Done(Some(50.0));
        known[1] = Known::Open(0.9);
        let close = |left: Option<f64>, wanted: f64| left.is_some_and(|left| (left - wanted).abs() < 1e-9);
        assert!(close(until_done(&jobs, &known, None), 51.0));
        // One at a time: 5 and 50 seconds of generators, three tests of a second.
        assert!(close(until_done(&jobs, &known, Some(1)), 58.0));
        assert!(close(until_done(&jobs, &known, Some(2)), 51.0), "the chain is longer");
        // Tests that are slower than expected say nothing of generators.
        known[3] = Known::Done(Some(8.0));
        assert!(close(until_done(&jobs, &known, None), 58.0));
        assert_eq!(until_done(&jobs, &[Known::Done(Some(1.0)); 6], None), Some(0.0));
    }
}
