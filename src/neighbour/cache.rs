//! The features of a train fold on disk, mapped into memory as they are.
//!
//! | bytes | content |
//! |---|---|
//! | 8 | `NGTFEAT2` |
//! | 4 | the number 0x01020304 as this machine writes it: another byte order is another cache |
//! | 4 | length of a feature vector before padding |
//! | 8, 8 | films in the train fold, held-out films |
//! | 64 | key: hash over everything the numbers depend on |
//! | 32 | zero |
//! | rest | normalised padded rows, then the held-out distances, ascending; `f32` |

use std::fs::File;
use std::io::Write;
use std::path::Path;

use memmap2::Mmap;

use super::search;
use crate::store;

const MAGIC: [u8; 8] = *b"NGTFEAT2";
const ORDER: u32 = 0x0102_0304;
const HEADER: usize = 128;

/// What a cache must be of to be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shape {
    /// 64 hex digits.
    pub key: String,
    /// Length of a feature vector.
    pub dim: usize,
    /// Films in the train fold.
    pub train: usize,
    /// Held-out films.
    pub held_out: usize,
}

impl Shape {
    fn header(&self) -> [u8; HEADER] {
        let mut header = [0; HEADER];
        let parts: [&[u8]; 6] = [
            &MAGIC,
            &ORDER.to_ne_bytes(),
            &(self.dim as u32).to_ne_bytes(),
            &(self.train as u64).to_ne_bytes(),
            &(self.held_out as u64).to_ne_bytes(),
            self.key.as_bytes(),
        ];
        for (to, from) in header.iter_mut().zip(parts.into_iter().flatten()) {
            *to = *from;
        }
        header
    }

    /// Numbers in all rows.
    fn numbers(&self) -> usize {
        self.train * search::stride(self.dim)
    }
}

/// Rows and held-out distances: mapped from the cache, or in memory where the cache could not be written.
#[derive(Debug)]
pub enum Rows {
    /// The mapped file and the number of values before the distances.
    Mapped(Mmap, usize),
    /// Rows and distances.
    Owned(Vec<f32>, Vec<f32>),
}

impl Rows {
    /// The normalised rows of the train fold.
    pub fn train(&self) -> &[f32] {
        match self {
            Self::Mapped(map, numbers) => &bytemuck::cast_slice(&map[HEADER..])[..*numbers],
            Self::Owned(rows, _) => rows,
        }
    }

    /// Gives the memory back that reading all rows has taken; what is needed is read from the file again.
    pub fn forget(&self) {
        #[cfg(unix)]
        if let Self::Mapped(map, _) = self {
            // SAFETY: the map is of a file and shared, so that pages which are given back come again with the file's
            // bytes; nothing was written to them. What the system answers does not matter: it is advice.
            let _ = unsafe { map.unchecked_advise(memmap2::UncheckedAdvice::DontNeed) };
        }
    }

    /// The held-out distances, ascending.
    pub fn held_out(&self) -> &[f32] {
        match self {
            Self::Mapped(map, numbers) => &bytemuck::cast_slice(&map[HEADER..])[*numbers..],
            Self::Owned(_, distances) => distances,
        }
    }
}

/// Maps the cache if it is there, whole, and of this shape. Anything else is no error: it is built anew.
pub fn open(path: &Path, shape: &Shape) -> Option<Rows> {
    let file = File::open(path).ok()?;
    let bytes = HEADER + 4 * (shape.numbers() + shape.held_out);
    if !file.metadata().is_ok_and(|entry| entry.is_file() && entry.len() == bytes as u64) {
        return None;
    }
    // SAFETY: caches are only ever replaced by renaming a finished file over them, never changed or cut in place, so the
    // mapped file keeps its bytes and its length for as long as it is mapped.
    let map = unsafe { Mmap::map(&file) }.ok()?;
    if map.get(..HEADER) != Some(&shape.header()) {
        return None;
    }
    let rows = Rows::Mapped(map, shape.numbers());
    let sound = rows.held_out().windows(2).all(|pair| pair[0] <= pair[1]);
    (sound && rows.held_out().iter().all(|d| d.is_finite())).then_some(rows)
}

/// Writes the cache and maps it; where that fails the numbers stay in memory.
pub fn save(path: &Path, shape: &Shape, rows: Vec<f32>, held_out: Vec<f32>) -> Rows {
    let written = store::write_atomic_with(path, |out: &mut dyn Write| {
        out.write_all(&shape.header())?;
        out.write_all(bytemuck::cast_slice(&rows))?;
        out.write_all(bytemuck::cast_slice(&held_out))
    });
    if let Err(error) = &written {
        tracing::warn!("{error}; the features stay in memory and are computed again at the next start");
        return Rows::Owned(rows, held_out);
    }
    open(path, shape).unwrap_or(Rows::Owned(rows, held_out))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape() -> Shape {
        Shape { key: "a".repeat(64), dim: 3, train: 2, held_out: 3 }
    }

    fn rows() -> Vec<f32> {
        (0u8..32).map(f32::from).collect()
    }

    #[test]
    fn a_saved_cache_is_mapped_and_a_changed_key_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("features");
        assert!(open(&path, &shape()).is_none());
        let saved = save(&path, &shape(), rows(), vec![0.1, 0.2, 0.2]);
        assert!(matches!(saved, Rows::Mapped(..)));
        assert_eq!((saved.train(), saved.held_out()), (&rows()[..], &[0.1, 0.2, 0.2][..]));
        saved.forget();
        assert_eq!((saved.train(), saved.held_out()), (&rows()[..], &[0.1, 0.2, 0.2][..]));
        assert!(open(&path, &shape()).is_some());
        assert!(open(&path, &Shape { key: "b".repeat(64), ..shape() }).is_none());
        assert!(open(&path, &Shape { dim: 4, ..shape() }).is_none());
        assert!(open(&path, &Shape { train: 3, ..shape() }).is_none());
        assert!(open(folder.path(), &shape()).is_none());
    }

    #[test]
    fn truncated_and_damaged_caches_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("features");
        save(&path, &shape(), rows(), vec![0.1, 0.2, 0.3]);
        let good = std::fs::read(&path).unwrap();
        let mut unsorted = good.clone();
        let end = good.len();
        unsorted[end - 4..].copy_from_slice(&0.0f32.to_ne_bytes());
        let mut infinite = good.clone();
        infinite[end - 4..].copy_from_slice(&f32::INFINITY.to_ne_bytes());
        let mut foreign = good.clone();
        foreign[0] = b'X';
        for twin in [&good[..end - 1], &good[..40], &[], &[&good[..], b"x"].concat(), &unsorted, &infinite, &foreign] {
            std::fs::write(&path, twin).unwrap();
            assert!(open(&path, &shape()).is_none());
        }
    }

    #[test]
    fn where_nothing_can_be_written_the_numbers_stay_in_memory() {
        let folder = tempfile::tempdir().unwrap();
        let kept = save(&folder.path().join("missing").join("features"), &shape(), rows(), vec![0.1, 0.2, 0.3]);
        assert!(matches!(kept, Rows::Owned(..)));
        assert_eq!((kept.train().len(), kept.held_out()), (32, &[0.1, 0.2, 0.3][..]));
    }
}
