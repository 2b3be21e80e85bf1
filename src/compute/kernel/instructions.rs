//! Which vector instructions this processor has, and code compiled for them.

use std::sync::OnceLock;

/// A set of vector instructions that the running processor was found to have.
///
/// A value can only be had from [`Instructions::available`], so holding one proves that its code may run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Instructions(Set);

/// The sets for which there is code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Set {
    #[cfg(target_arch = "x86_64")]
    Avx512,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    Portable,
}

impl Instructions {
    /// All sets that this processor has, the widest first; the portable one is always there and last.
    pub fn available() -> Vec<Self> {
        let mut sets = Vec::new();
        #[cfg(target_arch = "x86_64")]
        {
            let wide = is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512vl");
            if wide && is_x86_feature_detected!("avx512dq") && is_x86_feature_detected!("avx512bw") {
                sets.push(Self(Set::Avx512));
            }
            if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                sets.push(Self(Set::Avx2));
            }
        }
        sets.push(Self(Set::Portable));
        sets
    }

    /// The widest set that this processor has.
    pub fn best() -> Self {
        static BEST: OnceLock<Instructions> = OnceLock::new();
        *BEST.get_or_init(|| Self::available()[0])
    }

    /// The name as a user reads it in a status line.
    pub fn name(self) -> &'static str {
        match self.0 {
            #[cfg(target_arch = "x86_64")]
            Set::Avx512 => "AVX-512",
            #[cfg(target_arch = "x86_64")]
            Set::Avx2 => "AVX2 + FMA",
            Set::Portable if cfg!(target_arch = "aarch64") => "NEON",
            Set::Portable => "portable",
        }
    }

    /// The set itself, for the kernels beside this file.
    pub(super) fn set(self) -> Set {
        self.0
    }

    /// Runs `body` compiled for these instructions, so that loops over lanes use the full register width.
    ///
    /// Mark the closure and what it calls `#[inline(always)]`: what is not inlined is compiled without them. The
    /// arithmetic is the same in all sets (no operation is fused or reordered), and so are the bits.
    #[inline]
    pub fn vectorized<R>(self, body: impl FnOnce() -> R) -> R {
        match self.0 {
            // SAFETY: a value of `Instructions` with this set exists only after `available` found the features.
            #[cfg(target_arch = "x86_64")]
            Set::Avx512 => unsafe { avx512(body) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Set::Avx2 => unsafe { avx2(body) },
            Set::Portable => body(),
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw")]
fn avx512<R>(body: impl FnOnce() -> R) -> R {
    body()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn avx2<R>(body: impl FnOnce() -> R) -> R {
    body()
}
