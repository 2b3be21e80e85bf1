//! The 3×3 maximum of stride 2 that DenseNet's stem for photographs ends with; zero-padding never wins.

use super::element::Element;
use super::operation::{Operation, View, apply1, apply2};
use candle_core::{DType, Result, Shape, Tensor};
use rayon::prelude::*;

/// Side of the window.
const WINDOW: usize = 3;
/// Distance between windows.
const STRIDE: usize = 2;

/// Largest value of each window.
#[derive(Clone, Copy)]
struct MaxPool;

/// Arguments x and g: the gradient of each window goes to the place of its first largest value in x. Linear in g.
#[derive(Clone, Copy)]
struct Unpool;

/// Arguments x and h: the value of h at the place of each window's first largest value in x. The adjoint of [`Unpool`].
#[derive(Clone, Copy)]
struct PoolAt;

/// Rows or columns of the result.
fn half(side: usize) -> usize {
    side.div_ceil(STRIDE)
}

/// Calls `visit(window, place)` with the place of the first largest value of each window of one plane.
fn places<T: Element>(x: &[T], h: usize, w: usize, mut visit: impl FnMut(usize, usize)) {
    for i in 0..half(h) {
        for j in 0..half(w) {
            let mut best = None;
            for row in (STRIDE * i).saturating_sub(1)..h.min(STRIDE * i + WINDOW - 1) {
                for place in row * w + (STRIDE * j).saturating_sub(1)..row * w + w.min(STRIDE * j + WINDOW - 1) {
                    if best.is_none_or(|best: usize| x[place] > x[best]) {
                        best = Some(place);
                    }
                }
            }
            visit(i * half(w) + j, best.unwrap_or(0));
        }
    }
}

impl Operation<1> for MaxPool {
    const NAME: &'static str = "maximum of windows";
    const WEIGHTS: [bool; 1] = [false];

    fn kernel<T: Element>(&self, [x]: [View<T>; 1]) -> Result<(Vec<T>, Shape)> {
        PoolAt.kernel([x, x])
    }

    fn compose(&self, [x]: [&Tensor; 1]) -> Result<Tensor> {
        PoolAt.compose([x, x])
    }

    fn adjoint(&self, [x]: [&Tensor; 1], _: &Tensor, g: &Tensor, _: [bool; 1]) -> Result<[Option<Tensor>; 1]> {
        Ok([Some(apply2(Unpool, &x.detach(), g)?)])
    }
}

impl Operation<2> for PoolAt {
    const NAME: &'static str = "values at the maxima of windows";
    const WEIGHTS: [bool; 2] = [false, false];

    fn kernel<T: Element>(&self, [x, values]: [View<T>; 2]) -> Result<(Vec<T>, Shape)> {
        let [n, c, h, w] = x.dims4()?;
        let plane = half(h) * half(w);
        let mut y = vec![T::zero(); n * c * plane];
        y.par_chunks_mut(plane.max(1)).enumerate().for_each(|(i, y)| {
            let part = i * h * w..(i + 1) * h * w;
            let values = &values.numbers[part.clone()];
            places(&x.numbers[part], h, w, |window, place| y[window] = values[place]);
        });
        Ok((y, (n, c, half(h), half(w)).into()))
    }

    fn compose(&self, [x, values]: [&Tensor; 2]) -> Result<Tensor> {
        let windows = Windows::of(x)?;
        let mut y = Tensor::zeros((x.dim(0)?, x.dim(1)?, half(x.dim(2)?), half(x.dim(3)?)), x.dtype(), x.device())?;
        let padded = pad(values)?;
        for ((di, dj), mask) in windows.masks()? {
            y = (y + (windows.shifted(&padded, di, dj)? * mask)?)?;
        }
        Ok(y)
    }

    fn adjoint(&self, [x, _]: [&Tensor; 2], _: &Tensor, g: &Tensor, wanted: [bool; 2]) -> Result<[Option<Tensor>; 2]> {
        Ok([None, if wanted[1] { Some(apply2(Unpool, &x.detach(), g)?) } else { None }])
    }
}

