//! Every reader on a true miniature of its format.

use std::fs;
use std::io::Write;

use super::*;
use crate::cohort::Format;
use crate::cohort::import::real_data;
use crate::radiograph::encode_png8;

fn request(input: &Path) -> Request {
    Request { input: input.to_path_buf(), resolution: 16, ..Request::default() }
}

fn read(format: Format, request: &Request) -> Plan {
    plan(format, request, &Progress::new()).unwrap()
}

fn picture(path: &Path, seed: usize) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let grey: Vec<u8> = (0..64).map(|i| ((i * 3 + seed * 17) % 256) as u8).collect();
    fs::write(path, encode_png8(8, 8, &grey, &[]).unwrap()).unwrap();
}

/// The header line of `CheXpert`'s published tables.
const CHEXPERT: &str = "Path,Sex,Age,Frontal/Lateral,AP/PA,No Finding,Enlarged Cardiomediastinum,Cardiomegaly,Lung Opacity,Lung Lesion,Edema,Consolidation,Pneumonia,Atelectasis,Pneumothorax,Pleural Effusion,Pleural Other,Fracture,Support Devices\n";

#[test]
fn chexpert_follows_the_benchmark() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("CheXpert-v1.0-small");
    let film = |patient: usize, view: &str| format!("CheXpert-v1.0-small/train/patient{patient:05}/study1/{view}.jpg");
    let rows = [
        (film(1, "view1_frontal"), "Female,68,Frontal,AP,1.0,,,,,,,,,0.0,,,,1.0"),
        (film(2, "view1_frontal"), "Female,87,Frontal,AP,,,-1.0,1.0,,-1.0,-1.0,,-1.0,,-1.0,,1.0,"),
        (film(2, "view2_lateral"), "Female,87,Lateral,,,,-1.0,1.0,,-1.0,-1.0,,-1.0,,-1.0,,1.0,"),
        (film(3, "view1_frontal"), "Male,41,Frontal,PA,,,0.0,0.0,,,,,,,,,,"),
        (film(4, "view1_frontal"), "Male,41,Frontal,PA,,,7.0,0.0,,,,,,,,,,"),
        ("../../etc/patient00009/x_frontal.jpg".to_owned(), "Male,41,Frontal,PA,1.0,,,,,,,,,,,,,"),
    ];
    let table: String = rows.iter().map(|(path, rest)| format!("{path},{rest}\n")).collect();
    rows[..5].iter().enumerate().for_each(|(i, (path, _))| picture(&folder.path().join(path), i));
    fs::write(root.join("train.csv"), format!("{CHEXPERT}{table}")).unwrap();
    let valid = "CheXpert-v1.0-small/valid/patient64541/study1/view1_frontal.jpg";
    picture(&folder.path().join(valid), 9);
    let line = format!("{valid},Male,73,Frontal,AP,0.0,1.0,1.0,1.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0\n");
    fs::write(root.join("valid.csv"), format!("{CHEXPERT}{line}")).unwrap();

    let plan = read(Format::Chexpert, &request(&root));
    assert_eq!((plan.items.len(), plan.skipped.len()), (2, 3));
    assert!(plan.skipped.iter().any(|s| s.reason.contains("has no label at all") && s.reason.contains("line 5")));
    let second = &plan.items[1];
    let positives: Vec<&str> = plan.vocabulary.positives(&second.labels).collect();
    let ones =
        ["Cardiomegaly", "Lung Opacity", "Edema", "Consolidation", "Atelectasis", "Pleural Effusion", "Fracture"];
    assert_eq!((second.patient.as_str(), positives), ("patient00002", ones.to_vec()));
    assert!(second.pixels.path().is_file());
    assert_eq!((second.age, second.sex, second.view.as_str()), (Some(87.0), Some(Sex::Female), "AP"));

    let zeros = read(Format::Chexpert, &Request { uncertain: Uncertain::Zeros, ..request(&root) });
    let positives: Vec<&str> = plan.vocabulary.positives(&zeros.items[1].labels).collect();
    assert_eq!(positives, ["Lung Opacity", "Fracture"]);
    let ignore = read(Format::Chexpert, &Request { uncertain: Uncertain::Ignore, ..request(&root) });
    assert_eq!(ignore.items.len(), 1);
    let official = read(Format::Chexpert, &Request { source_folds: true, ..request(&root) });
    assert_eq!(official.items.last().unwrap().fold, Some(Fold::Validation));
}

