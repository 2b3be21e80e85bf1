//! Working memory that is kept from image to image, and how work on it is cut.

use std::cell::RefCell;

use rayon::prelude::*;

/// Bytes of a cache line: numbers begin on one, so that no vector straddles two.
const LINE: usize = 64;

/// Numbers that begin on a cache line; they grow when they must, and hold what is left over from before.
#[derive(Default)]
pub struct Buffer(Vec<f32>);

impl Buffer {
    /// The first `n` numbers. What they held is lost where more room is taken than ever before.
    pub fn room(&mut self, n: usize) -> &mut [f32] {
        let spare = LINE / size_of::<f32>();
        if self.0.len() < n + spare {
            self.0.resize(n + spare, 0.0);
        }
        // Where a place on the line cannot be told, any will do.
        let first = self.0.as_ptr().align_offset(LINE).min(spare);
        &mut self.0[first..][..n]
    }
}

thread_local! {
    /// Working memory of one thread for one tile.
    static TILES: RefCell<Buffer> = const { RefCell::new(Buffer(Vec::new())) };
}

/// Lends `n` numbers of this thread's working memory, their values left over from before. Not to be nested.
pub fn with_tile(n: usize, work: impl FnOnce(&mut [f32])) {
    TILES.with_borrow_mut(|tile| work(tile.room(n)));
}

/// Calls `f(number, part)` for parts of `size` numbers, on all threads if `parallel`. The last part may be shorter.
pub fn parts(data: &mut [f32], size: usize, parallel: bool, f: impl Fn(usize, &mut [f32]) + Sync) {
    if parallel && data.len() > size {
        data.par_chunks_mut(size).enumerate().for_each(|(i, part)| f(i, part));
    } else {
        data.chunks_mut(size).enumerate().for_each(|(i, part)| f(i, part));
    }
}

/// How many of `rows` rows, each of `pixels` pixels, to take together: `most` pixels at most where one row has no more,
/// parts as equal as can be, and as many of them as there are threads if `parallel`.
pub fn rows_together(rows: usize, pixels: usize, most: usize, parallel: bool) -> usize {
    let threads = if parallel { rayon::current_num_threads() } else { 1 };
    let parts = (rows * pixels).div_ceil(most).max(threads);
    rows.div_ceil(parts).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_cut_evenly() {
        assert_eq!(rows_together(56, 56, 192, false), 4);
        assert_eq!(rows_together(14, 14, 192, false), 7);
        assert_eq!(rows_together(7, 7, 192, false), 7);
        assert_eq!(rows_together(3, 400, 192, false), 1);
        let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap();
        assert_eq!(pool.install(|| rows_together(7, 7, 192, true)), 3);
    }

    #[test]
    fn numbers_begin_on_a_cache_line_and_stay() {
        let mut buffer = Buffer::default();
        for n in [3, 1000, 40] {
            let room = buffer.room(n);
            assert_eq!((room.len(), room.as_ptr() as usize % LINE), (n, 0));
            room[2] = n as f32;
        }
        assert_eq!(buffer.room(1000)[2], 40.0);
    }
}
