//! Image patches as columns of a matrix, and their adjoint.

use super::element::Element;
use std::ops::Range;

/// Sizes of one convolution of `[n, c, h, w]` with `[o, c, kh, kw]` to `[n, o, ho, wo]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sizes {
    pub(super) n: usize,
    pub(super) c: usize,
    pub(super) h: usize,
    pub(super) w: usize,
    pub(super) o: usize,
    pub(super) kh: usize,
    pub(super) kw: usize,
    pub(super) ho: usize,
    pub(super) wo: usize,
    pub(super) stride: usize,
    /// Zeros added above and below, left and right.
    pub(super) padding: (usize, usize),
}

impl Sizes {
    /// Rows of the patch matrix: numbers in one patch.
    pub(super) fn patch(&self) -> usize {
        self.c * self.kh * self.kw
    }

    /// Numbers in one image of the input.
    pub(super) fn input(&self) -> usize {
        self.c * self.h * self.w
    }

    /// Pixels of one image of the output.
    pub(super) fn pixels(&self) -> usize {
        self.ho * self.wo
    }

    /// Whether the patch matrix of an image is the image itself.
    pub(super) fn is_pointwise(&self) -> bool {
        self.kh == 1 && self.kw == 1 && self.stride == 1 && self.padding == (0, 0)
    }

    /// Output columns for which column `kx` of the kernel falls inside the image.
    fn inside(&self, kx: usize) -> Range<usize> {
        let first = self.padding.1.saturating_sub(kx).div_ceil(self.stride).min(self.wo);
        let end = (self.w + self.padding.1).saturating_sub(kx).div_ceil(self.stride).min(self.wo);
        first..end.max(first)
    }

    /// The image row that row `ky` of the kernel meets at output row `oy`.
    fn row(&self, oy: usize, ky: usize) -> Option<usize> {
        (oy * self.stride + ky).checked_sub(self.padding.0).filter(|y| *y < self.h)
    }

    /// Calls `visit(patch row, place in the patch row, image row or none, columns inside, first image column)` for
    /// every run of numbers that the patch matrix of output rows `rows` and one image have in common.
    fn runs(&self, rows: &Range<usize>, mut visit: impl FnMut(usize, usize, Option<usize>, Range<usize>, usize)) {
        for c in 0..self.c {
            for ky in 0..self.kh {
                for kx in 0..self.kw {
                    let k = (c * self.kh + ky) * self.kw + kx;
                    let inside = self.inside(kx);
                    let x = (inside.start * self.stride + kx).saturating_sub(self.padding.1);
                    for oy in rows.clone() {
                        let start = self.row(oy, ky).map(|y| (c * self.h + y) * self.w);
                        visit(k, (oy - rows.start) * self.wo, start, inside.clone(), x);
                    }
                }
            }
        }
    }

    /// Writes the patches of output rows `rows` of one image into columns `at..` of a matrix with rows `ld` apart.
    pub(super) fn gather<T: Element>(&self, image: &[T], rows: Range<usize>, out: &mut [T], ld: usize, at: usize) {
        self.runs(&rows, |k, place, start, inside, x| {
            let to = &mut out[k * ld + at + place..][..self.wo];
            let Some(start) = start.filter(|_| !inside.is_empty()) else { return to.fill(T::zero()) };
            to[..inside.start].fill(T::zero());
            to[inside.end..].fill(T::zero());
            let from = &image[start + x..];
            let to = &mut to[inside];
            if self.stride == 1 {
                to.copy_from_slice(&from[..to.len()]);
            } else {
                for (to, from) in to.iter_mut().zip(from.iter().step_by(self.stride)) {
                    *to = *from;
                }
            }
        });
    }

    /// Adds the columns of a patch matrix of output rows `rows` to one image: the adjoint of [`Sizes::gather`].
    pub(super) fn scatter<T: Element>(&self, patches: &[T], rows: Range<usize>, ld: usize, image: &mut [T]) {
        self.runs(&rows, |k, place, start, inside, x| {
            let Some(start) = start.filter(|_| !inside.is_empty()) else { return };
            let from = &patches[k * ld + place..][..self.wo][inside];
            for (to, from) in image[start + x..].iter_mut().step_by(self.stride).zip(from) {
                *to += *from;
            }
        });
    }
}
