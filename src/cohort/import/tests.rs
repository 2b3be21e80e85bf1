//! Imports of true miniatures and, where they are at hand, of the real sets.

use std::collections::{HashMap, HashSet};
use std::fs;

use super::*;
use crate::finding::Vocabulary;
use crate::radiograph::{Meaning, Radiograph, encode_png8};

/// The real sets, when they are on this machine.
pub(crate) fn real_data(set: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).parent()?.join("shared/data").join(set);
    if path.exists() {
        return Some(path);
    }
    println!("../shared/data/{set} is absent: this test has nothing to read");
    None
}

fn grey(seed: usize, side: usize) -> Vec<u8> {
    (0..side * side).map(|i| ((i * 7 + seed * 31) % 256) as u8).collect()
}

/// `Data_Entry_2017.csv` as published (header and quoting), with films of several patients in nested folders.
fn nih_miniature(folder: &Path, films: usize) {
    let images = folder.join("images_001/images");
    fs::create_dir_all(&images).unwrap();
    let mut table = String::from(
        "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View Position,OriginalImage[Width,Height],OriginalImagePixelSpacing[x,y],\n",
    );
    let findings = ["Cardiomegaly|Emphysema", "No Finding", "Hernia", "Pleural_Thickening|Infiltration"];
    for i in 0..films {
        let name = format!("{:08}_{:03}.png", i / 3 + 1, i % 3);
        table += &format!("{name},{},{},{},058Y,M,PA,2682,2749,0.143,0.143,\n", findings[i % 4], i % 3, i / 3 + 1);
        fs::write(images.join(&name), encode_png8(32, 32, &grey(i, 32), &[]).unwrap()).unwrap();
    }
    fs::write(folder.join("Data_Entry_2017.csv"), table).unwrap();
}

fn import_to(format: Format, input: &Path, out: &Path, side: usize) -> ImportReport {
    let options = ImportOptions { resolution: side, ..ImportOptions::new(format, input, out) };
    import(&options, &Progress::new()).unwrap()
}

#[test]
fn the_published_nih_folder_becomes_a_pack() {
    let folder = tempfile::tempdir().unwrap();
    nih_miniature(folder.path(), 30);
    // One film is damaged, one is missing, one row is damaged.
    let images = folder.path().join("images_001/images");
    fs::write(images.join("00000002_001.png"), b"not a picture").unwrap();
    fs::remove_file(images.join("00000003_000.png")).unwrap();
    let table = folder.path().join("Data_Entry_2017.csv");
    let text = fs::read_to_string(&table).unwrap() + "00000099_000.png,Sneezing,0,99,030Y,F,AP,1,1,1,1,\n";
    fs::write(&table, text).unwrap();

    let out = folder.path().join("pack");
    let report = import_to(Format::Nih, folder.path(), &out, 16);
    assert_eq!((report.header.films, report.header.patients, report.skipped.len()), (28, 10, 3));
    for (name, word) in
        [("00000002_001.png", "picture"), ("00000003_000.png", "not in this folder"), ("00000099_000.png", "Sneezing")]
    {
        let skipped = report.skipped.iter().find(|s| s.source == name).unwrap();
        assert!(skipped.reason.contains(word) && skipped.reason.contains(';'), "{}", skipped.reason);
    }
    let pack = Pack::open(&out).unwrap();
    pack.verify().unwrap();
    assert_eq!(pack.header().resolutions, [16, 8, 4]);
    let record = pack.record(0);
    let nih = Vocabulary::nih();
    assert_eq!((record.source.as_str(), record.patient.as_str()), ("00000001_000.png", "1"));
    assert_eq!((record.age, record.view.as_deref()), (Some(58.0), Some("PA")));
    assert_eq!(nih.positives(&record.labels).collect::<Vec<_>>(), ["Cardiomegaly", "Emphysema"]);
    assert_eq!(nih.positives(pack.labels(1)).collect::<Vec<_>>(), ["No Finding"]);

    // Pixels: means of 2×2 in float, rounded only for storage.
    let source = Radiograph::new(32, 32, grey(0, 32).iter().map(|&v| f32::from(v) / 255.0).collect(), Meaning::Density);
    let mut expected = source.unwrap();
    for side in [16, 8, 4] {
        expected = expected.halved();
        let stored = pack.image(0, side);
        let worst = stored.pixels().iter().zip(expected.pixels()).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(worst <= 0.51 / 65535.0, "side {side}: {worst}");
    }

    let mut folds: HashMap<u32, HashSet<Fold>> = HashMap::new();
    (0..pack.len()).for_each(|i| {
        folds.entry(pack.patient_key(i)).or_default().insert(pack.fold(i));
    });
    assert!(folds.values().all(|set| set.len() == 1));
    assert_eq!(Fold::ALL.iter().map(|&f| pack.fold_indices(f).len()).sum::<usize>(), 28);
}

