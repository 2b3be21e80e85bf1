//! Pooling: maxima by index, means by sums over 2×2 pixels.

use super::element::Element;
use super::operation::{Operation, View, apply1};
use super::resample::avg2;
use candle_core::{DType, Result, Shape, Storage, Tensor, bail};
use rayon::prelude::*;
use std::sync::Arc;

/// Numbers picked out of a tensor by their places: linear, with [`Place`] as its adjoint.
#[derive(Clone)]
struct Pick(Arc<Places>);

/// Numbers added to zeros at their places: the adjoint of [`Pick`].
#[derive(Clone)]
struct Place(Arc<Places>);

/// Where in each plane of `[N, C, H, W]` the numbers of each plane of `[N, C, h, w]` come from.
struct Places {
    /// `[N·C, h·w]` places below H·W.
    within: Tensor,
    large: [usize; 4],
    small: [usize; 4],
}

impl Places {
    /// The places as plain numbers, on the CPU.
    fn numbers(&self) -> Result<Vec<u32>> {
        self.within.flatten_all()?.to_vec1()
    }

    fn planes(dims: [usize; 4]) -> [usize; 2] {
        [dims[0] * dims[1], dims[2] * dims[3]]
    }
}

impl Operation<1> for Pick {
    const NAME: &'static str = "picking of maxima";
    const WEIGHTS: [bool; 1] = [false];

    fn kernel<T: Element>(&self, [x]: [View<T>; 1]) -> Result<(Vec<T>, Shape)> {
        let [_, small] = Places::planes(self.0.small);
        let [_, large] = Places::planes(self.0.large);
        let mut out = vec![T::zero(); self.0.small.iter().product()];
        let places = self.0.numbers()?;
        let planes = out.par_chunks_mut(small.max(1)).zip(x.numbers.par_chunks(large.max(1)));
        planes.zip(places.par_chunks(small.max(1))).for_each(|((out, x), places)| {
            for (out, place) in out.iter_mut().zip(places) {
                *out = x[*place as usize];
            }
        });
        Ok((out, self.0.small.as_slice().into()))
    }

    fn compose(&self, [x]: [&Tensor; 1]) -> Result<Tensor> {
        x.reshape(&Places::planes(self.0.large))?.gather(&self.0.within, 1)?.reshape(&self.0.small)
    }

    fn adjoint(&self, _: [&Tensor; 1], _: &Tensor, g: &Tensor, _: [bool; 1]) -> Result<[Option<Tensor>; 1]> {
        Ok([Some(apply1(Place(self.0.clone()), g)?)])
    }
}

impl Operation<1> for Place {
    const NAME: &'static str = "placing of maxima";
    const WEIGHTS: [bool; 1] = [false];

    fn kernel<T: Element>(&self, [g]: [View<T>; 1]) -> Result<(Vec<T>, Shape)> {
        let [_, small] = Places::planes(self.0.small);
        let [_, large] = Places::planes(self.0.large);
        let mut out = vec![T::zero(); self.0.large.iter().product()];
        let places = self.0.numbers()?;
        let planes = out.par_chunks_mut(large.max(1)).zip(g.numbers.par_chunks(small.max(1)));
        planes.zip(places.par_chunks(small.max(1))).for_each(|((out, g), places)| {
            for (g, place) in g.iter().zip(places) {
                out[*place as usize] += *g;
            }
        });
        Ok((out, self.0.large.as_slice().into()))
    }

    fn compose(&self, [g]: [&Tensor; 1]) -> Result<Tensor> {
        let zeros = Tensor::zeros(&Places::planes(self.0.large), g.dtype(), g.device())?;
        let g = g.reshape(&Places::planes(self.0.small))?;
        zeros.scatter_add(&self.0.within, &g, 1)?.reshape(&self.0.large)
    }

    fn adjoint(&self, _: [&Tensor; 1], _: &Tensor, g: &Tensor, _: [bool; 1]) -> Result<[Option<Tensor>; 1]> {
        Ok([Some(apply1(Pick(self.0.clone()), g)?)])
    }
}

/// A square window that moves over an image.
#[derive(Clone, Copy)]
struct Window {
    side: usize,
    stride: usize,
    padding: usize,
}

