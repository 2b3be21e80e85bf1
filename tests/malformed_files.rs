//! Two hundred damaged twins for every reader and for the pack: no panic, no allocation beyond the cap, and a sentence
//! that names the file and what to do.

use std::alloc::{GlobalAlloc, Layout, System};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use negatoscope::cohort::{Format, ImportOptions, Pack, import, reader, rehearse};
use negatoscope::compute::random::stream;
use negatoscope::progress::Progress;
use negatoscope::radiograph::{MAX_SIDE, encode_png8};
use rand::Rng;
use rand_chacha::ChaCha8Rng;

/// Remembers the largest piece of memory that anyone asked for.
struct Watching;

static LARGEST: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call is passed on unchanged to the system's allocator, which upholds the contract; the counter beside it
// touches no memory that is handed out.
unsafe impl GlobalAlloc for Watching {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LARGEST.fetch_max(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promise about `layout` is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: `pointer` came from `alloc` above, that is from the system's allocator, with the same layout.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        LARGEST.fetch_max(layout.size(), Ordering::Relaxed);
        // SAFETY: as for `alloc`.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        LARGEST.fetch_max(size, Ordering::Relaxed);
        // SAFETY: as for `dealloc`; the caller promises that `size` is not zero.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static WATCHING: Watching = Watching;

/// What a decoder may take at once: the largest accepted side squared, four channels of 16 bits.
const CAP: usize = MAX_SIDE * MAX_SIDE * 8;

const TWINS: usize = 200;

/// The seed of the damage; `MALFORMED_SEED` in the environment gives other damage, for a longer search by hand.
fn seed(own: u64) -> u64 {
    own + std::env::var("MALFORMED_SEED").ok().and_then(|text| text.parse::<u64>().ok()).unwrap_or(0)
}

fn grey(seed: usize, side: usize) -> Vec<u8> {
    (0..side * side).map(|i| ((i * 7 + seed * 31) % 256) as u8).collect()
}

fn png(path: &Path, seed: usize) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, encode_png8(16, 16, &grey(seed, 16), &[]).unwrap()).unwrap();
}

fn picture(path: &Path, seed: usize) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    image::GrayImage::from_raw(16, 16, grey(seed, 16)).unwrap().save(path).unwrap();
}

fn element(group: u16, number: u16, representation: [u8; 2], value: &[u8]) -> Vec<u8> {
    let mut value = value.to_vec();
    if value.len() % 2 == 1 {
        value.push(if representation == *b"UI" { 0 } else { b' ' });
    }
    let mut bytes = [group.to_le_bytes(), number.to_le_bytes(), representation].concat();
    if matches!(&representation, b"OW" | b"SQ") {
        bytes.extend([0, 0]);
        bytes.extend((value.len() as u32).to_le_bytes());
    } else {
        bytes.extend((value.len() as u16).to_le_bytes());
    }
    bytes.extend(value);
    bytes
}

