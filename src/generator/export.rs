//! Samples as files that carry their recipe: PNG and DICOM out, recipes back in.
//!
//! Every file says SYNTHETIC, names its generator by hash, and says what it must not be used for.

use std::path::Path;

use dicom_core::value::PrimitiveValue;
use dicom_core::{DataElement, VR};
use dicom_dictionary_std::{tags, uids};
use dicom_object::mem::InMemElement;
use dicom_object::{FileMetaTableBuilder, InMemDicomObject};

use super::recipe::PNG_KEYWORD;
use super::{Generator, Recipe};
use crate::radiograph::{
    Meaning, PngText, Radiograph, RadiographError, Window, decode_png, encode_png16, encode_window8,
};
use crate::store;

/// What every exported file says of its purpose.
pub const PURPOSE: &str = "SYNTHETIC. For research and teaching, not for diagnosis.";

/// Largest file that is searched for a recipe.
const MAX_BYTES: u64 = 256 << 20;

/// Why a sample could not be put into a file, or a file holds no recipe.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The pixels could not be encoded.
    #[error(transparent)]
    Image(#[from] RadiographError),
    /// The DICOM object could not be made.
    #[error("the DICOM file could not be composed: {0}")]
    Dicom(String),
    /// The file could not be read.
    #[error("cannot read {path}: {reason}")]
    Read {
        /// The file.
        path: String,
        /// Why, in a few words.
        reason: String,
    },
    /// The file was read, but no recipe is in it.
    #[error("{path} carries no recipe: {reason}; only samples exported by this program do")]
    NoRecipe {
        /// The file.
        path: String,
        /// What was found instead.
        reason: String,
    },
}

/// The text that travels in a PNG of these samples: one recipe line each, the generator and the purpose.
pub fn text(recipes: &[Recipe], generator: &Generator) -> Vec<PngText> {
    let lines: Vec<String> = recipes.iter().map(Recipe::to_string).collect();
    vec![
        (PNG_KEYWORD.to_owned(), lines.join("\n")),
        ("Comment".to_owned(), PURPOSE.to_owned()),
        ("Source".to_owned(), format!("generator {}, SHA-256 {}", generator.card().name, generator.hash())),
        ("Software".to_owned(), software()),
    ]
}

fn software() -> String {
    format!("Negatoscope {}", crate::VERSION)
}

/// A 16-bit PNG over the model's whole range of values, with the recipe inside.
///
/// # Errors
/// [`ExportError::Image`] when the pixels cannot be encoded.
pub fn png(sample: &Radiograph, recipe: &Recipe, generator: &Generator) -> Result<Vec<u8>, ExportError> {
    let [low, high] = generator.card().range;
    let mut text = text(std::slice::from_ref(recipe), generator);
    let unit = match sample.meaning() {
        Meaning::Density => "density",
        Meaning::Hounsfield => "HU",
    };
    text.push(("Values".to_owned(), format!("0 is {low} {unit}, 65535 is {high} {unit}")));
    Ok(encode_png16(sample, low, high, &text)?)
}

/// An 8-bit PNG of what is seen through `window`, with the recipe inside.
///
/// # Errors
/// [`ExportError::Image`] when the pixels cannot be encoded.
pub fn png_as_seen(
    sample: &Radiograph,
    window: Window,
    recipe: &Recipe,
    generator: &Generator,
) -> Result<Vec<u8>, ExportError> {
    Ok(encode_window8(sample, window, &text(std::slice::from_ref(recipe), generator))?)
}