impl Window {
    /// For each position along `size` pixels, the first pixel inside and the pixel after the last.
    fn spans(self, size: usize) -> Result<Vec<(usize, usize)>> {
        let Self { side, stride, padding } = self;
        if side == 0 || stride == 0 || 2 * padding > side || size + 2 * padding < side {
            bail!("a window of {side} with stride {stride} and padding {padding} does not fit {size} pixels");
        }
        let count = (size + 2 * padding - side) / stride + 1;
        let span = |i: usize| ((i * stride).saturating_sub(padding), (i * stride + side - padding).min(size));
        Ok((0..count).map(span).collect())
    }

    /// Place of the largest number of every window, the first of equals, on the CPU.
    fn search<T: Element>(self, x: &[T], [n, c, h, w]: [usize; 4]) -> Result<Vec<u32>> {
        let (rows, columns) = (self.spans(h)?, self.spans(w)?);
        let small = rows.len() * columns.len();
        let mut places = vec![0; n * c * small];
        places.par_chunks_mut(small.max(1)).zip(x.par_chunks((h * w).max(1))).for_each(|(places, x)| {
            for (places, &(top, bottom)) in places.chunks_mut(columns.len()).zip(&rows) {
                for (place, &(left, right)) in places.iter_mut().zip(&columns) {
                    let mut best = top * w + left;
                    for y in top..bottom {
                        for i in y * w + left..y * w + right {
                            if x[i] > x[best] {
                                best = i;
                            }
                        }
                    }
                    *place = best as u32;
                }
            }
        });
        Ok(places)
    }

    /// The same by framework operations: compares the pixels of each window one after the other.
    fn search_composed(self, x: &Tensor) -> Result<Tensor> {
        let (n, c, h, w) = x.dims4()?;
        let (rows, columns) = (self.spans(h)?, self.spans(w)?);
        let device = x.device();
        let step = |spans: &[(usize, usize)], i: usize| {
            // Where the window is cut off, its last pixel is compared again, which changes nothing.
            let pixels: Vec<u32> = spans.iter().map(|(first, end)| (first + i).min(end - 1) as u32).collect();
            Tensor::new(pixels, device)
        };
        let mut best: Option<(Tensor, Tensor)> = None;
        for dy in 0..self.side {
            let ys = step(&rows, dy)?;
            let line = x.index_select(&ys, 2)?;
            for dx in 0..self.side {
                let xs = step(&columns, dx)?;
                let value = line.index_select(&xs, 3)?.contiguous()?;
                // Places are exact in f32 up to 4096 × 4096 pixels.
                let (ys, xs) = (ys.to_dtype(DType::F32)?.unsqueeze(1)?, xs.to_dtype(DType::F32)?.unsqueeze(0)?);
                let place = (ys * w as f64)?.broadcast_add(&xs)?.broadcast_as(value.shape())?.contiguous()?;
                best = Some(match best {
                    None => (value, place),
                    Some((old, old_place)) => {
                        let larger = value.gt(&old)?;
                        (larger.where_cond(&value, &old)?, larger.where_cond(&place, &old_place)?)
                    }
                });
            }
        }
        match best {
            Some((_, places)) => places.to_dtype(DType::U32)?.reshape((n * c, rows.len() * columns.len())),
            None => bail!("a window has at least one pixel"),
        }
    }

    fn places(self, x: &Tensor) -> Result<Places> {
        let (n, c, h, w) = x.dims4()?;
        if h * w > 1 << 24 {
            bail!("pooling takes images up to 4096 × 4096 pixels, not {h}×{w}");
        }
        let large = [n, c, h, w];
        let small = [n, c, self.spans(h)?.len(), self.spans(w)?.len()];
        let x = x.detach().contiguous()?;
        let (storage, layout) = x.storage_and_layout();
        let places = match &*storage {
            Storage::Cpu(storage) => {
                let places = match x.dtype() {
                    DType::F32 => self.search(super::element::numbers::<f32>(storage, layout)?, large)?,
                    DType::F64 => self.search(super::element::numbers::<f64>(storage, layout)?, large)?,
                    other => bail!("pooling works on f32 and f64, not {other:?}"),
                };
                Tensor::from_vec(places, &Places::planes(small), x.device())?
            }
            _ => self.search_composed(&x)?,
        };
        Ok(Places { within: places, large, small })
    }
}

/// Largest number of every `side` × `side` window of `[N, C, H, W]`; zeros are not compared with, padding never wins.
/// Of equal numbers the first, row by row, gets the gradient.
///
/// # Errors
/// If the window does not fit the image, or `padding` is more than half of `side`.
pub fn max_pool(x: &Tensor, side: usize, stride: usize, padding: usize) -> Result<Tensor> {
    let places = Window { side, stride, padding }.places(x)?;
    apply1(Pick(Arc::new(places)), x)
}

