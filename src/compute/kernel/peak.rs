//! The highest rate of multiply-adds that one thread reaches, measured: what shares of the peak are shares of.

use super::Instructions;

/// Floating-point operations per second of independent multiply-adds in registers, best of fifty short readings; `None` where
/// there is no kernel with instructions of our own choice.
pub fn rate(instructions: Instructions) -> Option<f64> {
    #[cfg(target_arch = "x86_64")]
    {
        use super::instructions::Set;
        let (kernel, operations): (fn() -> f32, f64) = match instructions.set() {
            // SAFETY: a value of `Instructions` with this set exists only where the processor has it.
            Set::Avx512 => (|| unsafe { x86::avx512() }, x86::ROUNDS as f64 * 16.0 * 32.0),
            // SAFETY: as above.
            Set::Avx2 => (|| unsafe { x86::avx2() }, x86::ROUNDS as f64 * 12.0 * 16.0),
            Set::Portable => return None,
        };
        let seconds = (0..50).map(|_| {
            let begun = std::time::Instant::now();
            std::hint::black_box(kernel());
            begun.elapsed().as_secs_f64()
        });
        Some(operations / seconds.fold(f64::INFINITY, f64::min))
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        let _ = instructions;
        None
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::{
        _mm256_add_ps, _mm256_cvtss_f32, _mm256_fmadd_ps, _mm256_set1_ps, _mm512_fmadd_ps, _mm512_reduce_add_ps,
        _mm512_set1_ps,
    };
    use std::hint::black_box;

    /// Times that each sum is multiplied and added to: under a millisecond in all, less than a slice of the scheduler.
    pub const ROUNDS: usize = 100_000;

    /// Sixteen sums, more than two units with a latency of four or five cycles can keep waiting.
    ///
    /// # Safety
    /// The processor has AVX-512F.
    #[target_feature(enable = "avx512f")]
    pub unsafe fn avx512() -> f32 {
        let mut sums: [_; 16] = std::array::from_fn(|i| _mm512_set1_ps(black_box(i as f32)));
        let (factor, term) = (_mm512_set1_ps(black_box(0.999)), _mm512_set1_ps(black_box(0.001)));
        for _ in 0..ROUNDS {
            for sum in &mut sums {
                *sum = _mm512_fmadd_ps(*sum, factor, term);
            }
        }
        sums.into_iter().map(|sum| _mm512_reduce_add_ps(sum)).sum()
    }

    /// Twelve sums; with factor and term they leave two of sixteen registers.
    ///
    /// # Safety
    /// The processor has AVX2 and FMA.
    #[target_feature(enable = "avx2,fma")]
    pub unsafe fn avx2() -> f32 {
        let mut sums: [_; 12] = std::array::from_fn(|i| _mm256_set1_ps(black_box(i as f32)));
        let (factor, term) = (_mm256_set1_ps(black_box(0.999)), _mm256_set1_ps(black_box(0.001)));
        for _ in 0..ROUNDS {
            for sum in &mut sums {
                *sum = _mm256_fmadd_ps(*sum, factor, term);
            }
        }
        let mut all = sums[0];
        for &sum in &sums[1..] {
            all = _mm256_add_ps(all, sum);
        }
        _mm256_cvtss_f32(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_instruction_set_of_our_own_has_a_rate() {
        for instructions in Instructions::available() {
            let rate = rate(instructions);
            assert_eq!(rate.is_some(), !["portable", "NEON"].contains(&instructions.name()));
            // No processor with these instructions is slower than a tenth of a GFLOP/s or faster than two TFLOP/s a core.
            assert!(rate.is_none_or(|rate| (1e8..2e12).contains(&rate)), "{rate:?}");
        }
    }
}
