use super::*;
use crate::generator::Family;
use crate::generator::testing::{architecture, card, tensors};

fn written(precision: Precision) -> (tempfile::TempDir, PathBuf, ModelCard, Tensors) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    let card = card(architecture(Family::CpdGan, 8, 5, 3, 48, 12));
    let tensors = tensors(&card.architecture, 1);
    write(&path, &card, &tensors, precision).unwrap();
    (folder, path, card, tensors)
}

/// The same file with another header; `edit` sees it as JSON.
fn with_header(bytes: &[u8], edit: impl FnOnce(&mut serde_json::Value)) -> Vec<u8> {
    let size = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let mut header: serde_json::Value = serde_json::from_slice(&bytes[8..8 + size]).unwrap();
    edit(&mut header);
    let header = header.to_string().into_bytes();
    [&(header.len() as u64).to_le_bytes()[..], &header, &bytes[8 + size..]].concat()
}

fn with_card(bytes: &[u8], edit: impl FnOnce(&mut serde_json::Value)) -> Vec<u8> {
    with_header(bytes, |header| {
        let mut card = serde_json::from_str(header["__metadata__"]["card"].as_str().unwrap()).unwrap();
        edit(&mut card);
        header["__metadata__"]["card"] = card.to_string().into();
    })
}

#[test]
fn single_precision_reads_back_as_written() {
    let (_folder, path, card, tensors) = written(Precision::F32);
    let file = read(&path).unwrap();
    assert_eq!((&file.card, &file.tensors), (&card, &tensors));
    assert_eq!(file.hash, store::hash_file(&path).unwrap());
    assert_eq!(read_card(&path).unwrap(), card);
    // The same model written again is the same file.
    let again = path.with_file_name("again.safetensors");
    write(&again, &card, &tensors, Precision::F32).unwrap();
    assert_eq!(store::hash_file(&again).unwrap(), file.hash);
}

#[test]
fn half_precision_is_half_the_size_and_close() {
    let (_folder, path, card, tensors) = written(Precision::F16);
    let file = read(&path).unwrap();
    for (name, (_, values)) in &tensors {
        for (a, b) in values.iter().zip(&file.tensors[name].1) {
            // A half has 11 significant bits; below 2^-14 the spacing is 2^-24.
            assert!((a - b).abs() <= (a.abs() / 2048.0).max(1.0 / f32::powi(2.0, 24)), "{name}: {a} {b}");
        }
    }
    let full = path.with_file_name("full.safetensors");
    write(&full, &card, &tensors, Precision::F32).unwrap();
    let count: u64 = tensors.values().map(|(_, v)| v.len() as u64).sum();
    let (half, full) = (fs::metadata(&path).unwrap().len(), fs::metadata(&full).unwrap().len());
    assert!(full - half > 2 * count - 1024, "{half} {full}");
}

#[test]
fn what_cannot_be_a_model_is_not_written() {
    let (folder, _, card, tensors) = written(Precision::F32);
    let path = folder.path().join("bad.safetensors");
    let mut nan = tensors.clone();
    nan.get_mut("g.8.conv.weight").unwrap().1[3] = f32::NAN;
    let mut large = tensors.clone();
    large.get_mut("g.8.conv.weight").unwrap().1[3] = 1e5;
    let mut fewer = tensors.clone();
    fewer.remove("g.8.up.bias");
    assert!(write(&path, &card, &nan, Precision::F32).unwrap_err().to_string().contains("g.8.conv.weight"));
    assert!(write(&path, &card, &large, Precision::F16).unwrap_err().to_string().contains("single precision"));
    assert!(write(&path, &card, &fewer, Precision::F32).unwrap_err().to_string().contains("missing"));
    let mut empty = card.clone();
    empty.range = [1.0, 1.0];
    assert!(write(&path, &empty, &tensors, Precision::F32).is_err());
    assert!(!path.exists());
}