/// A CT slice of 16 × 16, with a sequence in its header and two frames.
fn dicom(path: &Path, seed: usize) {
    let meta =
        [element(2, 2, *b"UI", b"1.2.840.10008.5.1.4.1.1.2"), element(2, 16, *b"UI", b"1.2.840.10008.1.2.1")].concat();
    let item = [vec![0xFE, 0xFF, 0x00, 0xE0, 10, 0, 0, 0], element(8, 0x60, *b"CS", b"CT")].concat();
    let word = |v: u16| v.to_le_bytes();
    let pixels: Vec<u8> = grey(seed, 16).iter().chain(&grey(seed + 1, 16)).flat_map(|&v| [v, 4]).collect();
    let bytes = [
        vec![0; 128],
        b"DICM".to_vec(),
        element(2, 0, *b"UL", &(meta.len() as u32).to_le_bytes()),
        meta,
        element(8, 0x60, *b"CS", b"CT"),
        element(8, 0x1140, *b"SQ", &item),
        element(0x10, 0x20, *b"LO", format!("p{}", seed / 2).as_bytes()),
        element(0x28, 2, *b"US", &word(1)),
        element(0x28, 4, *b"CS", b"MONOCHROME2"),
        element(0x28, 8, *b"IS", b"2"),
        element(0x28, 0x10, *b"US", &word(16)),
        element(0x28, 0x11, *b"US", &word(16)),
        element(0x28, 0x100, *b"US", &word(16)),
        element(0x28, 0x101, *b"US", &word(16)),
        element(0x28, 0x102, *b"US", &word(15)),
        element(0x28, 0x103, *b"US", &word(1)),
        element(0x28, 0x1052, *b"DS", b"-1024"),
        element(0x28, 0x1053, *b"DS", b"1"),
        element(0x7FE0, 0x10, *b"OW", &pixels),
    ]
    .concat();
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

fn npy(kind: &str, shape: &str, data: &[u8]) -> Vec<u8> {
    let header = format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': ({shape}), }}\n");
    [b"\x93NUMPY\x01\x00", &(header.len() as u16).to_le_bytes()[..], header.as_bytes(), data].concat()
}

fn npz(path: &Path) {
    use std::io::Write as _;
    let mut archive = zip::ZipWriter::new(fs::File::create(path).unwrap());
    let images: Vec<u8> = (0..4).flat_map(|seed| grey(seed, 16)).collect();
    for (name, bytes) in [
        ("train_images", npy("|u1", "4, 16, 16", &images)),
        ("train_labels", npy("<i8", "4, 1", &[[0, 0, 0, 0, 0, 0, 0, 0], [1, 0, 0, 0, 0, 0, 0, 0]].repeat(2).concat())),
        ("train_names", npy("|S4", "4,", b"a.pnb.pnc.pnd.pn")),
    ] {
        archive.start_file(format!("{name}.npy"), zip::write::SimpleFileOptions::default()).unwrap();
        archive.write_all(&bytes).unwrap();
    }
    archive.finish().unwrap();
}

/// A sound miniature of a format in `root`; returns what an import is pointed to.
fn miniature(format: Format, root: &Path) -> PathBuf {
    let table = |name: &str, text: String| fs::write(root.join(name), text).unwrap();
    match format {
        Format::Nih => {
            let mut text =
                "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View Position\n"
                    .to_owned();
            for i in 0..3 {
                text += &format!("0000000{i}_000.png,Mass|Hernia,0,{i},058Y,F,PA\n");
                png(&root.join(format!("images/0000000{i}_000.png")), i);
            }
            table("Data_Entry_2017.csv", text);
        }
        Format::CtIch => {
            let mut text = "image,split,patient,slice,any_hemorrhage,Intraventricular,Intraparenchymal,Subarachnoid,Epidural,Subdural\n".to_owned();
            for i in 0..3 {
                text += &format!("04{i}_02.jpg,train,{i},2,0,0,1,0,0,0\n");
                picture(&root.join(format!("brain256/04{i}_02.jpg")), i);
            }
            table("labels.csv", text);
        }
        Format::Chexpert => {
            let findings = "No Finding,Enlarged Cardiomediastinum,Cardiomegaly,Lung Opacity,Lung Lesion,Edema,Consolidation,Pneumonia,Atelectasis,Pneumothorax,Pleural Effusion,Pleural Other,Fracture,Support Devices";
            let mut text = format!("Path,Sex,Age,Frontal/Lateral,AP/PA,{findings}\n");
            for i in 0..3 {
                let path = format!("train/patient0000{i}/study1/view1_frontal.jpg");
                text += &format!("CheXpert-v1.0-small/{path},Female,68,Frontal,AP,,,1.0,-1.0,,,,,,0.0,,,,1.0\n");
                picture(&root.join(path), i);
            }
            table("train.csv", text);
        }
        Format::Rsna => {
            let mut text = "ID,Label\n".to_owned();
            for i in 0..3 {
                for kind in ["epidural", "intraparenchymal", "intraventricular", "subarachnoid", "subdural", "any"] {
                    text += &format!("ID_00000000{i}_{kind},{}\n", i % 2);
                }
                dicom(&root.join(format!("stage_2_train/ID_00000000{i}.dcm")), i);
            }
            table("stage_2_train.csv", text);
        }
        Format::Medmnist => {
            npz(&root.join("tiny.npz"));
            return root.join("tiny.npz");
        }
        Format::Folders => {
            for (i, name) in ["Mass/a.png", "Mass/b.jpg", "normal/c.tif", "normal/d.jpeg"].iter().enumerate() {
                picture(&root.join(name), i);
            }
        }
        Format::Dicom => (0..3).for_each(|i| dicom(&root.join(format!("study/{i}.dcm")), i)),
    }
    root.to_path_buf()
}

fn files_below(root: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = walkdir::WalkDir::new(root)
        .into_iter()
        .flatten()
        .filter(|entry| entry.file_type().is_file())
        .map(walkdir::DirEntry::into_path)
        .collect();
    found.sort();
    found
}

/// Damages a file in one of many ways; the way is returned for the report.
fn damage(path: &Path, good: &[u8], rng: &mut ChaCha8Rng) -> &'static str {
    let mut bytes = good.to_vec();
    let at = rng.random_range(0..bytes.len());
    let overwrite = |bytes: &mut Vec<u8>, with: &[u8]| {
        let end = bytes.len().min(at + with.len());
        bytes[at..end].copy_from_slice(&with[..end - at]);
    };
    let way = match rng.random_range(0..12) {
        0 => {
            bytes.truncate(at);
            "truncated"
        }
        1 | 2 => {
            for _ in 0..rng.random_range(1..20) {
                let i = rng.random_range(0..bytes.len());
                bytes[i] = rng.random();
            }
            "bytes changed"
        }
        3 => {
            overwrite(&mut bytes, &[0xFF; 4]);
            "a length of four thousand million"
        }
        4 => {
            overwrite(&mut bytes, &0x7FFF_FFFF_u32.to_le_bytes());
            "a giant number"
        }
        5 => {
            overwrite(&mut bytes, &[0; 16]);
            "zeros"
        }
        6 => {
            let piece = bytes[at..bytes.len().min(at + 64)].to_vec();
            bytes.splice(at..at, piece);
            "a piece twice"
        }
        7 => {
            overwrite(&mut bytes, [&b",NaN,inf,-1,1e39\n"[..], b"\"\"\",\"", b"99999999999999999999"][at % 3]);
            "not a number"
        }
        8 => {
            bytes.clear();
            "empty"
        }
        9 => {
            fs::remove_file(path).unwrap();
            fs::create_dir(path).unwrap();
            return "a folder";
        }
        10 => {
            fs::remove_file(path).unwrap();
            return "gone";
        }
        _ => {
            bytes = (0..rng.random_range(1..2000)).map(|_| rng.random()).collect();
            "noise"
        }
    };
    fs::write(path, bytes).unwrap();
    #[cfg(unix)]
    if at % 40 == 0 {
        use std::os::unix::fs::PermissionsExt;
        // To the superuser this file stays readable, and is then one more damaged file.
        fs::set_permissions(path, fs::Permissions::from_mode(0o0)).unwrap();
        return "no permission";
    }
    way
}