#[test]
fn rsna_long_form_becomes_six_labels() {
    let folder = tempfile::tempdir().unwrap();
    let kinds = ["epidural", "intraparenchymal", "intraventricular", "subarachnoid", "subdural", "any"];
    let mut table = String::from("ID,Label,PatientID\n");
    for (slice, on) in [("ID_12cadc6af", 1), ("ID_38fd7baa0", 6), ("ID_6c5d82413", 4), ("ID_missing", 6)] {
        for (i, kind) in kinds.iter().enumerate() {
            let value = usize::from(i == on || (i == 5 && on < 5));
            table += &format!("{slice}_{kind},{value},ID_p{}\n", slice.len());
        }
        if slice != "ID_missing" {
            picture(&folder.path().join(format!("stage_2_train/{slice}.png")), on);
        }
    }
    table += "ID_aaaaaaaaa_epidural,1,ID_x\nID_aaaaaaaaa_knee,1,ID_x\nnonsense,1,\n";
    fs::write(folder.path().join("stage_2_train.csv"), table).unwrap();
    let plan = read(Format::Rsna, &request(folder.path()));
    assert_eq!(plan.items.len(), 3);
    assert_eq!(
        plan.items.iter().map(|item| item.labels.clone()).collect::<Vec<_>>(),
        [vec![0.0, 1.0, 0.0, 0.0, 0.0, 0.0], vec![0.0, 0.0, 0.0, 0.0, 0.0, 1.0], vec![0.0, 0.0, 0.0, 0.0, 1.0, 0.0],]
    );
    assert!(plan.patients_known && plan.items[0].patient == "ID_p12");
    let reasons: Vec<&str> = plan.skipped.iter().map(|s| s.reason.as_str()).collect();
    for part in ["ID_missing is not in this folder", "lacks rows", "knee", "names no slice"] {
        assert!(reasons.iter().any(|reason| reason.contains(part)), "{part}: {reasons:?}");
    }
}

#[test]
fn folders_name_the_findings() {
    let folder = tempfile::tempdir().unwrap();
    for (i, path) in
        ["Mass/a.png", "Mass/p7/b.png", "normal/c.PNG", "normal/readme.txt", "Support_Devices/d.tif"].iter().enumerate()
    {
        picture(&folder.path().join(path), i);
    }
    let plan = read(Format::Folders, &request(folder.path()));
    assert_eq!(plan.vocabulary.findings, ["Mass", "Support Devices", "No Finding"]);
    let of = |name: &str| plan.items.iter().find(|item| item.source == name).unwrap();
    assert_eq!((of("Mass/p7/b.png").patient.as_str(), of("Mass/a.png").patient.as_str()), ("p7", "a"));
    assert_eq!(of("normal/c.PNG").labels, [0.0, 0.0, 1.0]);
    assert_eq!(plan.items.len(), 4);
    // A PNG that calls itself TIFF is read by its content.
    assert!(plan.items.iter().all(|item| load(&item.pixels, None).is_ok()));
}

/// An array as `numpy.save` writes it (format 1.0).
fn npy(kind: &str, shape: &str, data: &[u8]) -> Vec<u8> {
    let mut header = format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': ({shape}), }}");
    while (10 + header.len() + 1) % 64 != 0 {
        header.push(' ');
    }
    header.push('\n');
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.extend(data);
    bytes
}

fn npz(path: &Path, members: &[(&str, Vec<u8>)]) {
    let mut archive = zip::ZipWriter::new(fs::File::create(path).unwrap());
    for (name, bytes) in members {
        archive.start_file(format!("{name}.npy"), zip::write::SimpleFileOptions::default()).unwrap();
        archive.write_all(bytes).unwrap();
    }
    archive.finish().unwrap();
}

