//! Phantom cohorts as packs.

use super::*;
use crate::cohort::Summary;

fn options(kind: Kind, count: usize, resolution: usize, out: PathBuf) -> PhantomOptions {
    PhantomOptions { kind, count, resolution, seed: 7, out }
}

#[test]
fn the_same_seed_writes_the_same_pack_and_identity_ignores_the_side() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    for kind in [Kind::Chest, Kind::Brain] {
        let name = kind.name();
        let a = write(&options(kind, 9, 32, path(&format!("{name}-a"))), &Progress::new()).unwrap();
        let b = write(&options(kind, 9, 32, path(&format!("{name}-b"))), &Progress::new()).unwrap();
        assert_eq!(a.header, b.header);
        assert!(a.header.phantom && a.header.films == 9 && a.header.patients >= 2);
        let again = write(&options(kind, 9, 32, path(&format!("{name}-a"))), &Progress::new()).unwrap();
        assert!(again.up_to_date);
        let small = write(&options(kind, 9, 16, path(&format!("{name}-c"))), &Progress::new()).unwrap();
        assert_eq!(small.header.identity, a.header.identity);
        let more = write(&options(kind, 10, 16, path(&format!("{name}-d"))), &Progress::new()).unwrap();
        assert_ne!(more.header.identity, a.header.identity);

        let pack = Pack::open(&a.path).unwrap();
        pack.verify().unwrap();
        for film in 0..pack.len() {
            let (low, high) = pack.image(film, 32).range();
            assert!(high > low, "film {film} is empty");
            assert!(pack.labels(film).iter().any(|&label| label > 0.0));
        }
        assert_eq!(pack.image(0, 32).meaning(), kind.meaning());
        assert!(Summary::of(&pack).to_string().contains("phantoms, not patients"));
    }
}

#[test]
fn plans_of_different_lengths_begin_alike_and_patients_have_their_films() {
    let short = plan(Kind::Chest, 50, 3);
    let long = plan(Kind::Chest, 500, 3);
    assert_eq!(short[..], long[..50]);
    let patients = long.last().unwrap().patient + 1;
    assert!((150..350).contains(&patients), "{patients} patients");
    let mut films = vec![0; patients];
    long.iter().for_each(|item| films[item.patient] += 1);
    assert!(films.iter().all(|n| (1..=4).contains(n)));
    let slices = plan(Kind::Brain, 300, 3);
    assert!(slices.iter().all(|item| matches!(item.scene, Scene::Brain { level, .. } if (0.0..=1.0).contains(&level))));
}

#[test]
fn impossible_wishes_are_sentences() {
    let folder = tempfile::tempdir().unwrap();
    for (count, side) in [(0, 64), (10, 48), (10, 2048), (MAX_PHANTOMS + 1, 64)] {
        let error = write(&options(Kind::Chest, count, side, folder.path().join("p")), &Progress::new()).unwrap_err();
        assert!(error.to_string().contains(' '), "{error}");
    }
    assert!("knee".parse::<Kind>().unwrap_err().contains("chest or brain"));
}

#[test]
fn phantoms_are_drawn_quickly_enough_to_make_a_cohort_of() {
    let folder = tempfile::tempdir().unwrap();
    for kind in [Kind::Chest, Kind::Brain] {
        let report = write(&options(kind, 128, 128, folder.path().join(kind.name())), &Progress::new()).unwrap();
        let rate = 128.0 / report.seconds;
        println!("{}: {rate:.0} films a second at 128 px", kind.name());
        // The aim is a hundred on two idle cores; a busy machine gives less.
        assert!(rate > 1.0, "{}: {rate}", kind.name());
    }
}
