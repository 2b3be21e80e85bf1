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
        if self.stride == 1 && self.wo == self.w {
            return self.gather_same(image, &rows, out, ld, at);
        }
        if self.is_halving() {
            return self.gather_halving(image, &rows, out, ld, at);
        }
        self.runs(&rows, |k, place, start, inside, x| {
            let to = &mut out[k * ld + at + place..][..self.wo];
            let Some(start) = start.filter(|_| !inside.is_empty()) else { return to.fill(T::zero()) };
            to[..inside.start].fill(T::zero());
            to[inside.end..].fill(T::zero());
            let from = image[start + x..].iter().step_by(self.stride);
            to[inside].iter_mut().zip(from).for_each(|(to, from)| *to = *from);
        });
    }

    /// [`Sizes::gather`] where the output is as wide as the image: all rows that one number of the kernel meets lie one after
    /// the other, so that they are copied together and only the margins mended.
    fn gather_same<T: Element>(&self, image: &[T], rows: &Range<usize>, out: &mut [T], ld: usize, at: usize) {
        let (w, above) = (self.w, self.padding.0);
        for c in 0..self.c {
            for ky in 0..self.kh {
                // Output rows whose image row oy + ky − above exists.
                let first = above.saturating_sub(ky).clamp(rows.start, rows.end);
                let end = (self.h + above).saturating_sub(ky).clamp(first, rows.end);
                for kx in 0..self.kw {
                    let to = &mut out[((c * self.kh + ky) * self.kw + kx) * ld + at..][..rows.len() * w];
                    if first == end {
                        to.fill(T::zero());
                        continue;
                    }
                    let from = &image[(c * self.h + first + ky - above) * w..][..(end - first) * w];
                    to[..(first - rows.start) * w].fill(T::zero());
                    to[(end - rows.start) * w..].fill(T::zero());
                    let to = &mut to[(first - rows.start) * w..][..from.len()];
                    // Columns of the image that the kernel's is to the left or to the right of.
                    let left = self.padding.1.saturating_sub(kx).min(w);
                    let right = kx.saturating_sub(self.padding.1).min(w);
                    let n = from.len() - left - right;
                    to[left..][..n].copy_from_slice(&from[right..][..n]);
                    for row in to.chunks_exact_mut(w) {
                        row[..left].fill(T::zero());
                        row[w - right..].fill(T::zero());
                    }
                }
            }
        }
    }

    /// Whether a kernel of four columns halves the width: output column o meets the columns 2o − 1 to 2o + 2.
    fn is_halving(&self) -> bool {
        self.stride == 2 && self.kw == 4 && self.padding.1 == 1 && self.w == 2 * self.wo
    }

    /// [`Sizes::gather`] where the width is halved: even and odd columns are parted once for the four of the kernel.
    fn gather_halving<T: Element>(&self, image: &[T], rows: &Range<usize>, out: &mut [T], ld: usize, at: usize) {
        let wo = self.wo;
        self.halved_rows(rows, |k, place, start| {
            let out = &mut out[k * ld..];
            let (a, out) = out.split_at_mut(ld);
            let (b, out) = out.split_at_mut(ld);
            let (c, d) = out.split_at_mut(ld);
            let [a, b, c, d] = [a, b, c, d].map(|row| &mut row[at + place..][..wo]);
            let Some(start) = start else { return [a, b, c, d].into_iter().for_each(|row| row.fill(T::zero())) };
            let pairs = image[start..][..self.w].as_chunks::<2>().0;
            let last = wo - 1;
            (b[last], c[last]) = (pairs[last][0], pairs[last][1]);
            a[0] = T::zero();
            let next = pairs.iter().skip(1);
            let columns = a.iter_mut().skip(1).zip(b.iter_mut()).zip(c.iter_mut().zip(d.iter_mut()));
            for (((a, b), (c, d)), (pair, next)) in columns.zip(pairs.iter().zip(next)) {
                (*a, *b, *c, *d) = (pair[1], pair[0], pair[1], next[0]);
            }
            d[last] = T::zero();
        });
    }

    /// Adds the columns of a patch matrix of output rows `rows` to one image: the adjoint of [`Sizes::gather`].
    pub(super) fn scatter<T: Element>(&self, patches: &[T], rows: Range<usize>, ld: usize, image: &mut [T]) {
        if self.is_halving() {
            return self.scatter_doubling(patches, &rows, ld, image);
        }
        self.runs(&rows, |k, place, start, inside, x| {
            let Some(start) = start.filter(|_| !inside.is_empty()) else { return };
            let from = &patches[k * ld + place..][..self.wo][inside];
            for (to, from) in image[start + x..].iter_mut().step_by(self.stride).zip(from) {
                *to += *from;
            }
        });
    }

    /// [`Sizes::scatter`] where the width is doubled: each pair of image columns takes from two columns of the kernel each.
    fn scatter_doubling<T: Element>(&self, patches: &[T], rows: &Range<usize>, ld: usize, image: &mut [T]) {
        let wo = self.wo;
        self.halved_rows(rows, |k, place, start| {
            let Some(start) = start else { return };
            let [a, b, c, d] = [0, 1, 2, 3].map(|kx| &patches[(k + kx) * ld + place..][..wo]);
            let pairs = image[start..][..self.w].as_chunks_mut::<2>().0;
            // Columns 0 and 3 of the kernel reach into the pairs before and after their own, where there are any.
            pairs[0][0] += b[0];
            pairs[wo - 1][1] += c[wo - 1];
            if wo > 1 {
                pairs[0][1] += c[0] + a[1];
                pairs[wo - 1][0] += b[wo - 1] + d[wo - 2];
            }
            let inner = pairs.iter_mut().take(wo - 1).skip(1);
            let (evens, odds) = (b.iter().skip(1).zip(d), c.iter().skip(1).zip(a.iter().skip(2)));
            for (pair, ((b, d), (c, a))) in inner.zip(evens.zip(odds)) {
                pair[0] += *b + *d;
                pair[1] += *c + *a;
            }
        });
    }

    /// Calls `visit(patch row of the first of four columns, place in it, start of the image row or none)` for every row of
    /// a kernel that halves the width, at every output row.
    fn halved_rows(&self, rows: &Range<usize>, mut visit: impl FnMut(usize, usize, Option<usize>)) {
        for c in 0..self.c {
            for ky in 0..self.kh {
                for oy in rows.clone() {
                    let start = self.row(oy, ky).map(|y| (c * self.h + y) * self.w);
                    visit((c * self.kh + ky) * self.kw, (oy - rows.start) * self.wo, start);
                }
            }
        }
    }
}
