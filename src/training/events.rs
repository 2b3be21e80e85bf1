//! The event log: one JSON object per line, appended and flushed, so that a watcher can follow and a crash costs a line.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::store::{self, StoreError};

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
    /// How near the samples have come to the reals.
    Quality(Quality),
    /// Something a person should know: a damaged checkpoint passed over, for example.
    Notice {
        /// A sentence.
        text: String,
    },
    /// The run ended, or paused.
    Ended {
        /// Critic steps behind it.
        step: u64,
        /// `finished`, `stopped`, `paused` or `failed`; the notice before a failure says why.
        how: String,
    },
}

/// How near the samples have come to the reals of the train fold, in an encoder's features.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Quality {
    /// Critic steps behind it.
    pub step: u64,
    /// Real images shown, in thousands.
    pub kimg: f64,
    /// Fréchet distance between the two clouds of features; comparable only at the same count and encoder.
    pub fid: f64,
    /// Kernel distance (unbiased: it may fall below 0), mean over blocks.
    pub kid: f64,
    /// Samples, and as many reals, that were compared.
    pub count: usize,
    /// Name of the encoder whose features were compared.
    pub encoder: String,
    /// Standard deviation of the kernel distance between blocks.
    #[serde(default)]
    pub kid_deviation: f64,
    /// Share of samples inside the manifold of reals, 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub precision: Option<f64>,
    /// Share of reals inside the manifold of samples, 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recall: Option<f64>,
    /// Mean number of real neighbourhoods that hold a sample, over their size.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub density: Option<f64>,
    /// Share of reals whose neighbourhood holds a sample, 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub coverage: Option<f64>,
    /// Where the median of the samples' nearest distances lies among those of held-out radiographs, 0 to 100: 50 where
    /// samples are as far from the train fold as patients never seen, towards 0 where they are copies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nearest_percentile: Option<f64>,
    /// Share of samples nearer to the train fold than the nearest hundredth of held-out radiographs, 0 to 1; 0.01 where
    /// samples are no nearer than patients never seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nearest_hundredth: Option<f64>,
    /// Whether the second encoder measured it: the same samples and reals, right after the first's figures. It judges
    /// neither the best checkpoint nor the stop rule.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub second: bool,
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
    /// Length of the critic's gradient at this step.
    #[serde(default)]
    pub critic_gradient: f32,
    /// Length of the generator's gradient at this step.
    #[serde(default)]
    pub generator_gradient: f32,
    /// Memory of this computer that the process holds, in bytes; 0 where the system does not say.
    #[serde(default)]
    pub memory_bytes: u64,
    /// Memory of the GPU that is in use, in bytes, by all processes together; absent where none computes or it is not told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_memory_bytes: Option<u64>,
    /// All memory of that GPU, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_memory_total_bytes: Option<u64>,
    /// Whether the generator learnt from the anchor alone: nothing is said of a critic then.
    #[serde(default)]
    pub alone: bool,
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
            store::permit()?;
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
        store::permit().and_then(|()| self.file.write_all(&line)).map_err(failed)
    }
}

/// Follows a log that another process writes: each look reads only what was appended since the one before.
#[derive(Debug, Clone)]
pub struct Tail {
    path: PathBuf,
    offset: u64,
}

/// What one look at a log found.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct News {
    /// The events appended since the look before, in order.
    pub events: Vec<Event>,
    /// The log has become shorter, so it is another one: these are its first events, and what was known is void.
    pub anew: bool,
}

/// Most bytes that one look takes into memory; the rest waits for the next.
const MOST_AT_ONCE: u64 = 16 << 20;

impl Tail {
    /// Follows the log at `path` from its beginning; it need not exist yet.
    pub fn new(path: &Path) -> Self {
        Self { path: path.to_path_buf(), offset: 0 }
    }

