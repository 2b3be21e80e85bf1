//! Files: phantoms drawn, trees of pictures and DICOM objects imported, films fed to training, a large pack opened, a process
//! started.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::Context;
use candle_core::{Device, Tensor};

use super::meter::{Meter, Row, cpu_seconds};
use crate::cohort::pack::{Film, Levels, Manifest, Writer};
use crate::cohort::phantom::{self, Kind, PhantomOptions};
use crate::cohort::{Fold, Format, ImportOptions, Pack, import as import_tree};
use crate::compute::random::stream;
use crate::finding::Vocabulary;
use crate::generator::{Generator, Recipe, export, library};
use crate::progress::Progress;
use crate::radiograph::{Meaning, Radiograph, encode_png16};
use crate::training::augment::Change;
use crate::training::pack::PackSource;
use crate::training::reals::{Draw, gather};
use crate::training::spec::Augment;

/// Side of the pictures that are imported, and of the pack they go into.
const PICTURE: usize = 256;
const STORED: usize = 64;

/// A folder that is removed at the end, in the system's place for such.
pub struct Scratch(pub std::path::PathBuf);

impl Scratch {
    /// Makes it.
    pub fn new(name: &str) -> anyhow::Result<Self> {
        let folder = std::env::temp_dir().join(format!("negatoscope-bench-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
        Ok(Self(folder))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Times `repeats` calls, each with its number. `cpu` is this process's time before; none where others do the work.
fn repeated(
    row: Row,
    repeats: usize,
    cpu: Option<f64>,
    mut work: impl FnMut(usize) -> anyhow::Result<()>,
) -> anyhow::Result<Row> {
    let mut times = Vec::new();
    for number in 0..repeats {
        let start = Instant::now();
        work(number)?;
        times.push(start.elapsed().as_secs_f64() * 1e3);
    }
    Ok(row.measured(times, cpu))
}

/// Phantoms drawn into a pack; a tree of PNG files and one of DICOM files imported.
pub fn import(meter: Meter, keep: Option<&Path>, tell: &mut impl FnMut(Row)) -> anyhow::Result<()> {
    let scratch = Scratch::new("import")?;
    let films = meter.scaled(400);
    let pack_of = |body: &str, number: usize| scratch.0.join(format!("{body}-{number}"));
    for (body, kind) in [("chest", Kind::Chest), ("brain", Kind::Brain)] {
        let row = Row::new("phantoms").with("body", body).with("films", films).with("resolution", PICTURE);
        tell(repeated(row, 1, cpu_seconds(), |number| {
            let out = pack_of(body, number);
            let options = PhantomOptions { kind, count: films, resolution: PICTURE, seed: 1, out };
            phantom::write(&options, &Progress::new())?;
            Ok(())
        })?);
    }
    let trees = keep.unwrap_or(&scratch.0);
    let (pictures, objects) = (trees.join("png"), trees.join("dicom"));
    feed(meter, &pack_of("chest", 0), tell)?;
    let source = Pack::open(&pack_of("chest", 0))?;
    let shipped = library::shipped();
    let entry = shipped.first().context("no model ships with this program, and none can be exported as DICOM")?;
    let generator = Generator::load(&entry.path)?;
    std::fs::create_dir_all(&objects)?;
    for film in 0..films {
        let folder = pictures.join(["No Finding", "Nodule"][film % 2]);
        std::fs::create_dir_all(&folder)?;
        let bytes = encode_png16(&source.image(film, PICTURE), 0.0, 1.0, &[])?;
        std::fs::write(folder.join(format!("{film:05}.png")), bytes)?;
        let recipe = Recipe::new(generator.id(), film as u64);
        let object = export::dicom(&generator.render(&recipe)?, &recipe, &generator)?;
        std::fs::write(objects.join(format!("{film:05}.dcm")), object)?;
    }
    for (kind, format, tree) in [("PNG", Format::Folders, &pictures), ("DICOM", Format::Dicom, &objects)] {
        let row = Row::new("import").with("files", kind).with("films", films).with("resolution", STORED);
        tell(repeated(row, 3, cpu_seconds(), |number| {
            let out = pack_of(kind, number);
            let report = import_tree(&ImportOptions::new(format, tree, &out), &Progress::new())?;
            anyhow::ensure!(report.header.films == films, "{} of {films} films were taken", report.header.films);
            Ok(())
        })?);
    }
    Ok(())
}

/// Minibatches as a training step is given them: drawn, read from a pack, and shifted.
fn feed(meter: Meter, pack: &Path, tell: &mut impl FnMut(Row)) -> anyhow::Result<()> {
    const BATCH: usize = 64;
    let source = PackSource::open(pack)?;
    let mut draw = Draw::new(&source, 1, false);
    for side in [PICTURE / 4, PICTURE / 2, PICTURE] {
        let mut step = 0;
        let row = Row::new("feed").with("batch", BATCH).with("resolution", side);
        tell(meter.time(row, || -> anyhow::Result<()> {
            let items = draw.batch(step, step * BATCH as u64, BATCH);
            let (pixels, _) = gather(&source, &items, side).map_err(anyhow::Error::msg)?;
            let images = Tensor::from_vec(pixels, (BATCH, 1, side, side), &Device::Cpu)?;
            let change = Change::draw(Augment::Translate, BATCH, side, &mut stream(step, "change"));
            change.context("a shift was asked for")?.apply(&images)?;
            step += 1;
            Ok(())
        })?);
    }
    Ok(())
}

/// A pack of 400,000 films opened, and a first sample from a process that starts from nothing.
pub fn start(meter: Meter, tell: &mut impl FnMut(Row)) -> anyhow::Result<()> {
    let scratch = Scratch::new("start")?;
    let films = meter.scaled(400_000);
    let pack = scratch.0.join("pack");
    write_pack(&pack, films)?;
    tell(meter.time(Row::new("open pack").with("films", films), || Pack::open(&pack).map(|_| ()))?);

    let program = std::env::current_exe()?;
    for entry in library::shipped() {
        let name = entry.path.file_stem().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        let row = Row::new("start").with("network", name);
        tell(repeated(row, 5, None, |number| {
            let mut command = Command::new(&program);
            command.arg("sample").arg("--model").arg(&entry.path).args(["--seed", "1", "--out"]);
            command.arg(scratch.0.join(format!("{number}.png"))).stdout(Stdio::null());
            anyhow::ensure!(command.status()?.success(), "the program itself did not start");
            Ok(())
        })?);
    }
    Ok(())
}

/// A pack of that many films of the smallest side, three to a patient.
pub fn write_pack(out: &Path, films: usize) -> anyhow::Result<()> {
    let manifest = Manifest {
        name: "bench".to_owned(),
        vocabulary: Vocabulary::new("bench", ["A", "B"]),
        meaning: Meaning::Density,
        range: [0.0, 1.0],
        window: [0.0, 1.0],
        resolution: 4,
        phantom: true,
        identity: None,
        provenance: vec!["grey, to measure how a large pack opens".to_owned()],
        licence: "none".to_owned(),
        citation: String::new(),
        split: "none".to_owned(),
        fingerprint: "bench".to_owned(),
    };
    let image = Radiograph::new(4, 4, vec![0.5; 16], Meaning::Density)?;
    let levels = Levels::of(&image, 4, [0.0, 1.0])?;
    let mut writer = Writer::begin(out, manifest)?;
    for film in 0..films {
        let entry = Film {
            patient: format!("P{:06}", film / 3),
            source: format!("{film:06}.png"),
            labels: vec![1.0, 0.0],
            fold: if film / 3 % 10 == 0 { Fold::Test } else { Fold::Train },
            age: None,
            sex: None,
            view: String::new(),
            hash: [0; 32],
        };
        writer.push(entry, &levels)?;
    }
    writer.finish()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_large_pack_is_a_sound_one() {
        let scratch = Scratch::new("test").unwrap();
        let path = scratch.0.join("pack");
        write_pack(&path, 30).unwrap();
        let pack = Pack::open(&path).unwrap();
        pack.verify().unwrap();
        assert_eq!((pack.len(), pack.fold_indices(Fold::Test).len()), (30, 3));
    }
}
