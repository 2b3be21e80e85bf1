//! Bytes on disk: written once, never half, and named by their hash.
//!
//! In: bytes or a closure that writes them. Out: a file that is either complete or not there at all.

use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

/// A durable write or a hash that failed; the message names the file.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file could not be written; nothing half-written remains.
    #[error("cannot write {path}: {source} (check free space and permissions of that folder)")]
    Write {
        /// The file that was to be written.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file could not be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// The file that was to be read.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Asked before every durable operation of this program, so that tests can let the disk refuse at each of them.
///
/// # Errors
/// Only in tests.
#[cfg_attr(not(test), expect(clippy::unnecessary_wraps, reason = "the disk refuses here in tests only"))]
pub(crate) fn permit() -> io::Result<()> {
    #[cfg(test)]
    faults::ask()?;
    Ok(())
}

/// A disk that is full from a chosen operation of this thread on.
#[cfg(test)]
pub(crate) mod faults {
    use std::cell::Cell;
    use std::io;

    thread_local! {
        static ASKED: Cell<u64> = const { Cell::new(0) };
        static FULL_FROM: Cell<u64> = const { Cell::new(u64::MAX) };
    }

    /// Lets `work` do `operations` durable operations before the disk is full; gives the number that it asked for.
    pub fn full_after<T>(operations: u64, work: impl FnOnce() -> T) -> (T, u64) {
        ASKED.set(0);
        FULL_FROM.set(operations);
        let done = work();
        FULL_FROM.set(u64::MAX);
        (done, ASKED.get())
    }

    pub(super) fn ask() -> io::Result<()> {
        ASKED.set(ASKED.get() + 1);
        if ASKED.get() > FULL_FROM.get() { Err(io::Error::from(io::ErrorKind::StorageFull)) } else { Ok(()) }
    }
}

/// Makes a folder and all above it.
///
/// # Errors
/// [`StoreError::Write`] when the disk refuses.
pub fn make_folder(path: &Path) -> Result<(), StoreError> {
    let failed = |source| StoreError::Write { path: path.to_path_buf(), source };
    permit().and_then(|()| fs::create_dir_all(path)).map_err(failed)
}

/// [`write_atomic`], and then reads the file back and compares it.
///
/// # Errors
/// [`StoreError::Write`] when the disk refuses or gives back other bytes.
pub fn write_verified(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    write_atomic(path, bytes)?;
    let failed = |source| StoreError::Write { path: path.to_path_buf(), source };
    let mut file = File::open(path).map_err(failed)?;
    let mut buffer = vec![0; 1 << 20];
    let mut left = bytes;
    loop {
        let n = file.read(&mut buffer).map_err(failed)?;
        let Some(expected) = left.get(..n).filter(|expected| *expected == &buffer[..n]) else {
            return Err(failed(io::Error::other("the disk gave back other bytes than were written")));
        };
        left = &left[expected.len()..];
        if n == 0 {
            let short = || failed(io::Error::other("the disk gave back fewer bytes than were written"));
            return if left.is_empty() { Ok(()) } else { Err(short()) };
        }
    }
}

/// Writes `bytes` to `path`, durably and atomically.
///
/// # Errors
/// [`StoreError::Write`] when the disk refuses; the old file, if any, is then untouched.
pub fn write_atomic(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    write_atomic_with(path, |out| out.write_all(bytes))
}

/// Lets `write` fill a temporary file beside `path`, flushes it to disk, renames it into place and flushes the folder.
///
/// # Errors
/// [`StoreError::Write`] when `write` or the disk fails; the temporary file is removed and `path` is untouched.
pub fn write_atomic_with(path: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), StoreError> {
    let failed = |source| StoreError::Write { path: path.to_path_buf(), source };
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let name = path.file_name().ok_or_else(|| failed(io::Error::from(io::ErrorKind::InvalidInput)))?;
    let temporary = folder.join(format!(".{}.{}.part", name.to_string_lossy(), std::process::id()));
    let attempt = || -> io::Result<()> {
        permit()?;
        let mut out = BufWriter::new(File::create(&temporary)?);
        permit()?;
        write(&mut out)?;
        let out = out.into_inner().map_err(io::IntoInnerError::into_error)?;
        permit()?;
        out.sync_all()?;
        permit()?;
        fs::rename(&temporary, path)?;
        permit()?;
        sync_folder(folder)
    };
    attempt().map_err(|source| {
        // The temporary file may never have come to be; there is nothing more to tell about it.
        let _ = fs::remove_file(&temporary);
        failed(source)
    })
}

/// Flushes a folder's entries, so that a rename in it survives a power cut. A no-op where folders cannot be opened.
///
/// # Errors
/// What the system said.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

/// SHA-256 of `bytes` as 64 hex digits.
pub fn hash_bytes(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// SHA-256 of a file's content as 64 hex digits.
///
/// # Errors
/// [`StoreError::Read`] when the file cannot be read.
pub fn hash_file(path: &Path) -> Result<String, StoreError> {
    let failed = |source| StoreError::Read { path: path.to_path_buf(), source };
    let mut file = File::open(path).map_err(failed)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        match file.read(&mut buffer).map_err(failed)? {
            0 => return Ok(hex(&hasher.finalize())),
            n => hasher.update(&buffer[..n]),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_write_leaves_the_old_file_and_no_litter() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt");
        write_atomic(&path, b"old").unwrap();
        let error = write_atomic_with(&path, |out| {
            out.write_all(b"half")?;
            Err(io::Error::other("disk full"))
        })
        .unwrap_err();
        assert!(error.to_string().contains("a.txt"), "{error}");
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_disk_that_is_full_at_any_moment_leaves_the_old_file_or_the_new_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt");
        write_atomic(&path, b"old").unwrap();
        let ((), operations) = faults::full_after(u64::MAX, || write_atomic(&path, b"old").unwrap());
        for n in 0..operations {
            let (result, _) = faults::full_after(n, || write_verified(&path, b"new and longer"));
            assert!(result.unwrap_err().to_string().contains("a.txt"));
            let now = fs::read(&path).unwrap();
            assert!(now == b"old" || (now == b"new and longer" && n + 1 == operations), "{n} of {operations}");
            assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        }
        write_verified(&path, b"new and longer").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new and longer");
    }

    #[test]
    fn hashes_are_those_of_the_standard() {
        // FIPS 180-2, appendix B.1: SHA-256 of "abc".
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(hash_bytes(b"abc"), expected);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("abc");
        write_atomic(&path, b"abc").unwrap();
        assert_eq!(hash_file(&path).unwrap(), expected);
    }
}
