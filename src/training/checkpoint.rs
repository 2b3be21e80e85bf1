//! Checkpoints: everything that a resumed run needs, in one safetensors file that is verified on reading.
//!
//! Random streams need no state of their own: each draw is a function of the seed and the position.

use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use candle_core::Device;
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};
use sha2::{Digest, Sha256};

use super::spec::RunSpec;
use super::state::{Course, Position, State};
use super::{TrainingError, enlarge};
use crate::compute::adam::Adam;
use crate::compute::parameters::Named;
use crate::store;

/// Largest checkpoint that is read: ten times the published networks' at 512 px.
const MOST_BYTES: u64 = 16 << 30;

/// Longest head that is read; those of the largest networks have a few hundred kilobytes.
const MOST_HEAD: u64 = 16 << 20;

/// Names of the parts in the file.
const PARTS: [&str; 5] = ["generator", "critic", "average", "generator_adam", "critic_adam"];

/// The file's header: one entry, so that equal states make equal bytes.
#[derive(serde::Serialize, serde::Deserialize)]
struct Header {
    position: Position,
    #[serde(default)]
    course: Course,
    /// Steps taken since Adam's last reset, and steps skipped.
    generator_adam: [u64; 2],
    critic_adam: [u64; 2],
    sha256: String,
}

/// Key of the header in the file's metadata.
const HEADER: &str = "checkpoint";

/// Writes the whole state, durably and atomically, and reads it back to see that it is there.
///
/// # Errors
/// When the disk refuses.
pub fn write(path: &Path, state: &State) -> Result<(), TrainingError> {
    let parts: [Named; 5] = [
        state.generator.to_vecs()?,
        state.critic.to_vecs()?,
        state.average.to_vecs()?,
        state.generator_adam.to_vecs()?,
        state.critic_adam.to_vecs()?,
    ];
    let mut named = Named::new();
    for (part, tensors) in PARTS.iter().zip(parts) {
        named.extend(tensors.into_iter().map(|(name, tensor)| (format!("{part}/{name}"), tensor)));
    }
    let counts = |adam: &Adam| [adam.steps(), adam.skipped()];
    let header = Header {
        position: state.position,
        course: state.course,
        generator_adam: counts(&state.generator_adam),
        critic_adam: counts(&state.critic_adam),
        sha256: digest(&named),
    };
    let header = serde_json::to_string(&header).map_err(|e| candle_core::Error::Msg(e.to_string()))?;
    let failed = |e: safetensors::SafeTensorError| candle_core::Error::Msg(e.to_string());
    let mut views = Vec::with_capacity(named.len());
    for (name, (shape, values)) in &named {
        let view = TensorView::new(Dtype::F32, shape.clone(), bytemuck::cast_slice(values)).map_err(failed)?;
        views.push((name.as_str(), view));
    }
    let metadata = HashMap::from([(HEADER.to_owned(), header)]);
    let bytes = safetensors::serialize(views, Some(metadata)).map_err(failed)?;
    Ok(store::write_verified(path, &bytes)?)
}

/// Reads a state back; the file must belong to networks of this shape.
///
/// # Errors
/// A sentence that says what is wrong with the file.
pub fn read(path: &Path, spec: &RunSpec, labels: usize, device: &Device) -> Result<State, TrainingError> {
    let (mut parts, header) = parse(path)?;
    let mut state = State::new(spec, labels, device)?;
    let fit = |e: candle_core::Error| wrong(path, format!("does not fit run.toml: {e}"));
    let mut part = |name: &str| parts.remove(name).unwrap_or_default();
    (state.position, state.course) = (header.position, header.course);
    state.generator.load(&part(PARTS[0])).map_err(fit)?;
    state.critic.load(&part(PARTS[1])).map_err(fit)?;
    state.average.load(&part(PARTS[2])).map_err(fit)?;
    let [steps, skipped] = header.generator_adam;
    state.generator_adam.load(&part(PARTS[3]), steps, skipped).map_err(fit)?;
    let [steps, skipped] = header.critic_adam;
    state.critic_adam.load(&part(PARTS[4]), steps, skipped).map_err(fit)?;
    Ok(state)
}

