//! Placeholder
use std::path::{Path, PathBuf};
/// x
#[derive(Debug, thiserror::Error)]
#[error("x")]
pub struct TourError;
/// x
/// # Errors
/// x
pub fn tour(_out: &Path) -> Result<Vec<PathBuf>, TourError> { Err(TourError) }