/// A DICOM secondary capture of 16 bits with standard attributes only; the recipe is in Image Comments (0020,4000).
///
/// The same recipe gives the same bytes: identifiers are derived from it and no date is written.
///
/// # Errors
/// [`ExportError::Dicom`] when the object cannot be encoded.
pub fn dicom(sample: &Radiograph, recipe: &Recipe, generator: &Generator) -> Result<Vec<u8>, ExportError> {
    let card = generator.card();
    let [low, high] = card.range;
    let slope = f64::from(high - low) / f64::from(u16::MAX);
    let stored: Vec<u16> = sample
        .pixels()
        .iter()
        .map(|&v| ((f64::from(v) - f64::from(low)) / slope).round().clamp(0.0, f64::from(u16::MAX)) as u16)
        .collect();
    let window = match sample.meaning() {
        Meaning::Density => Window::spanning(low, high),
        Meaning::Hounsfield => Window::initial(Meaning::Hounsfield),
    };
    let line = recipe.to_string();
    let instance = uid(&format!("instance {line}"));
    let findings: Vec<String> = recipe.findings.iter().map(|(name, strength)| format!("{name} {strength}")).collect();
    let description = match findings.as_slice() {
        [] => "SYNTHETIC".to_owned(),
        all => format!("SYNTHETIC: {}", all.join(", ")),
    };
    let (rows, columns) = (sample.height() as u16, sample.width() as u16);
    let text = |tag, vr, value: &str| DataElement::new(tag, vr, PrimitiveValue::from(value));
    let number = |tag, value: u16| DataElement::new(tag, VR::US, PrimitiveValue::from(value));
    let decimal = |tag, value: f64| DataElement::new(tag, VR::DS, PrimitiveValue::from(ds(value)));
    let elements: Vec<InMemElement> = vec![
        text(tags::SPECIFIC_CHARACTER_SET, VR::CS, "ISO_IR 192"),
        text(tags::IMAGE_TYPE, VR::CS, "DERIVED\\SECONDARY\\SYNTHETIC"),
        text(tags::SOP_CLASS_UID, VR::UI, uids::SECONDARY_CAPTURE_IMAGE_STORAGE),
        text(tags::SOP_INSTANCE_UID, VR::UI, &instance),
        text(tags::STUDY_DATE, VR::DA, ""),
        text(tags::STUDY_TIME, VR::TM, ""),
        text(tags::ACCESSION_NUMBER, VR::SH, ""),
        text(tags::MODALITY, VR::CS, "OT"),
        text(tags::CONVERSION_TYPE, VR::CS, "SYN"),
        text(tags::MANUFACTURER, VR::LO, "Negatoscope"),
        text(tags::REFERRING_PHYSICIAN_NAME, VR::PN, ""),
        text(tags::SERIES_DESCRIPTION, VR::LO, &shortened(&description, 64)),
        text(tags::MANUFACTURER_MODEL_NAME, VR::LO, &shortened(&card.name, 64)),
        text(tags::DERIVATION_DESCRIPTION, VR::ST, &format!("{PURPOSE} Generator SHA-256 {}", generator.hash())),
        text(tags::PATIENT_NAME, VR::PN, "SYNTHETIC^SAMPLE"),
        text(tags::PATIENT_ID, VR::LO, "SYNTHETIC"),
        text(tags::PATIENT_BIRTH_DATE, VR::DA, ""),
        text(tags::PATIENT_SEX, VR::CS, ""),
        text(tags::PATIENT_IDENTITY_REMOVED, VR::CS, "YES"),
        text(tags::DEIDENTIFICATION_METHOD, VR::LO, "Never a patient: computed by a generator"),
        text(tags::SOFTWARE_VERSIONS, VR::LO, &software()),
        text(tags::STUDY_INSTANCE_UID, VR::UI, &uid(&format!("study {}", generator.hash()))),
        text(tags::SERIES_INSTANCE_UID, VR::UI, &uid(&format!("series {} {description}", generator.hash()))),
        text(tags::STUDY_ID, VR::SH, ""),
        text(tags::SERIES_NUMBER, VR::IS, "1"),
        text(tags::INSTANCE_NUMBER, VR::IS, "1"),
        text(tags::PATIENT_ORIENTATION, VR::CS, ""),
        text(tags::IMAGE_COMMENTS, VR::LT, &line),
        number(tags::SAMPLES_PER_PIXEL, 1),
        text(tags::PHOTOMETRIC_INTERPRETATION, VR::CS, "MONOCHROME2"),
        number(tags::ROWS, rows),
        number(tags::COLUMNS, columns),
        number(tags::BITS_ALLOCATED, 16),
        number(tags::BITS_STORED, 16),
        number(tags::HIGH_BIT, 15),
        number(tags::PIXEL_REPRESENTATION, 0),
        text(tags::BURNED_IN_ANNOTATION, VR::CS, "NO"),
        decimal(tags::WINDOW_CENTER, f64::from(window.center)),
        decimal(tags::WINDOW_WIDTH, f64::from(window.width)),
        decimal(tags::RESCALE_INTERCEPT, f64::from(low)),
        decimal(tags::RESCALE_SLOPE, slope),
        text(tags::RESCALE_TYPE, VR::LO, if sample.meaning() == Meaning::Hounsfield { "HU" } else { "US" }),
        DataElement::new(tags::PIXEL_DATA, VR::OW, PrimitiveValue::U16(stored.into())),
    ];
    let failed = |error: &dyn std::fmt::Display| ExportError::Dicom(error.to_string());
    let meta = FileMetaTableBuilder::new()
        .media_storage_sop_class_uid(uids::SECONDARY_CAPTURE_IMAGE_STORAGE)
        .media_storage_sop_instance_uid(instance)
        .transfer_syntax(uids::EXPLICIT_VR_LITTLE_ENDIAN);
    let object = InMemDicomObject::from_element_iter(elements).with_meta(meta).map_err(|e| failed(&e))?;
    let mut bytes = Vec::new();
    object.write_all(&mut bytes).map_err(|e| failed(&e))?;
    Ok(bytes)
}

