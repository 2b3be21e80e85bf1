//! Refuses an invalid shader with its file and line, stamps the version and git revision into the program, and with the
//! feature `cuda` lets the program start where there is no CUDA.

#[cfg(feature = "cuda")]
#[path = "build/cuda_shim.rs"]
mod cuda_shim;

use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    check_shaders(Path::new("shaders"));
    stamp_revision();
    #[cfg(feature = "cuda")]
    cuda_shim::build();
}

/// What the program appends to every shader of the sampler.
const SHARED: &str = "sampler_shape.wgsl";

/// Parses and validates every shader, as the window's own compiler will.
fn check_shaders(folder: &Path) {
    println!("cargo::rerun-if-changed={}", folder.display());
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("cannot list {}: {error}", folder.display()));
    for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
        if path.extension().is_none_or(|extension| extension != "wgsl") {
            continue;
        }
        println!("cargo::rerun-if-changed={}", path.display());
        let read = |path: &Path| {
            std::fs::read_to_string(path).unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()))
        };
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let mut text = read(&path);
        // What the sampler's shaders share comes last, so that their own lines keep their numbers.
        if name.starts_with("sampler_") && name != SHARED {
            text += &read(&folder.join(SHARED));
        }
        if let Err((line, message)) = validate(&text) {
            println!("cargo::error={}:{line}: {message}", path.display());
        }
    }
}

/// The first fault of a shader: its line and what it is.
fn validate(text: &str) -> Result<(), (u32, String)> {
    let module = naga::front::wgsl::parse_str(text).map_err(|error| {
        let line = error.location(text).map_or(0, |location| location.line_number);
        (line, error.message().to_owned())
    })?;
    let mut validator =
        naga::valid::Validator::new(naga::valid::ValidationFlags::all(), naga::valid::Capabilities::empty());
    validator.validate(&module).map(|_| ()).map_err(|error| {
        let line = error.location(text).map_or(0, |location| location.line_number);
        let mut message = error.as_inner().to_string();
        let mut cause = std::error::Error::source(error.as_inner());
        while let Some(inner) = cause {
            message = format!("{message}: {inner}");
            cause = inner.source();
        }
        (line, message)
    })
}

/// Sets `NEGATOSCOPE_VERSION`: the package's version, and the git revision where there is one.
fn stamp_revision() {
    // A new commit changes one of these; outside a repository none of them exists.
    for path in [".git/HEAD", ".git/logs/HEAD"] {
        if Path::new(path).exists() {
            println!("cargo::rerun-if-changed={path}");
        }
    }
    let git = |arguments: &[&str]| {
        let output = Command::new("git").args(arguments).output().ok()?;
        let text = String::from_utf8(output.stdout).ok()?.trim().to_owned();
        (output.status.success() && !text.is_empty()).then_some(text)
    };
    let version = env!("CARGO_PKG_VERSION");
    let revision = git(&["rev-parse", "--short=10", "HEAD"]);
    let stamp = revision.as_ref().map_or_else(|| version.to_owned(), |revision| format!("{version} ({revision})"));
    println!("cargo::rustc-env=NEGATOSCOPE_VERSION={stamp}");
    println!("cargo::rustc-env=NEGATOSCOPE_REVISION={}", revision.unwrap_or_default());
}
