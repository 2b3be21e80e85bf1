//! Cohorts: real radiographs with findings, patients and splits, and the phantoms that stand in for them.
//!
//! In: folders and files in the formats people have. Out: a pack, opened in milliseconds.