    /// Bytes read so far: a line that is not yet whole is not among them.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// What was appended since the last look; nothing where there is no log yet.
    ///
    /// # Errors
    /// When the file is there and cannot be read.
    pub fn look(&mut self) -> Result<News, StoreError> {
        let failed = |source| StoreError::Read { path: self.path.clone(), source };
        let mut file = match File::open(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(News::default()),
            opened => opened.map_err(failed)?,
        };
        let anew = file.metadata().map_err(failed)?.len() < self.offset;
        let from = if anew { 0 } else { self.offset };
        file.seek(SeekFrom::Start(from)).map_err(failed)?;
        let mut bytes = Vec::new();
        file.take(MOST_AT_ONCE).read_to_end(&mut bytes).map_err(failed)?;
        let whole = bytes.iter().rposition(|&byte| byte == b'\n').map_or(0, |last| last + 1);
        self.offset = from + whole as u64;
        let lines = bytes[..whole].split(|&byte| byte == b'\n');
        let events = lines.filter_map(|line| serde_json::from_slice(line).ok()).collect();
        Ok(News { events, anew })
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

    #[test]
    fn a_tail_reads_each_whole_line_once_and_a_new_log_from_its_beginning() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events.jsonl");
        let mut tail = Tail::new(&path);
        assert_eq!(tail.look().unwrap(), News::default());
        let event = |step| Event::Ended { step, how: "paused".to_owned() };
        let mut log = Log::open(&path).unwrap();
        log.append(&event(1)).unwrap();
        assert_eq!(tail.look().unwrap(), News { events: vec![event(1)], anew: false });
        assert_eq!(tail.look().unwrap(), News::default());
        // Half a line waits until it is whole.
        let line = serde_json::to_vec(&event(2)).unwrap();
        let write = |bytes: &[u8]| OpenOptions::new().append(true).open(&path).unwrap().write_all(bytes).unwrap();
        write(&line[..10]);
        assert_eq!(tail.look().unwrap().events, []);
        write(&line[10..]);
        write(b"\n");
        assert_eq!(tail.look().unwrap().events, [event(2)]);
        std::fs::remove_file(&path).unwrap();
        Log::open(&path).unwrap().append(&event(3)).unwrap();
        assert_eq!(tail.look().unwrap(), News { events: vec![event(3)], anew: true });
    }

    #[test]
    fn lines_of_earlier_versions_are_still_read() {
        let line = r#"{"event":"quality","step":4,"kimg":1.5,"fid":20.5,"kid":0.25,"count":500,"encoder":"small"}"#;
        let Event::Quality(quality) = serde_json::from_str(line).unwrap() else { panic!("not a quality") };
        assert_eq!((quality.fid, quality.count, quality.nearest_percentile), (20.5, 500, None));
        // One encoder's figures are written as they were before there could be a second.
        assert!(!quality.second && !serde_json::to_string(&quality).unwrap().contains("second"));
        let second = serde_json::to_string(&Event::Quality(Quality { second: true, ..quality })).unwrap();
        assert!(matches!(serde_json::from_str(&second).unwrap(), Event::Quality(Quality { second: true, .. })));
        let line = r#"{"event":"step","step":1,"kimg":0.1,"side":8,"fade":0.0,"critic_loss":1.0,"generator_loss":1.0,
            "real_score":0.0,"fake_score":0.0,"penalty":0.0,"skipped":0,"images_per_second":9.0,"seconds_left":1.0}"#;
        let Event::Step(figures) = serde_json::from_str(&line.replace('\n', "")).unwrap() else { panic!("not a step") };
        assert_eq!((figures.images_per_second, figures.memory_bytes), (9.0, 0));
        assert_eq!(figures.device_memory_bytes, None);
        // A run without a GPU says nothing of one.
        assert!(!serde_json::to_string(&figures).unwrap().contains("device_memory"));
        let figures = Figures { device_memory_bytes: Some(3), device_memory_total_bytes: Some(9), ..figures };
        assert_eq!(serde_json::from_str::<Figures>(&serde_json::to_string(&figures).unwrap()).unwrap(), figures);
    }
}
