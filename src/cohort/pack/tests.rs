//! Packs of every size: opened quickly, written whole, continued.

use std::fs;
use std::time::Instant;

use super::*;

fn manifest(fingerprint: &str) -> Manifest {
    Manifest {
        name: "made".into(),
        vocabulary: Vocabulary::rsna(),
        meaning: Meaning::Hounsfield,
        range: [-1024.0, 3071.0],
        window: [-20.0, 100.0],
        resolution: 4,
        phantom: false,
        identity: None,
        provenance: vec![],
        licence: String::new(),
        citation: String::new(),
        split: String::new(),
        fingerprint: fingerprint.into(),
    }
}

fn film(i: usize) -> Film {
    let mut labels = vec![0.0; 6];
    labels[i % 6] = 1.0;
    Film {
        patient: format!("patient {}", i / 7),
        source: format!("ID_{i:09}.dcm"),
        labels,
        fold: Fold::ALL[i / 7 % 3],
        age: i.is_multiple_of(2).then_some(40.0),
        sex: None,
        view: format!("slice {}", i % 30),
        hash: [i as u8; 32],
    }
}

fn levels(i: usize) -> Levels {
    let pixels = (0..16).map(|p| (i + p) as f32 % 80.0).collect();
    let image = Radiograph::new(4, 4, pixels, Meaning::Hounsfield).unwrap();
    Levels::of(&image, 4, [-1024.0, 3071.0]).unwrap()
}

#[test]
fn four_hundred_thousand_films_open_in_milliseconds() {
    const FILMS: usize = 400_000;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("large");
    let mut writer = Writer::begin(&path, manifest("a")).unwrap();
    let same = levels(3);
    (0..FILMS).for_each(|i| writer.push(film(i), &same).unwrap());
    writer.finish().unwrap();
    let started = Instant::now();
    let pack = Pack::open(&path).unwrap();
    let took = started.elapsed();
    println!("{FILMS} films opened in {took:?}");
    // Milliseconds on an idle machine; the bound leaves room for a busy one.
    assert!(took.as_secs() < 3, "{took:?}");
    assert_eq!((pack.len(), pack.header().patients), (FILMS, FILMS.div_ceil(7)));
    let record = pack.record(FILMS - 1);
    assert_eq!((record.source.as_str(), record.view.as_deref()), ("ID_000399999.dcm", Some("slice 9")));
    assert_eq!(record.age, None);
    assert_eq!(pack.patient_key(13), 1);
}

#[test]
fn one_writer_at_a_time_and_a_torn_journal_is_survived() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pack");
    let mut first = Writer::begin(&path, manifest("a")).unwrap();
    assert!(Writer::begin(&path, manifest("a")).unwrap_err().to_string().contains("another import"));
    (0..10).for_each(|i| first.push(film(i), &levels(i)).unwrap());
    first.checkpoint().unwrap();
    // Killed: two more films reached the array, and the journal's last line was torn.
    (10..12).for_each(|i| first.push(film(i), &levels(i)).unwrap());
    drop(first);
    let journal = folder.path().join(".pack.part/journal.jsonl");
    let text = fs::read_to_string(&journal).unwrap();
    fs::write(&journal, format!("{text}{{\"kept\":[1,2")).unwrap();

    let mut second = Writer::begin(&path, manifest("a")).unwrap();
    let resumed = second.take_resumed();
    assert_eq!(resumed.len(), 10);
    (0..10).for_each(|i| second.take_up(film(i)));
    (10..20).for_each(|i| second.push(film(i), &levels(i)).unwrap());
    let header = second.finish().unwrap();
    let mut whole = Writer::begin(&folder.path().join("whole"), manifest("a")).unwrap();
    (0..20).for_each(|i| whole.push(film(i), &levels(i)).unwrap());
    assert_eq!(whole.finish().unwrap(), header);
    Pack::open(&path).unwrap().verify().unwrap();

    // Another import in its place begins anew.
    let mut other = Writer::begin(&path, manifest("b")).unwrap();
    assert!(other.take_resumed().is_empty());
}

#[test]
fn a_film_that_does_not_fit_and_an_empty_pack_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pack");
    let mut writer = Writer::begin(&path, manifest("a")).unwrap();
    assert!(writer.push(Film { labels: vec![1.0], ..film(0) }, &levels(0)).is_err());
    assert!(writer.push(Film { labels: vec![f32::NAN; 6], ..film(0) }, &levels(0)).is_err());
    writer.skip(Skipped { source: "x".into(), reason: "x.png: is empty; send it again".into() });
    assert!(writer.finish().unwrap_err().to_string().contains("x.png: is empty"));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    assert!(matches!(Pack::open(&path), Err(PackError::Missing { .. })));
}

#[test]
fn a_side_that_is_not_stored_is_made_by_area_means() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pack");
    let mut writer = Writer::begin(&path, manifest("a")).unwrap();
    writer.push(film(0), &levels(0)).unwrap();
    writer.finish().unwrap();
    let pack = Pack::open(&path).unwrap();
    let close = |a: f32, b: f32| (a - b).abs() < 0.1;
    // Stored: 0 to 15 HU, row by row; 65535 steps over 4095 HU.
    assert!(close(pack.image(0, 2).at(0, 0).unwrap(), 2.5));
    assert!(close(pack.image(0, 1).at(0, 0).unwrap(), 7.5));
    assert!(close(pack.image(0, 8).at(7, 7).unwrap(), 15.0));
}

#[test]
fn a_film_is_seen_through_its_window_before_it_is_shrunk() {
    let folder = tempfile::tempdir().unwrap();
    let seen = |window: [f32; 2], side: usize| {
        let path = folder.path().join(format!("{window:?}"));
        let mut writer = Writer::begin(&path, Manifest { window, ..manifest("a") }).unwrap();
        writer.push(film(0), &levels(0)).unwrap();
        writer.finish().unwrap();
        Pack::open(&path).unwrap().seen(0, side).pixels().to_vec()
    };
    let close = |found: Vec<f32>, expected: &[f32]| {
        assert!(found.len() == expected.len(), "{found:?}");
        assert!(found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 0.1), "{found:?} for {expected:?}");
    };
    // Stored: 0 to 15 HU, row by row. Clipped to 2 to 5, its quarters are (2, 2, 4, 5) and so on; their means clipped would
    // be 2.5, 4.5, 5 and 5.
    close(seen([2.0, 5.0], 2), &[3.25, 3.75, 5.0, 5.0]);
    close(seen([2.0, 5.0], 4)[..6].to_vec(), &[2.0, 2.0, 2.0, 3.0, 4.0, 5.0]);
    close(seen([-2000.0, 4000.0], 2), &[2.5, 4.5, 10.5, 12.5]);
}

#[test]
fn a_range_in_which_pixels_would_overflow_is_refused_with_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pack");
    let mut writer = Writer::begin(&path, manifest("a")).unwrap();
    writer.push(film(0), &levels(0)).unwrap();
    writer.finish().unwrap();
    let file = path.join("pack.json");
    let header: Header = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    for range in [[0.0, f32::MAX], [f32::MIN, f32::MAX], [1.0, 0.0]] {
        for header in [Header { range, ..header.clone() }, Header { window: range, ..header.clone() }] {
            fs::write(&file, serde_json::to_vec(&header).unwrap()).unwrap();
            let said = Pack::open(&path).err().unwrap().to_string();
            assert!(said.contains("pack.json") && said.contains("range or window"), "{said}");
        }
    }
}
