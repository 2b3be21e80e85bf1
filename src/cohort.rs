//! Cohorts: real radiographs with findings, patients and splits, and the phantoms that stand in for them.
//!
//! In: folders and files in the formats people have, or a seed for phantoms. Out: a [`Pack`], a folder that opens in
//! milliseconds whatever its size.
//!
//! A reader turns someone's files into a [`reader::Plan`] without decoding a pixel; [`import()`] decodes it in parallel
//! into a [`pack::Writer`]; a [`Pack`] is that folder, memory-mapped.

mod import;
pub mod pack;
pub mod phantom;
pub mod reader;
mod record;
pub mod split;
mod summary;

pub use import::{Format, ImportError, ImportOptions, ImportReport, Rehearsal, Splits, import, rehearse};
pub use pack::{Header, Pack, PackError};
pub use reader::Uncertain;
pub use record::{Fold, Record, Sex, Skipped};
pub use summary::Summary;
