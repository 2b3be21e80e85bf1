//! Time as it is measured here: the median of repeats, and the processor time of the whole process.

use std::fmt;
use std::sync::OnceLock;
use std::time::Instant;

use serde_json::{Map, Value};

use crate::compute::kernel::{Instructions, peak};
use crate::compute::memory;

/// How long to measure.
#[derive(Debug, Clone, Copy)]
pub struct Meter {
    seconds: f64,
    /// A tenth of everything.
    pub quick: bool,
}

/// One line of the table.
#[derive(Debug, Clone)]
pub struct Row {
    work: &'static str,
    figures: Map<String, Value>,
}

impl Row {
    /// A row without figures yet.
    pub fn new(work: &'static str) -> Self {
        Self { work, figures: Map::new() }
    }

    /// The row that another process told in JSON.
    ///
    /// # Errors
    /// When it is no JSON object.
    pub fn parse(work: &'static str, json: &str) -> serde_json::Result<Self> {
        let mut figures: Map<String, Value> = serde_json::from_str(json)?;
        figures.remove("work");
        Ok(Self { work, figures })
    }

    /// Adds a parameter or a figure.
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.figures.insert(name.to_owned(), value.into());
        self
    }

    /// Adds the share of one thread's highest rate that `operations` floating-point operations per call came to, where
    /// processor time is known.
    pub fn with_share(self, operations: f64) -> Self {
        let cpu = self.figures.get("cpu_ms").and_then(Value::as_f64);
        match (cpu, highest_rate()) {
            (Some(cpu), Some(rate)) => {
                let share = operations / (cpu / 1e3) / rate;
                self.with("gflop", operations / 1e9).with("share_of_peak", share)
            }
            _ => self,
        }
    }

    /// The row as a line of JSON.
    pub fn json(&self) -> String {
        let mut all = Map::new();
        all.insert("work".to_owned(), self.work.into());
        all.extend(self.figures.clone());
        Value::Object(all).to_string()
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:<9}", self.work)?;
        for (name, value) in &self.figures {
            match value.as_f64().filter(|_| !value.is_u64()) {
                Some(number) if number != 0.0 && number.abs() < 0.005 => write!(f, "  {name} {number:.1e}")?,
                Some(number) => write!(f, "  {name} {number:.2}")?,
                None => write!(f, "  {name} {}", value.as_str().map_or_else(|| value.to_string(), str::to_owned))?,
            }
        }
        Ok(())
    }
}

impl Meter {
    /// Two seconds for each row, or a fifth of one.
    pub fn new(quick: bool) -> Self {
        Self { seconds: if quick { 0.2 } else { 2.0 }, quick }
    }

    /// `count`, or a tenth of it when in a hurry.
    pub fn scaled(&self, count: usize) -> usize {
        if self.quick { count.div_ceil(10) } else { count }
    }

    /// Calls `work` once to warm up, then for the meter's time and three times at least.
    pub fn time<E>(&self, row: Row, mut work: impl FnMut() -> Result<(), E>) -> Result<Row, E> {
        work()?;
        let (begun, cpu) = (Instant::now(), cpu_seconds());
        let mut times = Vec::new();
        while times.len() < 3 || begun.elapsed().as_secs_f64() < self.seconds {
            let start = Instant::now();
            work()?;
            times.push(start.elapsed().as_secs_f64() * 1e3);
        }
        Ok(row.measured(times, cpu))
    }

    /// As [`Meter::time`] for what cannot fail.
    pub fn time_plain(&self, row: Row, mut work: impl FnMut()) -> Row {
        let timed: Result<Row, std::convert::Infallible> = self.time(row, || {
            work();
            Ok(())
        });
        match timed {
            Ok(row) => row,
            Err(never) => match never {},
        }
    }
}

impl Row {
    /// Adds the median of `times` in milliseconds, and the processor time since `cpu` for each of them.
    pub fn measured(self, mut times: Vec<f64>, cpu: Option<f64>) -> Self {
        let spent = cpu_seconds().zip(cpu).map(|(now, then)| (now - then) / times.len() as f64 * 1e3);
        times.sort_by(f64::total_cmp);
        let row = self.with("median_ms", times[times.len() / 2]).with("fastest_ms", times[0]);
        let row = row.with("repeats", times.len());
        match spent {
            Some(spent) => row.with("cpu_ms", spent),
            None => row,
        }
    }
}

/// Seconds of processor time that this process has used on all threads; `None` where the system does not tell.
pub fn cpu_seconds() -> Option<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // The name in brackets may hold spaces; user and system time are the 12th and 13th field behind it, in 1/100 s.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let mut ticks = || fields.next()?.parse::<f64>().ok();
    Some((ticks()? + ticks()?) / 100.0)
}

/// A figure of this process's memory in MB, such as `VmHWM:`; `None` where the system does not tell.
pub fn memory_mb(name: &str) -> Option<f64> {
    memory::own(name).map(|bytes| bytes as f64 / f64::from(1 << 20))
}

/// Floating-point operations per second that one thread reaches at most, measured once.
fn highest_rate() -> Option<f64> {
    static RATE: OnceLock<Option<f64>> = OnceLock::new();
    *RATE.get_or_init(|| peak::rate(Instructions::best()))
}

/// The row of the highest rate.
pub fn peak() -> Row {
    let row = Row::new("peak").with("instructions", Instructions::best().name());
    let row = row.with("threads", rayon::current_num_threads());
    match highest_rate() {
        Some(rate) => row.with("gflop_per_second_and_thread", rate / 1e9),
        None => row.with("gflop_per_second_and_thread", Value::Null),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_tells_parameters_median_and_repeats() {
        let row = Row::new("sampler").with("batch", 8).measured(vec![3.0, 1.0, 2.0], None);
        let json: Value = serde_json::from_str(&row.json()).unwrap();
        assert_eq!((json["work"].as_str(), json["batch"].as_u64()), (Some("sampler"), Some(8)));
        assert_eq!((json["median_ms"].as_f64(), json["fastest_ms"].as_f64()), (Some(2.0), Some(1.0)));
        assert_eq!(json["repeats"].as_u64(), Some(3));
        assert_eq!(Row::parse("sampler", &row.json()).unwrap().json(), row.json());
        assert_eq!(row.to_string(), "sampler    batch 8  fastest_ms 1.00  median_ms 2.00  repeats 3");
    }

    #[test]
    fn processor_time_grows_with_work() {
        let Some(before) = cpu_seconds() else {
            println!("this system does not tell processor time: nothing to test");
            return;
        };
        let begun = Instant::now();
        let mut sum = 0.0f64;
        while begun.elapsed().as_secs_f64() < 0.2 {
            sum += std::hint::black_box(1.0);
        }
        let after = cpu_seconds().unwrap();
        assert!(sum > 0.0 && after >= before, "{before} {after}");
    }
}