/// A decimal string of at most 16 characters, as DICOM demands.
fn ds(value: f64) -> String {
    let exact = value.to_string();
    if exact.len() <= 16 { exact } else { format!("{value:.9e}") }
}

/// A unique identifier under the UUID root 2.25, derived from the hash of `text`.
fn uid(text: &str) -> String {
    let hex = &store::hash_bytes(text.as_bytes())[..32];
    // 32 hex digits always fit into 128 bits.
    let mut value = u128::from_str_radix(hex, 16).unwrap_or_default();
    // Version 8 and variant 1 of RFC 9562: an identifier from a name by a hash of one's own.
    value = (value & !(0xf << 76)) | (8 << 76);
    value = (value & !(0x3 << 62)) | (2 << 62);
    format!("2.25.{value}")
}

fn shortened(text: &str, most: usize) -> String {
    text.chars().filter(|c| *c != '\\').take(most).collect()
}

/// The recipe that a file carries: an exported PNG or DICOM, or a text file with a recipe line. Of several, the first.
///
/// # Errors
/// [`ExportError::Read`] and [`ExportError::NoRecipe`], with the file's name.
pub fn recipe_in(path: &Path) -> Result<Recipe, ExportError> {
    let name = || path.display().to_string();
    let unread = |reason: String| ExportError::Read { path: name(), reason };
    let none = |reason: String| ExportError::NoRecipe { path: name(), reason };
    let meta = std::fs::metadata(path).map_err(|error| unread(error.to_string()))?;
    if !meta.is_file() {
        return Err(unread("it is not a file".to_owned()));
    }
    if meta.len() > MAX_BYTES {
        return Err(unread(format!("it is larger than {} MiB", MAX_BYTES >> 20)));
    }
    let bytes = std::fs::read(path).map_err(|error| unread(error.to_string()))?;
    let line = if bytes.starts_with(b"\x89PNG") {
        let (_, text) = decode_png(&bytes).map_err(|error| none(error.to_string()))?;
        let found = text.into_iter().find(|(keyword, _)| keyword == PNG_KEYWORD);
        found.ok_or_else(|| none("it is a PNG without one".to_owned()))?.1
    } else if bytes.get(128..132) == Some(b"DICM") {
        let object = dicom_object::from_reader(bytes.as_slice()).map_err(|error| none(error.to_string()))?;
        let comment =
            object.element(tags::IMAGE_COMMENTS).ok().and_then(|element| Some(element.to_str().ok()?.into_owned()));
        comment.ok_or_else(|| none("it is a DICOM file without image comments".to_owned()))?
    } else {
        String::from_utf8(bytes).map_err(|_| none("it is neither PNG nor DICOM nor text".to_owned()))?
    };
    let first = line.lines().map(str::trim).find(|line| line.starts_with("recipe/"));
    let first = first.ok_or_else(|| none("no line in it begins with \"recipe/1\"".to_owned()))?;
    first.parse().map_err(|error: super::recipe::RecipeError| none(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generator::Family;
    use crate::generator::testing;

    fn small() -> (Generator, Recipe, Radiograph) {
        let architecture = testing::architecture(Family::CpdGan, 16, 8, 3, 64, 16);
        let tensors = testing::tensors(&architecture, 1);
        let generator = Generator::from_parts(testing::card(architecture), tensors, "ab".repeat(32));
        let mut recipe = Recipe::new(generator.id(), 7);
        recipe.set_strength("Finding 1", 0.7);
        let sample = generator.render(&recipe).unwrap();
        (generator, recipe, sample)
    }

    #[test]
    fn every_kind_of_file_gives_its_recipe_back() {
        let (generator, recipe, sample) = small();
        let folder = tempfile::tempdir().unwrap();
        let files = [
            ("a.png", png(&sample, &recipe, &generator).unwrap()),
            ("b.png", png_as_seen(&sample, Window::new(0.5, 1.0), &recipe, &generator).unwrap()),
            ("c.dcm", dicom(&sample, &recipe, &generator).unwrap()),
            ("d.txt", format!("# noted\n{recipe}\n").into_bytes()),
        ];
        for (name, bytes) in files {
            let path = folder.path().join(name);
            std::fs::write(&path, bytes).unwrap();
            assert_eq!(recipe_in(&path).unwrap(), recipe, "{name}");
        }
    }

    #[test]
    fn exports_are_the_same_bytes_each_time_and_keep_the_values() {
        let (generator, recipe, sample) = small();
        assert_eq!(png(&sample, &recipe, &generator).unwrap(), png(&sample, &recipe, &generator).unwrap());
        let bytes = dicom(&sample, &recipe, &generator).unwrap();
        assert_eq!(bytes, dicom(&sample, &recipe, &generator).unwrap());
        let object = dicom_object::from_reader(bytes.as_slice()).unwrap();
        let float = |tag| object.element(tag).unwrap().to_float64().unwrap();
        let stored: Vec<u16> = object.element(tags::PIXEL_DATA).unwrap().to_multi_int().unwrap();
        let (slope, intercept) = (float(tags::RESCALE_SLOPE), float(tags::RESCALE_INTERCEPT));
        for (stored, &value) in stored.iter().zip(sample.pixels()) {
            let read = f64::from(*stored) * slope + intercept;
            assert!((read - f64::from(value.clamp(0.0, 1.0))).abs() <= slope, "{read} {value}");
        }
        assert_eq!(object.element(tags::PATIENT_ID).unwrap().to_str().unwrap(), "SYNTHETIC");
    }

    #[test]
    fn identifiers_are_valid_and_decimal_strings_short() {
        let id = uid("x");
        assert!(id.len() <= 64 && id.chars().all(|c| c.is_ascii_digit() || c == '.'), "{id}");
        assert!(ds(1.0 / 65535.0).len() <= 16 && ds(-1000.0) == "-1000");
    }

    #[test]
    fn files_without_a_recipe_say_so_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let (_, _, sample) = small();
        let plain = encode_png16(&sample, 0.0, 1.0, &[]).unwrap();
        let mut dicom = vec![0; 128];
        dicom.extend_from_slice(b"DICMxxxx");
        let twins: [(&str, &[u8]); 6] = [
            ("plain.png", &plain),
            ("cut.png", &plain[..plain.len() / 2]),
            ("bad.dcm", &dicom),
            ("empty.txt", b""),
            ("binary", &[0xff, 0xfe, 0x00]),
            ("wrong.txt", b"recipe/1 generator=a; seed=-1"),
        ];
        for (name, bytes) in twins {
            let path = folder.path().join(name);
            std::fs::write(&path, bytes).unwrap();
            let message = recipe_in(&path).unwrap_err().to_string();
            assert!(message.contains(name), "{message}");
        }
        assert!(recipe_in(folder.path()).is_err());
        assert!(recipe_in(&folder.path().join("missing")).is_err());
    }
}