impl Operation<2> for Unpool {
    const NAME: &'static str = "gradient of the maximum of windows";
    const WEIGHTS: [bool; 2] = [false, false];

    fn kernel<T: Element>(&self, [x, g]: [View<T>; 2]) -> Result<(Vec<T>, Shape)> {
        let [_, _, h, w] = x.dims4()?;
        let plane = half(h) * half(w);
        let mut out = vec![T::zero(); x.numbers.len()];
        out.par_chunks_mut((h * w).max(1)).enumerate().for_each(|(i, out)| {
            let g = &g.numbers[i * plane..(i + 1) * plane];
            places(&x.numbers[i * h * w..(i + 1) * h * w], h, w, |window, place| out[place] += g[window]);
        });
        Ok((out, x.dims.into()))
    }

    fn compose(&self, [x, g]: [&Tensor; 2]) -> Result<Tensor> {
        let (n, c, h, w) = x.dims4()?;
        let windows = Windows::of(x)?;
        let zeros = |h: usize, w: usize| Tensor::zeros((n, c, h, w), g.dtype(), g.device());
        let (rows, columns) = (half(h), half(w));
        let mut out = zeros(h + 2, w + 2)?;
        for ((di, dj), mask) in windows.masks()? {
            let wide = zeros(rows, w + 2)?.index_add(&windows.index(columns, dj)?, &(g * mask)?, 3)?;
            out = out.index_add(&windows.index(rows, di)?, &wide, 2)?;
        }
        out.narrow(2, 1, h)?.narrow(3, 1, w)?.contiguous()
    }

    fn adjoint(&self, [x, _]: [&Tensor; 2], _: &Tensor, h: &Tensor, wanted: [bool; 2]) -> Result<[Option<Tensor>; 2]> {
        Ok([None, if wanted[1] { Some(apply2(PoolAt, &x.detach(), h)?) } else { None }])
    }
}

/// One row and column of zeros on every side, and one more behind for windows that reach beyond an even side.
fn pad(x: &Tensor) -> Result<Tensor> {
    x.pad_with_zeros(2, 1, 1)?.pad_with_zeros(3, 1, 1)
}

/// The windows of a padded input, on any device.
struct Windows {
    padded: Tensor,
    sides: (usize, usize),
}

impl Windows {
    fn of(x: &Tensor) -> Result<Self> {
        // At least 1 everywhere, so that the zeros of the border never are the largest.
        let smallest = x.flatten_all()?.min(0)?;
        let padded = pad(&(x.broadcast_sub(&smallest)? + 1.0)?)?;
        Ok(Self { padded, sides: (half(x.dim(2)?), half(x.dim(3)?)) })
    }

    /// The places `offset, offset + 2, …` of `count` windows.
    fn index(&self, count: usize, offset: usize) -> Result<Tensor> {
        let places: Vec<u32> = (0..count).map(|i| (STRIDE * i + offset) as u32).collect();
        Tensor::from_vec(places, count, self.padded.device())
    }

    /// The value that each window has at (di, dj).
    fn shifted(&self, padded: &Tensor, di: usize, dj: usize) -> Result<Tensor> {
        let (rows, columns) = (self.index(self.sides.0, di)?, self.index(self.sides.1, dj)?);
        padded.index_select(&rows, 2)?.index_select(&columns, 3)
    }

    /// For each place in the window, 1 where it holds the window's first largest value, else 0.
    fn masks(&self) -> Result<Vec<((usize, usize), Tensor)>> {
        let offsets = (0..WINDOW).flat_map(|di| (0..WINDOW).map(move |dj| (di, dj)));
        let values: Vec<_> =
            offsets.map(|(i, j)| Ok(((i, j), self.shifted(&self.padded, i, j)?))).collect::<Result<_>>()?;
        let mut largest = values[0].1.clone();
        for (_, value) in &values[1..] {
            largest = largest.maximum(value)?;
        }
        let mut free = largest.ones_like()?;
        let mut masks = Vec::with_capacity(values.len());
        for (place, value) in values {
            let mask = (value.eq(&largest)?.to_dtype(largest.dtype())? * &free)?;
            free = (free - &mask)?;
            masks.push((place, mask));
        }
        Ok(masks)
    }
}

