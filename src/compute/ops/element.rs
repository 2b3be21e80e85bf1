//! The two number types the kernels work in: `f32` for work, `f64` so that tests of gradients are sharp.

use candle_core::{CpuStorage, Layout, Result, WithDType, bail};
use rayon::prelude::*;
use std::cell::RefCell;
use std::mem::MaybeUninit;
use std::thread::LocalKey;

/// A floating-point number the kernels work in.
pub(super) trait Element: WithDType + Default {
    /// This thread's reusable working memory.
    fn scratch() -> &'static LocalKey<RefCell<Vec<Self>>>;
    /// 1 / √self.
    fn reciprocal_root(self) -> Self;
    /// The slice itself, if this is `f32`.
    fn single(numbers: &[Self]) -> Option<&[f32]>;
    /// The slice itself, if this is `f32`.
    fn single_mut(numbers: &mut [Self]) -> Option<&mut [f32]>;
    /// ln(1 + exp(self)), without overflow.
    fn softplus(self) -> Self;
}

macro_rules! element {
    ($name:ident, $single:expr) => {
        impl Element for $name {
            fn scratch() -> &'static LocalKey<RefCell<Vec<Self>>> {
                thread_local! { static SCRATCH: RefCell<Vec<$name>> = const { RefCell::new(Vec::new()) }; }
                &SCRATCH
            }

            fn reciprocal_root(self) -> Self {
                1.0 / self.sqrt()
            }

            fn single(numbers: &[Self]) -> Option<&[f32]> {
                bytemuck::try_cast_slice(numbers).ok().filter(|_| $single)
            }

            fn single_mut(numbers: &mut [Self]) -> Option<&mut [f32]> {
                bytemuck::try_cast_slice_mut(numbers).ok().filter(|_| $single)
            }

            fn softplus(self) -> Self {
                self.max(0.0) + (-self.abs()).exp().ln_1p()
            }
        }
    };
}
element!(f32, true);
element!(f64, false);

/// Lends `n` numbers of this thread's working memory, their values left over from earlier use. Not to be nested.
pub(super) fn with_scratch<T: Element, R>(n: usize, work: impl FnOnce(&mut [T]) -> R) -> R {
    T::scratch().with_borrow_mut(|buffer| {
        if buffer.len() < n {
            buffer.resize(n, T::default());
        }
        work(&mut buffer[..n])
    })
}

/// The numbers of a contiguous tensor.
pub(super) fn numbers<'a, T: Element>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [T]> {
    let all = T::cpu_storage_as_slice(storage)?;
    match layout.contiguous_offsets() {
        Some((start, end)) => Ok(&all[start..end]),
        None => bail!("a kernel was given a tensor that is not contiguous"),
    }
}

/// Numbers in one piece of work; smaller arrays are not worth a second thread.
const PIECE: usize = 1 << 15;

/// An array of `n` numbers, written piece by piece: `write(start, piece)` must write every number of its piece, whose
/// first has index `start`. Pieces are whole multiples of `unit`; where the pieces are cut depends on `n` and `unit` alone.
fn build<T: Element>(n: usize, unit: usize, write: impl Fn(usize, &mut [MaybeUninit<T>]) + Sync) -> Vec<T> {
    let mut out = Vec::with_capacity(n);
    let spare = &mut out.spare_capacity_mut()[..n];
    let piece = PIECE.div_ceil(unit.max(1)) * unit.max(1);
    if n <= piece {
        write(0, spare);
    } else {
        spare.par_chunks_mut(piece).enumerate().for_each(|(i, part)| write(i * piece, part));
    }
    // SAFETY: the pieces cover the first `n` places, and each call writes all of its piece.
    unsafe { out.set_len(n) };
    out
}

/// `f` of every number.
pub(super) fn map<T: Element>(x: &[T], f: impl Fn(T) -> T + Sync) -> Vec<T> {
    build(x.len(), 1, |start, out| {
        let n = out.len();
        for (o, &x) in out.iter_mut().zip(&x[start..start + n]) {
            o.write(f(x));
        }
    })
}

/// `f` of every pair.
pub(super) fn zip<T: Element>(x: &[T], y: &[T], f: impl Fn(T, T) -> T + Sync) -> Vec<T> {
    assert_eq!(x.len(), y.len(), "operands of one length");
    build(x.len(), 1, |start, out| {
        let n = out.len();
        for ((o, &x), &y) in out.iter_mut().zip(&x[start..start + n]).zip(&y[start..start + n]) {
            o.write(f(x, y));
        }
    })
}

/// `f(number, parameter of its row)`, where row r of length `len` has parameter `parameters[r % parameters.len()]`.
pub(super) fn map_rows<T: Element, P: Copy + Sync>(
    x: &[T],
    len: usize,
    parameters: &[P],
    f: impl Fn(T, P) -> T + Sync,
) -> Vec<T> {
    build(x.len(), len, |start, out| {
        for (r, (row, x)) in out.chunks_mut(len).zip(x[start..].chunks(len)).enumerate() {
            let p = parameters[(start / len + r) % parameters.len()];
            for (o, &x) in row.iter_mut().zip(x) {
                o.write(f(x, p));
            }
        }
    })
}