#[test]
fn every_kind_of_wrong_file_gives_one_sentence_with_name_and_remedy() {
    let (folder, path, _, _) = written(Precision::F32);
    let good = fs::read(&path).unwrap();
    let size = u64::from_le_bytes(good[..8].try_into().unwrap()) as usize;
    let mut cases: Vec<(&str, Vec<u8>, &str)> = vec![
        ("empty", vec![], "0 bytes"),
        ("text", b"not a model at all, only some text".to_vec(), "safetensors"),
        ("header of 2^60", [&(1u64 << 60).to_le_bytes()[..], &good[8..]].concat(), "safetensors"),
        ("header beyond the end", good[..size].to_vec(), "inside its header"),
        ("data cut", good[..good.len() - 100].to_vec(), "bytes of tensors"),
        ("data too long", [&good[..], b"abcd"].concat(), "bytes of tensors"),
        ("no card", with_header(&good, |h| h["__metadata__"] = serde_json::json!({})), "no model card"),
        (
            "another card",
            with_header(&good, |h| h["__metadata__"]["card"] = "{\"kind\": \"densenet\"}".into()),
            "does not describe a generator",
        ),
        ("family", with_card(&good, |c| c["architecture"]["family"] = "style_gan".into()), "style_gan"),
        ("huge", with_card(&good, |c| c["architecture"]["resolution"] = (1u64 << 40).into()), "resolution"),
        ("labels", with_card(&good, |c| c["architecture"]["labels"] = 4.into()), "4 labels"),
        ("range", with_card(&good, |c| c["range"] = serde_json::json!([1.0, 0.0])), "range"),
        ("range of NaN", with_card(&good, |c| c["range"] = serde_json::json!([null, 0.0])), "card"),
        ("incomplete", with_card(&good, |c| drop(c.as_object_mut().unwrap().remove("licence"))), "licence"),
        ("width", with_card(&good, |c| c["architecture"]["feature_max"] = 11.into()), "shape"),
        (
            "lying shape",
            with_header(&good, |h| h["g.8.conv.weight"]["shape"] = serde_json::json!([1u64 << 40, 1u64 << 40])),
            "header",
        ),
        (
            "lying offsets",
            with_header(&good, |h| h["g.8.conv.bias"]["data_offsets"] = serde_json::json!([0, u64::MAX])),
            "",
        ),
        (
            "renamed",
            with_header(&good, |h| {
                let entry = h.as_object_mut().unwrap().remove("g.8.up.bias").unwrap();
                h["g.8.up.gain"] = entry;
            }),
            "g.8.up.gain",
        ),
        ("integers", with_header(&good, |h| h["g.8.up.bias"]["dtype"] = "I32".into()), "I32"),
    ];
    let mut nan = good.clone();
    let end = nan.len();
    nan[end - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
    cases.push(("NaN", nan, "not a finite number"));
    for (what, bytes, part) in cases {
        let path = folder.path().join("case.safetensors");
        fs::write(&path, bytes).unwrap();
        let text = read(&path).expect_err(what).to_string();
        assert!(text.contains("case.safetensors") && text.contains("; "), "{what}: {text}");
        assert!(text.contains(part), "{what}: {text}");
        assert!(!text.contains('\n'), "{what}: {text}");
    }
    for path in [folder.path().to_path_buf(), folder.path().join("absent"), "/dev/null".into()] {
        assert!(read(&path).is_err() && read_card(&path).is_err(), "{path:?}");
    }
    let large = folder.path().join("large.safetensors");
    File::create(&large).unwrap().set_len(MAX_FILE + 1).unwrap();
    assert!(read(&large).unwrap_err().to_string().contains("512 MB"));
}

#[test]
fn a_damaged_byte_or_a_cut_anywhere_never_panics() {
    use rand::Rng;
    let (_folder, path, _, _) = written(Precision::F16);
    let good = fs::read(&path).unwrap();
    let mut rng = crate::compute::random::stream(3, "damage");
    let size = u64::from_le_bytes(good[..8].try_into().unwrap()) as usize;
    for round in 0..400 {
        let mut bytes = good.clone();
        for _ in 0..rng.random_range(1..4) {
            let at = rng.random_range(0..if round % 2 == 0 { size + 8 } else { bytes.len() });
            bytes[at] = rng.random();
        }
        let _ = parse(&bytes);
        let cut = rng.random_range(0..good.len());
        assert!(parse(&good[..cut]).is_err(), "cut at {cut}");
    }
}
