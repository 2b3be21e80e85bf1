//! The transforms of Winograd's minimal filtering F(F×F, 3×3) along one line, with T = F + 2.
//!
//! On the plane each is applied along rows and along columns. F = 2 uses the points 0, ±1, ∞, F = 4 also ±2. Source: Lavin
//! and Gray, "Fast algorithms for convolutional neural networks", 2015, §4.

use super::Lane;

/// Writes the T × T weights of a transformed 3×3 kernel.
pub fn kernel<const T: usize>(kernel: [[f64; 3]; 3], values: &mut [f32]) {
    let rows: [[f64; T]; 3] = kernel.map(kernel_line);
    for x in 0..T {
        let column: [f64; T] = kernel_line(rows.map(|row| row[x]));
        for (y, value) in column.into_iter().enumerate() {
            values[y * T + x] = value as f32;
        }
    }
}

/// G g: one line of the kernel.
fn kernel_line<const T: usize>([a, b, c]: [f64; 3]) -> [f64; T] {
    let mut u = [0.0; T];
    let line: &[f64] = if T == 4 {
        &[a, (a + b + c) / 2.0, f64::midpoint(a - b, c), c]
    } else {
        let (even, odd) = (a / 24.0 + c / 6.0, b / 12.0);
        &[a / 4.0, -(a + b + c) / 6.0, -(a - b + c) / 6.0, even + odd, even - odd, c]
    };
    u.copy_from_slice(line);
    u
}

/// Bᵀ d: one line of the input.
#[inline(always)]
pub fn input_line<const T: usize>(d: [Lane; T]) -> [Lane; T] {
    let mut v = d;
    if T == 4 {
        v[0] = d[0] - d[2];
        v[1] = d[1] + d[2];
        v[2] = d[2] - d[1];
        v[3] = d[1] - d[3];
    } else {
        let (even, odd) = (d[4] - d[2] * 4.0, d[3] - d[1] * 4.0);
        let (far, twice) = (d[4] - d[2], (d[3] - d[1]) * 2.0);
        v[0] = d[0] * 4.0 - d[2] * 5.0 + d[4];
        v[1] = even + odd;
        v[2] = even - odd;
        v[3] = far + twice;
        v[4] = far - twice;
        v[5] = d[1] * 4.0 - d[3] * 5.0 + d[5];
    }
    v
}

/// Aᵀ m: one line of the output.
#[inline(always)]
pub fn output_line<const F: usize, const T: usize>(m: [Lane; T]) -> [Lane; F] {
    let mut y = [Lane::ZERO; F];
    if T == 4 {
        y[0] = m[0] + m[1] + m[2];
        y[1] = m[1] - m[2] - m[3];
    } else {
        let (near, apart) = (m[1] + m[2], m[1] - m[2]);
        let (far, wide) = (m[3] + m[4], m[3] - m[4]);
        y[0] = m[0] + near + far;
        y[1] = apart + wide * 2.0;
        y[2] = near + far * 4.0;
        y[3] = apart + wide * 8.0 + m[5];
    }
    y
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A line of 3 weights over T numbers, by the definition and by the transforms.
    fn line<const F: usize, const T: usize>() {
        let (weights, numbers) = ([0.5, -1.25, 2.0], [1.0, -0.5, 0.25, 3.0, -2.0, 0.75]);
        let mut transformed = [0.0; 64];
        // Weights along the rows only: the middle row of the kernel, of which every column's transform has the middle.
        kernel::<T>([[0.0; 3], weights, [0.0; 3]], &mut transformed[..T * T]);
        let mut tile = [[Lane::ZERO; T]; T];
        for row in &mut tile {
            for (value, number) in row.iter_mut().zip(numbers) {
                *value = Lane([number; 16]);
            }
        }
        let rows = tile.map(input_line);
        let mut products = [[Lane::ZERO; T]; T];
        for x in 0..T {
            let column = input_line(std::array::from_fn::<Lane, T, _>(|y| rows[y][x]));
            for (y, value) in column.into_iter().enumerate() {
                products[y][x] = value * transformed[y * T + x];
            }
        }
        let rows: [[Lane; F]; T] = products.map(output_line);
        for x in 0..F {
            let expected: f64 = (0..3).map(|i| weights[i] * f64::from(numbers[x + i])).sum();
            let column: [Lane; F] = output_line(std::array::from_fn::<Lane, T, _>(|y| rows[y][x]));
            for value in column {
                assert!((f64::from(value.0[3]) - expected).abs() < 1e-5, "F({F}) at {x}: {value:?} for {expected}");
            }
        }
    }

    #[test]
    fn transforms_give_the_convolution() {
        line::<2, 4>();
        line::<4, 6>();
    }
}
