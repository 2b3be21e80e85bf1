//! Sixteen neighbouring channels as one value: the unit in which channels-last code counts.

use std::ops::{Add, AddAssign, Mul, Sub};

/// Sixteen floats on a cache line of their own, so that no load ever straddles two.
#[derive(Debug, Clone, Copy, PartialEq)]
#[repr(C, align(64))]
pub struct Lane(pub [f32; Lane::WIDTH]);

impl Lane {
    /// Floats in a lane.
    pub const WIDTH: usize = 16;

    /// All zero: what pads channel counts and image borders.
    pub const ZERO: Self = Self([0.0; Self::WIDTH]);

    /// Lanes needed for `n` floats.
    pub const fn count(n: usize) -> usize {
        n.div_ceil(Self::WIDTH)
    }

    /// `values` in lanes, the last one padded with zeros.
    pub fn from_slice(values: &[f32]) -> Vec<Self> {
        let lane = |part: &[f32]| {
            let mut lane = Self::ZERO;
            lane.0[..part.len()].copy_from_slice(part);
            lane
        };
        values.chunks(Self::WIDTH).map(lane).collect()
    }

    /// Applies `f` to each float.
    #[inline(always)]
    pub fn map(mut self, f: impl Fn(f32) -> f32) -> Self {
        for value in &mut self.0 {
            *value = f(*value);
        }
        self
    }

    /// Float by float `f(self, other)`.
    #[inline(always)]
    pub fn zip(mut self, other: Self, f: impl Fn(f32, f32) -> f32) -> Self {
        for (a, b) in self.0.iter_mut().zip(other.0) {
            *a = f(*a, b);
        }
        self
    }

    /// The leaky `ReLU` with slope 0.2 below zero.
    #[inline(always)]
    pub fn leaky_relu(self) -> Self {
        self.map(|v| if v > 0.0 { v } else { 0.2 * v })
    }

    /// The sum of the sixteen, added pairwise in one fixed order.
    #[inline(always)]
    pub fn sum(self) -> f32 {
        let mut lanes = self.0;
        let mut width = Self::WIDTH / 2;
        while width > 0 {
            for i in 0..width {
                lanes[i] += lanes[i + width];
            }
            width /= 2;
        }
        lanes[0]
    }
}

impl Add for Lane {
    type Output = Self;
    #[inline(always)]
    fn add(self, other: Self) -> Self {
        self.zip(other, |a, b| a + b)
    }
}

impl AddAssign for Lane {
    #[inline(always)]
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sub for Lane {
    type Output = Self;
    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        self.zip(other, |a, b| a - b)
    }
}

impl Mul for Lane {
    type Output = Self;
    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        self.zip(other, |a, b| a * b)
    }
}

impl Mul<f32> for Lane {
    type Output = Self;
    #[inline(always)]
    fn mul(self, factor: f32) -> Self {
        self.map(|v| v * factor)
    }
}