/// Where a run stood when the checkpoint was written, from the head of its file alone: no tensor is read or verified.
///
/// # Errors
/// A sentence that says what is wrong with the file.
pub fn head(path: &Path) -> Result<(Position, Course), TrainingError> {
    let file = File::open(path).map_err(|e| wrong(path, format!("cannot be read: {e}")))?;
    let header = header(file).map_err(|what| damaged(path, &what))?;
    Ok((header.position, header.course))
}

/// The header in the head of a file, which is eight bytes of length and as many of JSON as they say.
fn header(mut file: impl Read) -> Result<Header, String> {
    #[derive(serde::Deserialize)]
    struct Head {
        #[serde(rename = "__metadata__")]
        entries: HashMap<String, String>,
    }
    let mut length = [0; 8];
    file.read_exact(&mut length).map_err(|e| format!("it has no head: {e}"))?;
    let length = u64::from_le_bytes(length);
    if length > MOST_HEAD {
        return Err("its head is longer than any checkpoint's".to_owned());
    }
    let mut bytes = Vec::new();
    file.take(length).read_to_end(&mut bytes).map_err(|e| format!("its head cannot be read: {e}"))?;
    if (bytes.len() as u64) < length {
        return Err("its head is cut short".to_owned());
    }
    let head: Head = serde_json::from_slice(&bytes).map_err(|e| format!("its head is not a checkpoint's: {e}"))?;
    let header = head.entries.get(HEADER).ok_or("it has no checkpoint header")?;
    serde_json::from_str(header).map_err(|e| e.to_string())
}

fn wrong(path: &Path, problem: String) -> TrainingError {
    TrainingError::Folder { path: path.to_path_buf(), problem }
}

fn damaged(path: &Path, what: &str) -> TrainingError {
    wrong(path, format!("is damaged ({what}); use the checkpoint before it"))
}

/// Takes weights from another run's checkpoint where name and shape agree: its average for both generator and average.
/// Gives the number of tensors taken and the number left as they were.
///
/// A cpD-GAN that is larger than the checkpoint's begins with the image and the verdict of that one ([`enlarge`]).
///
/// # Errors
/// A sentence that says what is wrong with the file.
pub fn start_from(path: &Path, state: &mut State) -> Result<(usize, usize), TrainingError> {
    let (mut parts, _) = parse(path)?;
    let (average, critic) = (parts.remove("average").unwrap_or_default(), parts.remove("critic").unwrap_or_default());
    let (mut taken, mut left) = (0, 0);
    let mut merged = |own: Named, from: &Named| -> Named {
        let choose = |(name, tensor): (String, (Vec<usize>, Vec<f32>))| match from.get(&name) {
            Some(other) if other.0 == tensor.0 => {
                taken += 1;
                (name, other.clone())
            }
            _ => {
                left += 1;
                (name, tensor)
            }
        };
        own.into_iter().map(choose).collect()
    };
    let mut generator = merged(state.generator.to_vecs()?, &average);
    enlarge::generator(&mut generator, &average, &state.architecture);
    let mut judge = merged(state.critic.to_vecs()?, &critic);
    enlarge::critic(&mut judge, &critic, &state.architecture);
    state.generator.load(&generator)?;
    state.average.load(&generator)?;
    state.critic.load(&judge)?;
    Ok((taken, left))
}

/// The file's tensors by part, and its header.
fn parse(path: &Path) -> Result<(HashMap<String, Named>, Header), TrainingError> {
    let unreadable = |e: std::io::Error| wrong(path, format!("cannot be read: {e}"));
    if std::fs::metadata(path).map_err(unreadable)?.len() > MOST_BYTES {
        return Err(wrong(path, "is larger than any checkpoint".to_owned()));
    }
    let bytes = std::fs::read(path).map_err(unreadable)?;
    let damaged = |what: &str| damaged(path, what);
    let header = header(&bytes[..]).map_err(|what| damaged(&what))?;
    let file = SafeTensors::deserialize(&bytes).map_err(|e| damaged(&e.to_string()))?;
    let mut named = Named::new();
    for (name, view) in file.tensors() {
        if view.dtype() != Dtype::F32 {
            return Err(damaged("a tensor is not of 32-bit floats"));
        }
        let values = view.data().chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
        named.insert(name, (view.shape().to_vec(), values));
    }
    if header.sha256 != digest(&named) {
        return Err(damaged("its numbers do not have the hash in its header"));
    }
    let mut parts: HashMap<String, Named> = HashMap::new();
    for (name, tensor) in named {
        if let Some((part, name)) = name.split_once('/') {
            parts.entry(part.to_owned()).or_default().insert(name.to_owned(), tensor);
        }
    }
    Ok((parts, header))
}

