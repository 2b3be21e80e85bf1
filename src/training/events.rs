//! The event log: one JSON object per line, appended and flushed, so that a watcher can follow and a crash costs a line.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::store::StoreError;

/// One line of the log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// The run began, or went on from a checkpoint.
    Started {
        /// Critic steps behind it.
        step: u64,
        /// Seconds since 1970, UTC.
        unix_seconds: u64,
        /// What it computes on.
        device: String,
    },
    /// Where the run stands, about once a second.
    Step(Figures),
    /// A sample grid was written.
    Sample {
        /// Critic steps behind it.
        step: u64,
        /// Real images shown, in thousands.
        kimg: f64,
        /// File, relative to the run folder.
        file: PathBuf,
    },
    /// A checkpoint was written.
    Checkpoint {
        /// Critic steps behind it.
        step: u64,
        /// Real images shown, in thousands.
        kimg: f64,
        /// File, relative to the run folder.
        file: PathBuf,
    },
    /// Something a person should know: a damaged checkpoint passed over, for example.
    Notice {
        /// A sentence.
        text: String,
    },
    /// The run ended, or paused.
    Ended {
        /// Critic steps behind it.
        step: u64,
        /// `finished`, `stopped` or `paused`.
        how: String,
    },
}

/// Where a run stands.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Figures {
    /// Critic steps taken.
    pub step: u64,
    /// Real images shown, in thousands.
    pub kimg: f64,
    /// Side of the images in use.
    pub side: usize,
    /// Weight of the image of half the side, see [`crate::generator::network::Growth`].
    pub fade: f64,
    /// The critic's loss.
    pub critic_loss: f32,
    /// The generator's loss.
    pub generator_loss: f32,
    /// Mean score of real images.
    pub real_score: f32,
    /// Mean score of generated images, on the critic's step.
    pub fake_score: f32,
    /// The gradient penalty as it last entered the loss.
    pub penalty: f32,
    /// Steps skipped for numbers that were not finite, both networks together.
    pub skipped: u64,
    /// Real images shown per second since the line before.
    pub images_per_second: f64,
    /// Seconds left if it goes on like this.
    pub seconds_left: f64,
}

/// The log of one run, open for appending.
pub struct Log {
    path: PathBuf,
    file: File,
}

impl Log {
    /// Opens or begins the log; a torn last line is ended first, so that the next one stands alone.
    ///
    /// # Errors
    /// When the file cannot be opened or written.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let failed = |source| StoreError::Write { path: path.to_path_buf(), source };
        let attempt = || -> io::Result<File> {
            let mut file = OpenOptions::new().read(true).append(true).create(true).open(path)?;
            if file.metadata()?.len() > 0 {
                file.seek(SeekFrom::End(-1))?;
                let mut last = [0];
                file.read_exact(&mut last)?;
                if last != *b"\n" {
                    file.write_all(b"\n")?;
                }
            }
            Ok(file)
        };
        Ok(Self { path: path.to_path_buf(), file: attempt().map_err(failed)? })
    }

    /// Appends one line in a single write.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn append(&mut self, event: &Event) -> Result<(), StoreError> {
        let failed = |source| StoreError::Write { path: self.path.clone(), source };
        let mut line = serde_json::to_vec(event).map_err(|e| failed(io::Error::other(e)))?;
        line.push(b'\n');
        self.file.write_all(&line).map_err(failed)
    }
}

/// All events of a log, in order; lines that are torn or of a later version are passed over.
///
/// # Errors
/// When the file cannot be read.
pub fn read(path: &Path) -> Result<Vec<Event>, StoreError> {
    let failed = |source| StoreError::Read { path: path.to_path_buf(), source };
    let file = BufReader::new(File::open(path).map_err(failed)?);
    let mut events = Vec::new();
    for line in file.split(b'\n') {
        if let Ok(event) = serde_json::from_slice(&line.map_err(failed)?) {
            events.push(event);
        }
    }
    Ok(events)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_torn_last_line_costs_only_itself() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events.jsonl");
        let first = Event::Step(Figures { step: 3, kimg: 0.5, critic_loss: 1.25, ..Figures::default() });
        let second = Event::Ended { step: 4, how: "paused".to_owned() };
        Log::open(&path).unwrap().append(&first).unwrap();
        OpenOptions::new().append(true).open(&path).unwrap().write_all(b"{\"event\":\"st").unwrap();
        assert_eq!(read(&path).unwrap(), std::slice::from_ref(&first));
        Log::open(&path).unwrap().append(&second).unwrap();
        assert_eq!(read(&path).unwrap(), [first, second]);
    }
}