#[test]
fn medmnist_archives_of_every_edition() {
    let folder = tempfile::tempdir().unwrap();
    let images = |n: usize| (0..n * 28 * 28).map(|i| (i / 784 * 10 % 256) as u8).collect::<Vec<u8>>();
    // ChestMNIST: 14 label columns.
    let path = folder.path().join("chestmnist.npz");
    let mut labels = vec![0; 3 * 14];
    labels[1] = 1;
    labels[14 + 13] = 1;
    npz(
        &path,
        &[
            ("train_images", npy("|u1", "3, 28, 28", &images(3))),
            ("train_labels", npy("|u1", "3, 14", &labels)),
            ("val_images", npy("|u1", "1, 28, 28", &images(1))),
            ("val_labels", npy("|u1", "1, 14", &labels[..14])),
            ("test_images", npy("|u1", "1, 28, 28", &images(1))),
            ("test_labels", npy("|u1", "1, 14", &labels[..14])),
        ],
    );
    let plan = read(Format::Medmnist, &request(&path));
    assert_eq!((plan.items.len(), plan.vocabulary.len(), plan.patients_known), (5, 15, false));
    let positives: Vec<Vec<&str>> =
        plan.items[..3].iter().map(|item| plan.vocabulary.positives(&item.labels).collect()).collect();
    assert_eq!(positives, [vec!["Cardiomegaly"], vec!["Hernia"], vec!["No Finding"]]);
    assert_eq!(plan.items[3].fold, Some(Fold::Validation));
    let mut feed = Feed::default();
    for (index, item) in plan.items[..3].iter().enumerate().rev() {
        let raw = feed.take(&path, "train_images", index as u64).unwrap();
        let (image, _) = load(&item.pixels, Some(raw)).unwrap();
        assert_eq!((image.width(), image.range().0), (28, index as f32 * 10.0 / 255.0));
    }
    // A coloured edition with classes as 64-bit numbers, and names that tell the patient.
    let path = folder.path().join("kermany_28.npz");
    let names = format!("{:<40}{:<40}", "IM-0115-0001.jpeg", "person17_virus_48.jpeg");
    npz(
        &path,
        &[
            ("train_images", npy("|u1", "2, 28, 28, 3", &images(6))),
            ("train_labels", npy("<i8", "2, 1", &[0_u64.to_le_bytes(), 2_u64.to_le_bytes()].concat())),
            ("train_names", npy("|u1", "2, 40", names.as_bytes())),
        ],
    );
    let plan = read(Format::Medmnist, &request(&path));
    assert_eq!(plan.vocabulary.findings, ["No Finding", "Bacterial Pneumonia", "Viral Pneumonia"]);
    assert_eq!((plan.items[0].patient.as_str(), plan.items[1].patient.as_str()), ("IM-0115", "person17"));
    assert_eq!((plan.items[1].labels.clone(), plan.patients_known), (vec![0.0, 0.0, 1.0], true));
}

#[test]
fn archives_that_lie_are_refused_before_memory_is_taken() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lie.npz");
    let labels = || ("train_labels", npy("|u1", "1, 1", &[0]));
    let cases: [(&str, Vec<u8>, &str); 9] = [
        ("|u1", npy("|u1", "18446744073709551615, 8192, 8192", &[0; 64]), "images"),
        ("|u1", npy("|u1", "1, 9000, 9000", &[0; 64]), "sides"),
        ("|u1", npy("|u1", "1, 28, 28, 28", &[0; 64]), "volumes"),
        ("<f4", npy("<f4", "1, 8, 8", &[0; 256]), "uint8"),
        ("|O", npy("|O", "1, 8, 8", &[0; 64]), "uint8"),
        ("|u1", npy("|u1", "2, 8, 8", &[0; 128]), "train_labels"),
        ("|u1", b"\x93NUMPY\x01\x00\xff\xff{'descr'".to_vec(), "header"),
        ("|u1", b"\x93NUMPY\x02\x00\xff\xff\xff\xff{'descr'".to_vec(), "header"),
        ("|u1", b"PK not an array".to_vec(), "NumPy"),
    ];
    for (_, images, word) in cases {
        npz(&path, &[("train_images", images), labels()]);
        let error = plan(Format::Medmnist, &request(&path), &Progress::new()).unwrap_err().to_string();
        assert!(error.contains("lie.npz: ") && error.contains(word) && error.contains("; "), "{word}: {error}");
    }
    // A bomb: labels that inflate from kilobytes to more than is accepted are cut off by their stated size.
    npz(
        &path,
        &[
            ("train_images", npy("|u1", "1, 8, 8", &[0; 64])),
            ("train_labels", npy("|u1", "1, 300000000", &vec![0; 1 << 20])),
        ],
    );
    let error = plan(Format::Medmnist, &request(&path), &Progress::new()).unwrap_err().to_string();
    assert!(error.contains("too large"), "{error}");
    // Images that end early are found when they are read.
    npz(&path, &[("train_images", npy("|u1", "1, 8, 8", &[0; 63])), labels()]);
    read(Format::Medmnist, &request(&path));
    assert!(Feed::default().take(&path, "train_images", 0).unwrap_err().to_string().contains("image 0"));
}