#[test]
fn a_repeated_import_does_nothing_and_a_changed_one_replaces() {
    let folder = tempfile::tempdir().unwrap();
    nih_miniature(folder.path(), 12);
    let out = folder.path().join("pack");
    let first = import_to(Format::Nih, folder.path(), &out, 8);
    let again = import_to(Format::Nih, folder.path(), &out, 8);
    assert!(!first.up_to_date && again.up_to_date);
    assert_eq!(first.header, again.header);
    let larger = import_to(Format::Nih, folder.path(), &out, 16);
    assert!(!larger.up_to_date);
    assert_eq!(larger.header.identity, first.header.identity, "the identity does not depend on resolution");
    fs::write(
        folder.path().join("images_001/images/00000001_000.png"),
        encode_png8(32, 32, &grey(99, 32), &[]).unwrap(),
    )
    .unwrap();
    let changed = import_to(Format::Nih, folder.path(), &out, 16);
    assert!(!changed.up_to_date);
    assert_ne!(changed.header.identity, first.header.identity);
    // Nothing hidden stays behind.
    let names: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert!(!names.iter().any(|name| name.to_string_lossy().starts_with('.')), "{names:?}");
}

#[test]
fn a_cancelled_import_leaves_no_pack_and_continues() {
    let folder = tempfile::tempdir().unwrap();
    // So many that the other thread has its turn before they are done, also beside other tests on few cores.
    nih_miniature(folder.path(), 2000);
    let out = folder.path().join("pack");
    let options = ImportOptions { resolution: 8, ..ImportOptions::new(Format::Nih, folder.path(), &out) };
    let progress = Progress::new();
    let watcher = progress.clone();
    let cancel = std::thread::spawn(move || {
        while watcher.counts().0 == 0 {
            std::thread::yield_now();
        }
        watcher.cancel();
    });
    let result = import(&options, &progress);
    cancel.join().unwrap();
    assert!(matches!(result, Err(ImportError::Cancelled(_))), "{result:?}");
    assert!(!out.exists());
    let report = import(&options, &Progress::new()).unwrap();
    assert!(report.resumed >= CHUNK, "{}", report.resumed);
    let fresh = import_to(Format::Nih, folder.path(), &folder.path().join("fresh"), 8);
    assert_eq!(report.header.files, fresh.header.files);
    assert_eq!(report.header.identity, fresh.header.identity);
}

#[test]
fn something_else_is_never_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    nih_miniature(folder.path(), 6);
    let options = ImportOptions::new(Format::Nih, folder.path(), folder.path());
    let error = import(&options, &Progress::new()).unwrap_err().to_string();
    assert!(error.contains("not a pack"), "{error}");
    assert!(folder.path().join("Data_Entry_2017.csv").exists());
    let options =
        ImportOptions { resolution: 48, ..ImportOptions::new(Format::Nih, folder.path(), &folder.path().join("p")) };
    assert!(import(&options, &Progress::new()).unwrap_err().to_string().contains("power of two"));
}

#[test]
fn the_real_sets_import_whole() {
    let folder = tempfile::tempdir().unwrap();
    if let Some(nih) = real_data("nih-cxr14") {
        let report = import_to(Format::Nih, &nih, &folder.path().join("nih"), 64);
        println!("nih-cxr14: {} films in {:.1} s", report.header.films, report.seconds);
        assert_eq!((report.header.films, report.header.patients, report.skipped.len()), (2595, 1551, 0));
        let pack = Pack::open(&report.path).unwrap();
        let cardiomegaly = (0..pack.len()).filter(|&i| pack.labels(i)[1] > 0.0).count();
        println!("{}\n{cardiomegaly}", super::super::Summary::of(&pack));
    }
    if let Some(ct) = real_data("ct-ich") {
        let report = import_to(Format::CtIch, &ct, &folder.path().join("ct"), 64);
        println!("ct-ich: {} slices in {:.1} s", report.header.films, report.seconds);
        assert_eq!((report.header.films, report.header.patients, report.skipped.len()), (2323, 77, 0));
        println!("{}", super::super::Summary::of(&Pack::open(&report.path).unwrap()));
    }
    if let Some(archive) = real_data("nih-cxr14/nihcxr14_64.npz") {
        let report = import_to(Format::Medmnist, &archive, &folder.path().join("npz"), 64);
        println!("{} films in {:.1} s", report.header.films, report.seconds);
        assert_eq!((report.header.films, report.header.patients), (2595, 1551));
    }
}