fn repair(path: &Path, good: &[u8]) {
    if path.is_dir() {
        fs::remove_dir(path).unwrap();
    } else if path.exists() {
        fs::remove_file(path).unwrap();
    }
    fs::write(path, good).unwrap();
}

/// A sentence names the place, says what is wrong and what to do.
fn is_sentence(text: &str, root: &Path) -> bool {
    let (place, rest) = text.split_once(": ").unwrap_or_default();
    place.starts_with(&*root.to_string_lossy())
        && rest.split_once("; ").is_some_and(|(a, b)| a.len() > 5 && b.len() > 5)
}

#[test]
fn two_hundred_damaged_twins_for_every_reader() {
    for (name, format) in Format::ALL {
        let folder = tempfile::tempdir().unwrap();
        let input = miniature(format, folder.path());
        let options =
            ImportOptions { resolution: 16, ..ImportOptions::new(format, &input, &folder.path().join("pack")) };
        let sound = rehearse(&options, &Progress::new()).unwrap();
        assert!(sound.films >= 3 && sound.skipped.is_empty(), "{name}: {sound:?}");
        let files = files_below(folder.path());
        let mut rng = stream(seed(5), name);
        LARGEST.store(0, Ordering::Relaxed);
        let (mut refused, mut left_out) = (0, 0);
        for _ in 0..TWINS {
            let path = &files[rng.random_range(0..files.len())];
            let good = fs::read(path).unwrap();
            let way = damage(path, &good, &mut rng);
            match rehearse(&options, &Progress::new()) {
                Ok(rehearsal) => {
                    left_out += rehearsal.skipped.len();
                    for skipped in rehearsal.skipped {
                        assert!(is_sentence(&skipped.reason, folder.path()), "{name}, {way}: {}", skipped.reason);
                    }
                }
                Err(error) => {
                    refused += 1;
                    assert!(is_sentence(&error.to_string(), folder.path()), "{name}, {way}: {error}");
                }
            }
            repair(path, &good);
        }
        let largest = LARGEST.load(Ordering::Relaxed);
        println!("{name}: {refused} refused, {left_out} films left out, largest allocation {largest} bytes");
        assert!(largest <= CAP, "{name}: {largest} bytes at once");
        assert!(refused + left_out > TWINS / 10, "{name}: the damage was hardly noticed");
        assert_eq!(rehearse(&options, &Progress::new()).unwrap().films, sound.films, "{name} is whole again");
    }
}