#[test]
fn pictures_of_eight_and_sixteen_bits() {
    let folder = tempfile::tempdir().unwrap();
    let save = |name: &str, picture: image::DynamicImage| {
        let path = folder.path().join(name);
        picture.save(&path).unwrap();
        open_radiograph(&path).unwrap()
    };
    let words = image::ImageBuffer::from_fn(4, 3, |x, y| image::Luma([(x * 20_000 + y * 1000) as u16]));
    for name in ["a.png", "a.tif"] {
        let read = save(name, image::DynamicImage::ImageLuma16(words.clone()));
        assert_eq!(read.at(3, 2), Some(62_000.0 / 65535.0), "{name}");
    }
    // PIL: Image.new("RGB", (4, 3), (200, 100, 50)).convert("L").getpixel((0, 0)) == 124
    let colour = image::RgbImage::from_pixel(4, 3, image::Rgb([200, 100, 50]));
    let read = save("b.png", image::DynamicImage::ImageRgb8(colour));
    assert_eq!((read.at(0, 0).unwrap() * 255.0).round(), 124.0);
    let float = image::Rgb32FImage::from_pixel(4, 3, image::Rgb([0.5; 3]));
    image::DynamicImage::ImageRgb32F(float).save(folder.path().join("c.tif")).unwrap();
    assert!(open_radiograph(&folder.path().join("c.tif")).unwrap_err().to_string().contains("floating-point"));
}

#[test]
fn jpeg_sizes_are_read_from_the_frame_header() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.jpg");
    image::GrayImage::from_pixel(37, 21, image::Luma([9])).save(&path).unwrap();
    assert_eq!(jpeg::stated_size(&fs::read(&path).unwrap()), Some((37, 21)));
    // ISO 15444-1 A.5.1: SOC, SIZ, length, capabilities, Xsiz, Ysiz, XOsiz, YOsiz.
    let mut siz = vec![0xFF, 0x4F, 0xFF, 0x51, 0, 41, 0, 0];
    [300_u32, 200, 44, 0].iter().for_each(|v| siz.extend(v.to_be_bytes()));
    assert_eq!(jpeg::stated_size(&siz), Some((256, 200)));
    assert_eq!(jpeg::stated_size(b"nothing"), None);
}

#[test]
fn formats_are_guessed_from_what_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    assert_eq!(detect(root), None);
    picture(&root.join("a/Mass/x.png"), 1);
    assert_eq!(detect(&root.join("a")), Some(Format::Folders));
    for (name, header, format) in [
        ("train.csv", CHEXPERT, Format::Chexpert),
        ("stage_2_train.csv", "ID,Label\n", Format::Rsna),
        (
            "labels.csv",
            "image,split,patient,slice,any_hemorrhage,Intraventricular,Intraparenchymal,Subarachnoid,Epidural,Subdural\n",
            Format::CtIch,
        ),
        ("Data_Entry_2017.csv", "Image Index,Finding Labels,Patient ID\n", Format::Nih),
    ] {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(name), header).unwrap();
        assert_eq!(detect(folder.path()), Some(format));
        assert_eq!(detect(&folder.path().join(name)), Some(format));
    }
    for (set, format) in [
        ("nih-cxr14", Format::Nih),
        ("ct-ich", Format::CtIch),
        ("dicom/rsna_head_ct", Format::Rsna),
        ("dicom/ct", Format::Dicom),
        ("nih-cxr14/nihcxr14_64.npz", Format::Medmnist),
        ("dicom/ct/CT_small.dcm", Format::Dicom),
    ] {
        if let Some(path) = real_data(set) {
            assert_eq!(detect(&path), Some(format), "{set}");
        }
    }
}

#[test]
fn real_slices_of_rsna_are_read_in_hounsfield_units() {
    let Some(root) = real_data("dicom/rsna_head_ct") else { return };
    let plan = read(Format::Rsna, &request(&root));
    // The table has 19 rows; the files of four are not there.
    assert_eq!((plan.items.len(), plan.meaning, plan.skipped.len()), (15, Meaning::Hounsfield, 4));
    // labels.csv, first row: ID_00a8f2691, subarachnoid.
    let first = plan.items.iter().find(|item| item.source == "ID_00a8f2691").unwrap();
    assert_eq!(plan.vocabulary.positives(&first.labels).collect::<Vec<_>>(), ["Subarachnoid"]);
    // pydicom: dcmread("ID_00a8f2691.dcm").PatientID
    assert_eq!(first.patient, "ID_2292709a");
    let tree = plan_of_tree(&root);
    assert_eq!((tree.items.len(), tree.skipped.len(), tree.vocabulary.clone()), (15, 1, Vocabulary::rsna()));
}

fn plan_of_tree(root: &Path) -> Plan {
    read(Format::Dicom, &request(root))
}
