//! The Training workspace while a run trains on the same cores: how long the window's own thread takes for a frame.

use anyhow::Context;

use super::data::Scratch;
use super::meter::{Meter, Row};
use crate::cohort::phantom::{self, Kind, PhantomOptions};
use crate::desktop::Options;
use crate::desktop::probe::Probe;
use crate::desktop::state::Settings;
use crate::generator::Family;
use crate::progress::Progress;
use crate::training::launch::{self, Bond};
use crate::training::presets;
use crate::training::run_folder::RunFolder;

/// What frames take, in a row with the time that 99 % of them stay under, or with why there are none.
pub fn watching(meter: Meter, tell: &mut impl FnMut(Row)) {
    let row = Row::new("frame while a run trains");
    tell(match frames(meter.scaled(1200).max(100)) {
        Ok(mut times) => {
            times.sort_by(f64::total_cmp);
            let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
            row.with("p99_ms", at(0.99)).with("slowest_ms", at(1.0)).measured(times, None)
        }
        Err(error) => row.with("failed", error.to_string()),
    });
}

/// Milliseconds of `count` frames, the pointer moving over the curves, while a small run trains on phantoms in a process of its
/// own.
fn frames(count: usize) -> anyhow::Result<Vec<f64>> {
    let scratch = Scratch::new("watching")?;
    let pack = scratch.0.join("pack");
    let options = PhantomOptions { kind: Kind::Chest, count: 400, resolution: 32, seed: 1, out: pack.clone() };
    phantom::write(&options, &Progress::new())?;
    let mut spec = presets::preset("small-32", Family::CpdGan).context("the small preset is gone")?;
    spec.cohort = pack;
    // With the critic from the start, and a new grid of samples every few seconds.
    (spec.anchor, spec.record.sample_kimg, spec.record.checkpoint_kimg) = (None, 0.25, 0.25);
    let data = scratch.0.join("data");
    let root = data.join("runs").join("watched");
    drop(RunFolder::create(&root, &spec)?);
    let options =
        Options { settings: Some(Settings::default()), system_dialogs: false, data: Some(data), ..Options::default() };
    let mut probe = Probe::open(options)?;
    // Tied to this process, so that it ends with it whatever happens here.
    let mut trainer = launch::launch(&std::env::current_exe()?, &root, Bond::Tied)?;
    let frames = probe.watch(&root, count);
    drop(trainer.stdin.take());
    trainer.wait()?;
    Ok(frames?.into_iter().map(|frame| frame.as_secs_f64() * 1e3).collect())
}