#[test]
fn damaged_compressed_slices_cost_a_sentence() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("shared/data/dicom");
    if !root.exists() {
        println!("../shared/data/dicom is absent: this test has nothing to read");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    for name in [
        "ct/CT2_head_j2k_lossy.dcm",
        "ct/CT2_head_rle.dcm",
        "ct/CT2_head_jpeg_lossless_sv1.dcm",
        "cr_chest/siim_850819_jpeg.dcm",
    ] {
        let good = fs::read(root.join(name)).unwrap();
        let path = folder.path().join("twin.dcm");
        let mut rng = stream(seed(6), name);
        LARGEST.store(0, Ordering::Relaxed);
        let mut refused = 0;
        for _ in 0..60 {
            fs::write(&path, &good).unwrap();
            let way = damage(&path, &good, &mut rng);
            if let Err(error) = reader::open_radiograph(&path) {
                refused += 1;
                assert!(is_sentence(&error.to_string(), folder.path()), "{name}, {way}: {error}");
            }
            repair(&path, &good);
        }
        let largest = LARGEST.load(Ordering::Relaxed);
        println!("{name}: {refused} of 60 refused, largest allocation {largest} bytes");
        assert!(refused > 10 && largest <= CAP, "{name}: {refused} refused, {largest} bytes at once");
    }
}

#[test]
fn two_hundred_damaged_twins_of_a_pack() {
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("source");
    fs::create_dir(&source).unwrap();
    let input = miniature(Format::Nih, &source);
    let out = folder.path().join("pack");
    let options = ImportOptions { resolution: 16, ..ImportOptions::new(Format::Nih, &input, &out) };
    import(&options, &Progress::new()).unwrap();
    let files = files_below(&out);
    assert_eq!(files.len(), 6);
    let mut rng = stream(seed(7), "pack");
    LARGEST.store(0, Ordering::Relaxed);
    let mut refused = 0;
    for _ in 0..TWINS {
        let path = &files[rng.random_range(0..files.len())];
        let good = fs::read(path).unwrap();
        let way = damage(path, &good, &mut rng);
        match Pack::open(&out) {
            Ok(pack) => {
                // Damage within the pixels is found by comparing hashes; everything can be asked for all the same.
                for film in 0..pack.len() {
                    let _ = (pack.record(film), pack.source_hash(film), pack.image(film, 16), pack.image(film, 7));
                }
                assert!(
                    pack.verify().is_err() || fs::read(path).unwrap() == good || path.ends_with("pack.json"),
                    "{way}"
                );
            }
            Err(error) => {
                refused += 1;
                let text = error.to_string();
                assert!(text.contains("pack") && (text.contains(';') || text.contains('(')), "{way}: {text}");
            }
        }
        repair(path, &good);
    }
    println!("pack: {refused} of {TWINS} refused at opening");
    assert!(refused > TWINS / 2);
    assert!(LARGEST.load(Ordering::Relaxed) <= CAP);
    assert!(Pack::open(&out).unwrap().verify().is_ok());
}