/// Means over 2×2 pixels; a last odd row or column is left out.
///
/// # Errors
/// If the tensor does not have four dimensions.
pub fn avg_pool2(x: &Tensor) -> Result<Tensor> {
    let (_, _, h, w) = x.dims4()?;
    avg2(&x.narrow(2, 0, h / 2 * 2)?.narrow(3, 0, w / 2 * 2)?)
}

/// Mean over all pixels: `[N, C, H, W]` to `[N, C]`.
///
/// # Errors
/// If the tensor does not have four dimensions.
pub fn global_average(x: &Tensor) -> Result<Tensor> {
    x.contiguous()?.flatten_from(2)?.mean(2)
}

#[cfg(test)]
mod tests {
    use super::super::check::{agrees, check, tensor};
    use super::*;

    /// DenseNet's stem, halving, and odd ones: side, stride, padding.
    const WINDOWS: [(usize, usize, usize); 5] = [(3, 2, 1), (2, 2, 0), (3, 1, 1), (2, 3, 1), (1, 1, 0)];

    #[test]
    fn gradients_of_both_orders_match_differences() {
        for (side, stride, padding) in WINDOWS {
            let x = [tensor(&[2, 2, 7, 6], side as u64)];
            check(&format!("max_pool {side} {stride} {padding}"), &x, &|t| max_pool(&t[0], side, stride, padding));
        }
        let x = [tensor(&[2, 3, 5, 6], 1)];
        check("avg_pool2", &x, &|t| avg_pool2(&t[0]));
        check("global_average", &x, &|t| global_average(&t[0]));
    }

    #[test]
    fn kernels_agree_with_the_framework() {
        for (side, stride, padding) in WINDOWS {
            let x = tensor(&[2, 3, 9, 8], 7);
            let window = Window { side, stride, padding };
            let places = window.places(&x).unwrap();
            let composed = window.search_composed(&x).unwrap();
            assert_eq!(places.within.to_vec2::<u32>().unwrap(), composed.to_vec2::<u32>().unwrap());
            let g = tensor(&places.small, 8);
            let places = Arc::new(places);
            agrees(&Pick(places.clone()), [&x]);
            agrees(&Place(places), [&g]);
        }
        let x = tensor(&[1, 1, 3, 3], 1);
        assert!(max_pool(&x, 5, 1, 0).is_err());
        assert!(max_pool(&x, 2, 0, 0).is_err());
        assert!(max_pool(&x, 3, 2, 2).is_err());
    }

    // import torch
    // x = torch.sin(torch.arange(36.)).view(1, 1, 6, 6).requires_grad_()
    // y = torch.nn.functional.max_pool2d(x, 3, 2, 1); (y * torch.arange(1., 10.).view(1, 1, 3, 3)).sum().backward()
    // print(y.flatten().tolist(), x.grad.flatten().tolist())
    #[test]
    fn the_stem_pool_is_that_of_pytorch() {
        crate::compute::init();
        let numbers = (0..36).map(|i| (i as f32).sin()).collect::<Vec<_>>();
        let x = candle_core::Var::from_vec(numbers, (1, 1, 6, 6), &candle_core::Device::Cpu).unwrap();
        let y = max_pool(&x, 3, 2, 1).unwrap();
        let factors = Tensor::arange(1f32, 10.0, x.device()).unwrap().reshape((1, 1, 3, 3)).unwrap();
        let grads = (&y * factors).unwrap().sum_all().unwrap().backward().unwrap();
        let found = y.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        for (found, expected) in found.iter().zip(POOLED) {
            assert!((found - expected).abs() < 1e-6, "{found} in place of {expected}");
        }
        assert_eq!(grads.get(&x).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap(), GRADIENT);
    }

    const POOLED: [f32; 9] = [
        0.84147096,
        0.98935825,
        0.412_118_5,
        0.656_986_6,
        0.990_607_4,
        0.836_655_6,
        0.149_877_2,
        0.99991184,
        0.99991184,
    ];
    const GRADIENT: [f32; 36] = [
        0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 4.0, 2.0, 3.0, 0.0, 0.0, 0.0, 0.0, 5.0, 0.0, 0.0, 0.0, 0.0, 7.0, 0.0, 6.0,
        0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 17.0, 0.0, 0.0,
    ];
}