/// Hash over every name, shape and number.
fn digest(tensors: &Named) -> String {
    let mut hasher = Sha256::new();
    for (name, (shape, values)) in tensors {
        hasher.update(name);
        hasher.update(format!("{shape:?}"));
        hasher.update(bytemuck::cast_slice::<f32, u8>(values));
    }
    hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compute::ops;
    use crate::generator::Family;
    use crate::generator::network::{Growth, generate};
    use crate::training::presets::preset;

    #[test]
    fn a_larger_network_begins_with_the_image_of_the_smaller_one_it_starts_from() {
        crate::compute::init();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("1.safetensors");
        let state = |side| {
            let mut spec = preset("small-32", Family::CpdGan).unwrap();
            (spec.network.resolution, spec.network.latent) = (side, 4);
            (spec.network.feature_base, spec.network.feature_max) = (64, 4);
            State::new(&spec, 2, &Device::Cpu).unwrap()
        };
        let (small, mut large) = (state(8), state(16));
        write(&path, &small).unwrap();
        let (taken, left) = start_from(&path, &mut large).unwrap();
        assert!(taken > left && left > 0, "{taken} taken, {left} left");
        let input = |n| candle_core::Tensor::ones((2, n), candle_core::DType::F32, &Device::Cpu).unwrap();
        let image = |state: &State| {
            let (shape, growth) = (&state.architecture, Growth::full(&state.architecture));
            generate(&state.generator, shape, &input(4), &input(2), growth).unwrap()
        };
        let apart = (image(&large) - ops::up2(&image(&small)).unwrap()).unwrap();
        assert!(apart.abs().unwrap().max_all().unwrap().to_scalar::<f32>().unwrap() < 1e-5);
        assert_eq!(large.average.to_vecs().unwrap(), large.generator.to_vecs().unwrap());
    }

    #[test]
    fn the_head_tells_where_the_run_stood_without_the_tensors_and_nothing_of_another_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("1.safetensors");
        assert!(head(&path).unwrap_err().to_string().contains("cannot be read"));
        let spec = preset("small-32", Family::CpdGan).unwrap();
        let mut state = State::new(&spec, 2, &Device::Cpu).unwrap();
        (state.position.step, state.position.shown) = (1250, 20_000);
        state.course.best = Some(1.25_f64.to_bits());
        write(&path, &state).unwrap();
        assert_eq!(head(&path).unwrap(), (state.position, state.course));
        let whole = std::fs::read(&path).unwrap();
        let length = u64::from_le_bytes(whole[..8].try_into().unwrap());
        let end = 8 + length as usize;
        std::fs::write(&path, &whole[..end]).unwrap();
        assert_eq!(head(&path).unwrap(), (state.position, state.course));
        let refused = read(&path, &spec, 2, &Device::Cpu).err().unwrap().to_string();
        assert!(refused.contains("is damaged"), "{refused}");

        let long = [&(MOST_HEAD + 1).to_le_bytes(), &whole[8..end]].concat();
        let headed = |text: &str| [&(text.len() as u64).to_le_bytes(), text.as_bytes()].concat();
        let (foreign, torn) = (headed(r#"{"__metadata__":{"format":"pt"}}"#), headed(r#"{"__metadata__":{"#));
        for (bytes, word) in [
            (&whole[..5], "it has no head"),
            (&whole[..end - 1], "cut short"),
            (&long, "longer than any checkpoint's"),
            (&foreign, "no checkpoint header"),
            (&torn, "is not a checkpoint's"),
        ] {
            std::fs::write(&path, bytes).unwrap();
            let problem = head(&path).unwrap_err().to_string();
            assert!(problem.contains("is damaged") && problem.contains(word), "{problem}");
        }
    }
}