/// Largest value of each 3×3 window of `[N, C, H, W]`, windows 2 apart, the border never the largest:
/// `[N, C, ⌈H/2⌉, ⌈W/2⌉]`.
///
/// # Errors
/// If the tensor has not four dimensions.
pub fn max_pool(x: &Tensor) -> Result<Tensor> {
    x.dims4()?;
    match x.dtype() {
        DType::F32 | DType::F64 => apply1(MaxPool, x),
        other => candle_core::bail!("the maximum of windows works on f32 and f64, not {other:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{Device, Var};

    fn tensor(h: usize, w: usize, step: f64) -> Tensor {
        let values: Vec<f64> = (0..2 * h * w).map(|i| ((i as f64 * step).sin() * 4.0).round() / 2.0 - 1.0).collect();
        Tensor::from_vec(values, (1, 2, h, w), &Device::Cpu).unwrap()
    }

    fn numbers(x: &Tensor) -> Vec<f64> {
        x.flatten_all().unwrap().to_vec1().unwrap()
    }

    #[test]
    fn maxima_and_gradients_are_those_of_pytorch_with_ties() {
        // i=torch.arange(2*5*4,dtype=torch.float64)
        // x=((torch.sin(i*1.1)*4).round()/2-1).reshape(1,2,5,4).requires_grad_()
        // y=torch.nn.functional.max_pool2d(x,3,2,1); (y*torch.arange(1.,13.).reshape(y.shape)).sum().backward()
        // print(y.flatten().tolist(), x.grad.flatten().tolist())
        crate::compute::init();
        let x = Var::from_tensor(&tensor(5, 4, 1.1)).unwrap();
        let y = max_pool(&x).unwrap();
        assert_eq!(y.dims(), [1, 2, 3, 2]);
        assert_eq!(numbers(&y), MAXIMA);
        let weights = Tensor::from_vec((1..13).map(f64::from).collect(), y.shape(), &Device::Cpu).unwrap();
        let grads = (&y * &weights).unwrap().sum_all().unwrap().backward().unwrap();
        assert_eq!(numbers(grads.get(&x).unwrap()), GRADIENT);
    }

    const MAXIMA: [f64; 12] = [1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.5, 1.0, 1.0, 1.0, 0.5];
    const GRADIENT: [f64; 40] = [
        0.0, 3.0, 0.0, 0.0, 0.0, 0.0, 0.0, 4.0, 0.0, 0.0, 0.0, 0.0, 0.0, 14.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0,
        0.0, 0.0, 16.0, 8.0, 0.0, 0.0, 0.0, 0.0, 10.0, 0.0, 0.0, 0.0, 0.0, 12.0, 11.0, 0.0, 0.0, 0.0,
    ];

    #[test]
    fn kernels_and_compositions_agree_and_adjoints_are_adjoint() {
        for (h, w) in [(5, 4), (6, 6), (1, 3), (2, 7)] {
            let (x, v) = (tensor(h, w, 1.1), tensor(h, w, 0.37));
            let pooled = apply2(PoolAt, &x, &v).unwrap();
            assert_eq!(numbers(&pooled), numbers(&PoolAt.compose([&x, &v]).unwrap()));
            let g = tensor(half(h), half(w), 2.3);
            let spread = apply2(Unpool, &x, &g).unwrap();
            assert_eq!(numbers(&spread), numbers(&Unpool.compose([&x, &g]).unwrap()));
            let dot = |a: &Tensor, b: &Tensor| numbers(a).iter().zip(numbers(b)).map(|(a, b)| a * b).sum::<f64>();
            assert!((dot(&pooled, &g) - dot(&v, &spread)).abs() < 1e-12);
        }
    }
}
