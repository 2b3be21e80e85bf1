//! DICOM against pydicom: made files for every rule, real ones where they are at hand.

use std::fs;

use super::*;
use crate::cohort::import::real_data;

/// One element, explicit little-endian.
pub(super) fn element(group: u16, number: u16, representation: [u8; 2], value: &[u8]) -> Vec<u8> {
    let mut bytes = [group.to_le_bytes(), number.to_le_bytes(), representation].concat();
    let mut value = value.to_vec();
    if value.len() % 2 == 1 {
        value.push(if representation == *b"UI" || representation == *b"OB" { 0 } else { b' ' });
    }
    match &representation {
        b"OB" | b"OW" | b"SQ" | b"UN" => {
            bytes.extend([0, 0]);
            bytes.extend((value.len() as u32).to_le_bytes());
        }
        _ => bytes.extend((value.len() as u16).to_le_bytes()),
    }
    bytes.extend(value);
    bytes
}

/// What a made file differs in.
#[derive(Clone)]
pub(super) struct Made {
    pub modality: &'static str,
    pub photometric: &'static str,
    pub frames: u32,
    pub size: [u16; 2],
    pub bits: [u16; 3],
    pub signed: bool,
    pub rescale: Option<[&'static str; 2]>,
    pub window: Option<[&'static str; 2]>,
    pub pixels: Vec<u8>,
}

impl Made {
    pub fn ct(pixels: &[i16]) -> Self {
        Self {
            modality: "CT",
            photometric: "MONOCHROME2",
            frames: 1,
            size: [4, 2],
            bits: [16, 16, 15],
            signed: true,
            rescale: Some(["1", "-1024"]),
            window: Some(["40", "80"]),
            pixels: pixels.iter().flat_map(|v| v.to_le_bytes()).collect(),
        }
    }

    pub fn bytes(&self) -> Vec<u8> {
        let word = |v: u16| v.to_le_bytes();
        let meta = [
            element(2, 0x02, *b"UI", b"1.2.840.10008.5.1.4.1.1.2"),
            element(2, 0x03, *b"UI", b"1.2.3.4"),
            element(2, 0x10, *b"UI", b"1.2.840.10008.1.2.1"),
        ]
        .concat();
        let mut out = [vec![0; 128], b"DICM".to_vec()].concat();
        out.extend(element(2, 0, *b"UL", &(meta.len() as u32).to_le_bytes()));
        out.extend(meta);
        let item =
            [[0xFE, 0xFF, 0x00, 0xE0].to_vec(), 12_u32.to_le_bytes().to_vec(), element(8, 0x60, *b"CS", b"MR  ")]
                .concat();
        let mut parts = vec![
            element(8, 0x18, *b"UI", b"1.2.3.4"),
            element(8, 0x60, *b"CS", self.modality.as_bytes()),
            element(8, 0x1140, *b"SQ", &item),
            element(0x10, 0x20, *b"LO", b"patient 7"),
            element(0x10, 0x40, *b"CS", b"F"),
            element(0x10, 0x1010, *b"AS", b"058Y"),
            element(0x28, 2, *b"US", &word(1)),
            element(0x28, 4, *b"CS", self.photometric.as_bytes()),
        ];
        if self.frames != 1 {
            parts.push(element(0x28, 8, *b"IS", self.frames.to_string().as_bytes()));
        }
        parts.extend([
            element(0x28, 0x10, *b"US", &word(self.size[1])),
            element(0x28, 0x11, *b"US", &word(self.size[0])),
            element(0x28, 0x100, *b"US", &word(self.bits[0])),
            element(0x28, 0x101, *b"US", &word(self.bits[1])),
            element(0x28, 0x102, *b"US", &word(self.bits[2])),
            element(0x28, 0x103, *b"US", &word(u16::from(self.signed))),
        ]);
        if let Some([center, width]) = self.window {
            parts.push(element(0x28, 0x1050, *b"DS", center.as_bytes()));
            parts.push(element(0x28, 0x1051, *b"DS", width.as_bytes()));
        }
        if let Some([slope, intercept]) = self.rescale {
            parts.push(element(0x28, 0x1052, *b"DS", intercept.as_bytes()));
            parts.push(element(0x28, 0x1053, *b"DS", slope.as_bytes()));
        }
        parts.push(element(0x7FE0, 0x10, *b"OW", &self.pixels));
        out.extend(parts.concat());
        out
    }
}

fn read(made: &Made) -> Result<Radiograph, ReadError> {
    decode(Path::new("made.dcm"), &made.bytes())
}

fn close(image: &Radiograph, expected: &[f32]) {
    let worst = image.pixels().iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(image.pixels().len() == expected.len() && worst < 1e-5, "{:?}", image.pixels());
}

#[test]
fn ct_becomes_hounsfield_units() {
    let made = Made::ct(&[0, 24, 1024, 1064, 1104, -2000, 2047, 5000]);
    let image = read(&made).unwrap();
    assert_eq!((image.width(), image.height(), image.meaning()), (4, 2, Meaning::Hounsfield));
    close(&image, &[-1024.0, -1000.0, 0.0, 40.0, 80.0, -3024.0, 1023.0, 3976.0]);
    // Twelve bits stored, signed: the bits above them are no part of the value.
    let twelve = Made {
        bits: [16, 12, 11],
        rescale: Some(["2", "1"]),
        ..Made::ct(&[0x0FFF, 0x0800, 0x07FF, 0x7001, 0, 1, 2, 3])
    };
    close(&read(&twelve).unwrap(), &[-1.0, -4095.0, 4095.0, 3.0, 1.0, 3.0, 5.0, 7.0]);
}

#[test]
fn radiographs_become_density_through_their_window() {
    // pydicom 3.0.1, twelve bits: ds.WindowCenter = "40"; ds.WindowWidth = "80"
    //   apply_voi_lut(np.array([0, 1, 20, 40, 60, 79, 80, 4095], dtype=np.uint16), ds) / 4095
    let mut made = Made {
        modality: "DX",
        signed: false,
        rescale: None,
        bits: [16, 12, 11],
        ..Made::ct(&[0, 1, 20, 40, 60, 79, 80, 4095])
    };
    let window = [0.0, 0.012_658_23, 0.253_164_56, 0.506_329_1, 0.759_493_67, 1.0, 1.0, 1.0];
    let image = read(&made).unwrap();
    assert_eq!(image.meaning(), Meaning::Density);
    close(&image, &window);
    made.photometric = "MONOCHROME1 ";
    close(&read(&made).unwrap(), &window.map(|v| 1.0 - v));
    // Without a window: all that the stored bits can hold.
    made.window = None;
    close(&read(&made).unwrap(), &[0, 1, 20, 40, 60, 79, 80, 4095].map(|v| 1.0 - v as f32 / 4095.0));
}

#[test]
fn frames_are_read_one_by_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("two.dcm");
    let pixels: Vec<i16> = (0..16).collect();
    let made = Made { frames: 2, rescale: None, ..Made::ct(&pixels) };
    fs::write(&path, made.bytes()).unwrap();
    let summary = summary(&path).unwrap();
    assert_eq!((summary.frames, summary.patient.as_str(), summary.age), (2, "patient 7", Some(58.0)));
    assert_eq!((summary.sex, summary.hounsfield), (Some(Sex::Female), true));
    let frame = |n| load(&path, n, true);
    assert_eq!(frame(0).unwrap().0.pixels(), (0..8).map(|v| v as f32).collect::<Vec<_>>());
    assert_eq!(frame(1).unwrap().0.pixels(), (8..16).map(|v| v as f32).collect::<Vec<_>>());
    assert_ne!(frame(0).unwrap().1, frame(1).unwrap().1);
    assert!(frame(2).unwrap_err().to_string().contains("no frame 2"));
}

#[test]
fn lying_headers_cost_a_sentence_and_no_memory() {
    let good = Made::ct(&[0; 8]);
    let lies = [
        Made { size: [65535, 65535], ..good.clone() },
        Made { size: [0, 2], ..good.clone() },
        Made { size: [8192, 8192], ..good.clone() },
        Made { frames: 4_000_000_000, ..good.clone() },
        Made { frames: 3, ..good.clone() },
        Made { bits: [16, 17, 16], ..good.clone() },
        Made { bits: [16, 0, 0], ..good.clone() },
        Made { bits: [64, 64, 63], ..good.clone() },
        Made { bits: [16, 12, 99], ..good.clone() },
        Made { rescale: Some(["nan", "inf"]), pixels: vec![0; 3], ..good.clone() },
    ];
    for (i, lie) in lies.iter().enumerate() {
        let result = (0..lie.frames.min(3)).map(|frame| {
            let opened = parse(Path::new("lie.dcm"), &lie.bytes())?;
            guarded(&opened.path, || frame_image(&opened, frame, None))
        });
        let error = result.collect::<Result<Vec<_>, _>>().unwrap_err().to_string();
        assert!(error.starts_with("lie.dcm: ") && error.contains("; "), "{i}: {error}");
    }
    // A length that leads out of the file, within a sequence.
    let mut bytes = good.bytes();
    let at = bytes.windows(8).position(|b| b[..6] == [8, 0, 0x40, 0x11, b'S', b'Q']).unwrap() + 12 + 4;
    bytes[at..at + 4].copy_from_slice(&0x7FFF_FFF0_u32.to_le_bytes());
    assert!(decode(Path::new("lie.dcm"), &bytes).unwrap_err().to_string().contains("beyond its end"));
}

#[test]
fn an_rle_header_that_states_four_thousand_million_segments_is_refused() {
    let mut made = Made::ct(&[0; 8]);
    made.pixels.clear();
    let mut bytes = made.bytes();
    let syntax = bytes.windows(19).position(|b| b == b"1.2.840.10008.1.2.1").unwrap();
    bytes[syntax + 18] = b'5';
    let at = bytes.len() - 4;
    bytes[at..].copy_from_slice(&u32::MAX.to_le_bytes());
    bytes.extend([0xFE, 0xFF, 0, 0xE0, 0, 0, 0, 0]);
    bytes.extend([0xFE, 0xFF, 0, 0xE0, 64, 0, 0, 0]);
    bytes.extend([0xFF; 64]);
    bytes.extend([0xFE, 0xFF, 0xDD, 0xE0, 0, 0, 0, 0]);
    assert!(decode(Path::new("rle.dcm"), &bytes).unwrap_err().to_string().contains("RLE"));
}

#[test]
fn windows_have_the_three_published_shapes() {
    // PS3.3 C.11.2.1.2.1 with the formula's own branches; C.11.2.1.3.1; C.11.2.1.3.2. Values from Python:
    //   ((x - (c - .5)) / (w - 1) + .5), 1 / (1 + exp(-4 (x - c) / w)), (x - c) / w + .5 at x = 30, c = 40, w = 80
    let at = |voi: Voi| voi.apply(30.0);
    assert!((at(Voi::Linear { center: 40.0, width: 80.0 }) - 0.379_746_835).abs() < 1e-9);
    assert!((at(Voi::Sigmoid { center: 40.0, width: 80.0 }) - 0.377_540_669).abs() < 1e-9);
    assert!((at(Voi::Exact { center: 40.0, width: 80.0 }) - 0.375).abs() < 1e-9);
    assert_eq!(Voi::Linear { center: 40.0, width: 1.0 }.apply(40.0), 1.0);
    assert_eq!(Voi::Linear { center: 40.0, width: 1.0 }.apply(39.0), 0.0);
}

/// File, mean, least, greatest and the value at row h/2, column w/3, by pydicom 3.0.1:
/// `a = apply_modality_lut(ds.pixel_array, ds).astype(float64); a.mean(), a.min(), a.max(), a[h//2, w//3]`
const REAL: [(&str, f64, f32, f32, f32, f64); 11] = [
    ("ct/693_head_uncompressed.dcm", -1035.563_015, -3024.0, 1468.0, 21.0, 1e-4),
    ("ct/CT2_head_j2k_lossless.dcm", -754.292_889, -2048.0, 1433.0, 34.0, 1e-4),
    ("ct/CT2_head_j2k_lossy.dcm", -754.438_416, -2386.0, 1542.0, 37.0, 1e-4),
    ("ct/CT2_head_rle.dcm", -754.292_889, -2048.0, 1433.0, 34.0, 1e-4),
    ("ct/CT2_head_uncompressed.dcm", -754.292_889, -2048.0, 1433.0, 34.0, 1e-4),
    // pydicom needs gdcm for this one; it is the lossless twin of the one above.
    ("ct/CT2_head_jpeg_lossless_sv1.dcm", -754.292_889, -2048.0, 1433.0, 34.0, 1e-4),
    ("ct/CT_brain_barre_explicit_le.dcm", -543.245_102, -1057.0, 1440.0, 39.0, 1e-4),
    ("ct/CT_small.dcm", -119.073_853, -896.0, 1167.0, 618.0, 1e-4),
    ("rsna_head_ct/ID_00a8f2691.dcm", -470.057_350, -1024.0, 7173.0, 40.0, 1e-4),
    ("rsna_head_ct/ID_0a2e1269e.dcm", -431.504_654, -32812.0, 30549.0, 27.0, 1e-4),
    ("ct_ich_hu/071_19.dcm", -456.503_689, -1021.0, 1648.0, 33.0, 1e-4),
];

#[test]
fn real_files_are_read_as_pydicom_reads_them() {
    let Some(root) = real_data("dicom") else { return };
    for (name, mean, least, greatest, value, tolerance) in REAL {
        let (image, _) = load(&root.join(name), 0, true).unwrap();
        let found = image.pixels().iter().map(|&v| f64::from(v)).sum::<f64>() / image.pixels().len() as f64;
        assert!((found - mean).abs() < tolerance, "{name}: mean {found}");
        assert_eq!(image.range(), (least, greatest), "{name}");
        assert_eq!(image.at(image.width() / 3, image.height() / 2), Some(value), "{name}");
    }
    // Grey films of 8 bits without a window: value / 255. JPEG decoders round differently by a level or two.
    for (name, mean, tolerance) in [
        ("cr_chest/rsna_c64d5667_uncompressed.dcm", 111.457_438, 1e-3),
        ("cr_chest/rsna_c64d5667_jpeg.dcm", 111.427_004, 0.1),
        ("cr_chest/siim_850819_uncompressed.dcm", 160.428_964, 1e-3),
        ("cr_chest/siim_850819_jpeg.dcm", 160.398_039, 0.1),
    ] {
        let image = crate::cohort::reader::open_radiograph(&root.join(name)).unwrap();
        let found = image.pixels().iter().map(|&v| f64::from(v)).sum::<f64>() / image.pixels().len() as f64;
        assert!((found * 255.0 - mean).abs() < tolerance, "{name}: {}", found * 255.0);
        assert_eq!(image.meaning(), Meaning::Density);
    }
}
