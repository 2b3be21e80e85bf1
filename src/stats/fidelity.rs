//! How near a cloud of samples has come to a cloud of reals, both as feature vectors.
//!
//! In: rows of `dim` numbers, one after another. Out: Fréchet distance, kernel distance, and the four figures of
//! neighbourhoods. None of them means anything without the number of rows and the name of the encoder beside it.

mod frechet;
mod kernel;
mod manifold;

pub use frechet::{Moments, frechet_distance};
pub use kernel::{KernelDistance, kernel_distance};
pub use manifold::{Manifold, manifold};

use faer::Mat;

/// 1 − cosine similarity of each row of `rows` to the row of `gallery` nearest to it; a row of zeros has no direction and
/// lies at 1 from everything. `None` where either is empty or holds numbers that are not finite.
pub fn nearest_cosine(rows: &[f32], gallery: &[f32], dim: usize) -> Option<Vec<f32>> {
    let unit = |rows: &[f32]| {
        let mut rows = matrix(rows, dim)?;
        for i in 0..rows.nrows() {
            let length = rows.row(i).iter().map(|v| v * v).sum::<f64>().sqrt();
            if length > 0.0 {
                rows.row_mut(i).iter_mut().for_each(|v| *v /= length);
            }
        }
        Some(rows)
    };
    let (rows, gallery) = (unit(rows)?, unit(gallery)?);
    if rows.nrows() == 0 || gallery.nrows() == 0 {
        return None;
    }
    let mut nearest = Vec::with_capacity(rows.nrows());
    // In blocks, so that memory does not grow with both counts.
    for start in (0..rows.nrows()).step_by(256) {
        let block = rows.subrows(start, 256.min(rows.nrows() - start));
        let similarity = &gallery * block.transpose();
        let best = |column: faer::ColRef<f64>| column.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        nearest.extend(similarity.col_iter().map(|column| (1.0 - best(column)).max(0.0) as f32));
    }
    Some(nearest)
}

/// Rows of `dim` numbers as a matrix in double precision; `None` where they are not whole rows of finite numbers.
fn matrix(rows: &[f32], dim: usize) -> Option<Mat<f64>> {
    let whole = dim > 0 && rows.len().is_multiple_of(dim) && rows.iter().all(|v| v.is_finite());
    whole.then(|| Mat::from_fn(rows.len() / dim, dim, |i, j| f64::from(rows[i * dim + j])))
}

#[cfg(test)]
mod example {
    //! Two clouds that the reference programs were given too.
    //!
    //! The numbers expected in this room's tests are those that this script printed (NumPy 2, SciPy, prdc 0.2):
    //!
    //! ```python
    //! import numpy as np, scipy.linalg, prdc
    //! def cloud(n, d, phase, spread):
    //!     i = np.arange(n*d, dtype=np.float64)
    //!     v = np.sin(i*0.7+phase)*np.cos(i*i*0.013+phase)+0.3*np.sin(i*0.051*phase)
    //!     x = (v*spread).reshape(n,d); x[:,0] += 0.2*phase
    //!     return x
    //! def fid(a,b):
    //!     ca, cb = np.cov(a,rowvar=False), np.cov(b,rowvar=False)
    //!     return ((a.mean(0)-b.mean(0))**2).sum()+np.trace(ca+cb-2*scipy.linalg.sqrtm(ca@cb).real)
    //! def mmd(x,y):
    //!     d=x.shape[1]; k=lambda a,b:(a@b.T/d+1)**3
    //!     m=len(x); kxx,kyy,kxy=k(x,x),k(y,y),k(x,y)
    //!     return (kxx.sum()-np.trace(kxx))/(m*(m-1))+(kyy.sum()-np.trace(kyy))/(m*(m-1))-2*kxy.mean()
    //! a,b=cloud(60,6,1.0,1.0),cloud(60,6,2.0,1.3)
    //! print(fid(a,b), fid(a[:5],b[:5]))
    //! blocks=[mmd(a[i:i+20],b[i:i+20]) for i in (0,20,40)]
    //! print(blocks,np.mean(blocks),np.std(blocks,ddof=1))
    //! print(prdc.compute_prdc(real_features=a,fake_features=b,nearest_k=5))
    //! print(prdc.compute_prdc(real_features=a[:30],fake_features=b,nearest_k=3))
    //! ```

    pub const DIM: usize = 6;

    fn cloud(phase: f64, spread: f64) -> Vec<f32> {
        let value = |i: usize| {
            let x = i as f64;
            let v = (x * 0.7 + phase).sin() * (x * x * 0.013 + phase).cos() + 0.3 * (x * 0.051 * phase).sin();
            v * spread + if i.is_multiple_of(DIM) { 0.2 * phase } else { 0.0 }
        };
        (0..60 * DIM).map(|i| value(i) as f32).collect()
    }

    pub fn reals() -> Vec<f32> {
        cloud(1.0, 1.0)
    }

    pub fn samples() -> Vec<f32> {
        cloud(2.0, 1.3)
    }

    #[test]
    fn the_clouds_are_those_of_the_script() {
        assert!((f64::from(reals()[1]) - 0.54019924).abs() < 1e-7);
        assert!((f64::from(samples()[59 * DIM]) - 1.06605972).abs() < 1e-7);
    }
}

#[cfg(test)]
mod tests {
    use super::nearest_cosine;

    #[test]
    fn the_nearest_by_angle_is_found_whatever_the_length() {
        let gallery = [1.0, 0.0, 0.0, 2.0, -3.0, 0.0];
        let found = nearest_cosine(&[5.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0, -1.0], &gallery, 2).unwrap();
        let expected = [0.0, 1.0 - std::f32::consts::FRAC_1_SQRT_2, 1.0, 1.0];
        assert!(found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6), "{found:?}");
        assert!(nearest_cosine(&[], &gallery, 2).is_none() && nearest_cosine(&[1.0], &gallery, 2).is_none());
    }
}
