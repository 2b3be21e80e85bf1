//! A run that is being composed: a spec as text fields, checked as one types, each problem beside the field that causes it.
//!
//! The fields are those of the spec's own file, so that nothing a spec can say is out of reach here.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use toml::{Table, Value};

use crate::generator::Family;
use crate::training::presets;
use crate::training::spec::{Anchor, Average, Loss, RunSpec, StopRule};

/// Parts of a spec that may be absent.
const OPTIONAL: [&str; 7] = [
    "anchor",
    "micro_batch",
    "optimiser.below",
    "quality.encoder",
    "quality.second_encoder",
    "quality.stop",
    "start_from",
];

/// Fields that name a file, and what is said while they are empty.
const FILES: [(&str, &str); 3] = [
    ("quality.encoder", "give the file of an encoder"),
    ("quality.second_encoder", "give the file of another encoder"),
    ("start_from", "give a checkpoint of another run"),
];

/// A spec that is being written.
pub struct Draft {
    preset: &'static str,
    family: Family,
    table: Table,
    /// What is typed into a field and is not of its kind, or not yet.
    typed: BTreeMap<String, String>,
    /// The device of the run that it began with, so that one that is not in the list can be chosen again.
    device: Option<String>,
    /// Side of the largest images in the chosen pack, where that is known.
    largest: Option<usize>,
    /// Fields whose file is not there: looked for when the field changes, not at every frame.
    missing: BTreeSet<&'static str>,
    verdict: Verdict,
}

/// What is wrong with a draft; nothing where there is a spec.
#[derive(Debug, Clone, Default)]
struct Verdict {
    spec: Option<RunSpec>,
    /// By the field that causes it.
    problems: BTreeMap<String, String>,
    /// Where no single field causes it.
    elsewhere: Option<String>,
}

/// One field of the spec's file.
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    /// Its place in the file: `schedule.levels.0.batch`.
    pub path: String,
    /// What is typed.
    pub text: String,
    /// What it may be, where that is a short list.
    pub choices: Vec<String>,
    /// What is wrong with it.
    pub problem: Option<String>,
}

impl Draft {
    /// A preset's spec; name and cohort are kept from `before` where there is one.
    ///
    /// Where the family was not published at that size, its largest is taken.
    pub fn new(preset: &'static str, family: Family, before: Option<&Self>) -> Self {
        let preset = if presets::preset(preset, family).is_some() { preset } else { "paper-128" };
        let spec = presets::preset(preset, family);
        let mut table = spec.and_then(|spec| Table::try_from(spec).ok()).unwrap_or_default();
        for kept in ["name", "cohort", "seed"] {
            if let Some(value) = before.and_then(|draft| draft.table.get(kept)) {
                table.insert(kept.to_owned(), value.clone());
            }
        }
        if before.is_none() {
            table.insert("cohort".to_owned(), Value::String(String::new()));
        }
        let mut draft = Self {
            preset,
            family,
            table,
            typed: BTreeMap::new(),
            device: None,
            largest: before.and_then(|draft| draft.largest),
            missing: BTreeSet::new(),
            verdict: Verdict::default(),
        };
        draft.check();
        draft
    }

    /// The spec of another run, to be changed.
    pub fn like(spec: &RunSpec) -> Self {
        let family = spec.network.family;
        let mut draft = Self::new(presets::NAMES[0], family, None);
        draft.preset = "";
        draft.table = Table::try_from(spec).unwrap_or_default();
        draft.device = draft.field("device").map(|field| field.text);
        FILES.iter().for_each(|(path, _)| draft.look_for_file(path));
        draft.check();
        draft
    }

    /// The preset that it began with; empty for the spec of another run.
    pub fn preset(&self) -> &'static str {
        self.preset
    }

    /// The networks' family.
    pub fn family(&self) -> Family {
        self.family
    }

    /// The spec, once nothing is wrong.
    pub fn spec(&self) -> Option<&RunSpec> {
        self.verdict.spec.as_ref()
    }

    /// What is wrong and belongs to no single field.
    pub fn problem_elsewhere(&self) -> Option<&str> {
        self.verdict.elsewhere.as_deref()
    }

    /// How many fields are wrong.
    pub fn problems(&self) -> usize {
        self.verdict.problems.len()
    }

    /// Takes in the side of the largest images in the chosen pack; `None` where that is not known.
    pub fn set_largest(&mut self, side: Option<usize>) {
        self.largest = side;
        self.check();
    }

    /// Why the chosen pack cannot serve the chosen size, and what to do.
    pub fn too_large(&self) -> Option<String> {
        let (side, largest) = self.sides_apart()?;
        Some(format!(
            "The cohort holds images of {largest} px at most; choose a smaller size or import it anew with --resolution \
             {side}."
        ))
    }

    /// The run's side and the pack's largest, where the run's is the larger.
    fn sides_apart(&self) -> Option<(i64, usize)> {
        let side = at(&self.table, "network.resolution")?.as_integer()?;
        self.largest.filter(|&largest| side > largest as i64).map(|largest| (side, largest))
    }

    /// The field at `path`, if there is one.
    pub fn field(&self, path: &str) -> Option<Field> {
        let value = at(&self.table, path)?;
        Some(self.describe(path.to_owned(), value))
    }

    /// All fields, in the order of the file.
    pub fn fields(&self) -> Vec<Field> {
        let mut found = Vec::new();
        walk(&self.table, "", &mut |path, value| found.push(self.describe(path.to_owned(), value)));
        found
    }

    fn describe(&self, path: String, value: &Value) -> Field {
        let mut text = self.typed.get(&path).cloned().unwrap_or_else(|| plain(value));
        let mut choices: Vec<String> = choices(&path).iter().map(|&choice| choice.to_owned()).collect();
        if path == "device" {
            // A spec's file names the first device of a kind by its number.
            if let Some(kind) = text.strip_suffix(":0") {
                text = kind.to_owned();
            }
            choices.extend(self.device.clone().filter(|own| !choices.contains(own)));
        }
        let problem = self.verdict.problems.get(&path).cloned();
        Field { path, text, choices, problem }
    }

    /// Takes what was typed into a field.
    pub fn set(&mut self, path: &str, text: &str) {
        if path == "cohort" {
            self.largest = None;
        }
        if matches!(path, "loss.kind" | "average.kind") {
            self.set_kind(path, text);
        } else if let Some(value) = at_mut(&mut self.table, path) {
            match parsed(value, text) {
                Some(new) => {
                    *value = new;
                    self.typed.remove(path);
                    self.look_for_file(path);
                }
                None => {
                    self.typed.insert(path.to_owned(), text.to_owned());
                }
            }
        }
        self.check();
    }

    /// Another kind of loss or average has other numbers; the same kind keeps its own.
    fn set_kind(&mut self, path: &str, kind: &str) {
        if plain_at(&self.table, path) == kind {
            return;
        }
        if let (Some(table), Some((part, _))) = (of_kind(path, kind), path.split_once('.')) {
            self.typed.retain(|typed, _| !typed.starts_with(part));
            self.table.insert(part.to_owned(), Value::Table(table));
        }
    }

    /// The parts that may be absent, and whether they are there.
    pub fn optional(&self) -> impl Iterator<Item = (&'static str, bool)> {
        OPTIONAL.into_iter().map(|name| (name, at(&self.table, name).is_some()))
    }

    /// Switches a part on or off that may be absent.
    pub fn switch(&mut self, part: &str, on: bool) {
        if on {
            let value = self.beginning(part);
            put(&mut self.table, part, value);
            self.look_for_file(part);
        } else {
            put(&mut self.table, part, None);
            self.typed.retain(|typed, _| !typed.starts_with(part));
        }
        self.check();
    }

    /// What a part that may be absent is when it is switched on.
    fn beginning(&self, part: &str) -> Option<Value> {
        match part {
            // Read from text, so that numbers which a spec may leave out begin at their defaults.
            "anchor" => toml::from_str::<Anchor>(
                "alone_kimg = 10.0\nweight = 1.0\nfindings = 10.0\nfindings_later = 0.0\nrate = 0.01",
            )
            .ok()
            .and_then(|anchor| Value::try_from(anchor).ok()),
            "micro_batch" => Some(Value::Integer(8)),
            "optimiser.below" => Some(Value::Float(0.1)),
            "quality.stop" => {
                let total = at(&self.table, "schedule.total_kimg").and_then(Value::as_float)?;
                Value::try_from(StopRule { from_kimg: total / 2.0, patience: 2 }).ok()
            }
            _ => Some(Value::String(String::new())),
        }
    }

    /// Notes whether the file is there that a field names.
    fn look_for_file(&mut self, path: &str) {
        let Some(&(path, _)) = FILES.iter().find(|(own, _)| *own == path) else { return };
        if Path::new(&plain_at(&self.table, path)).is_file() {
            self.missing.remove(path);
        } else {
            self.missing.insert(path);
        }
    }

    /// The spec as its file will be.
    pub fn to_toml(&self) -> String {
        toml::to_string(&self.table).unwrap_or_default()
    }

    fn check(&mut self) {
        let mut problems: BTreeMap<String, String> = BTreeMap::new();
        for (path, text) in &self.typed {
            if let Some(value) = at(&self.table, path) {
                problems.insert(path.clone(), needs(value, text));
            }
        }
        if plain_at(&self.table, "cohort").is_empty() {
            problems.insert("cohort".to_owned(), "choose the pack to train on".to_owned());
        }
        for (path, wanted) in FILES {
            let Some(file) = at(&self.table, path).filter(|_| self.missing.contains(path)) else { continue };
            let problem = if plain(file).is_empty() { wanted } else { "there is no such file" };
            problems.insert(path.to_owned(), problem.to_owned());
        }
        if let Some((side, largest)) = self.sides_apart() {
            problems
                .entry("network.resolution".to_owned())
                .or_insert(format!("{side} px is more than the cohort's {largest} px"));
        }
        let mut elsewhere = None;
        let spec = match read(&self.table) {
            Ok(spec) => Some(spec),
            Err(problem) => {
                match self.culprit(&problem) {
                    Some(path) => {
                        problems.entry(path).or_insert(problem);
                    }
                    None => elsewhere = Some(problem),
                }
                None
            }
        };
        let spec = spec.filter(|_| problems.is_empty());
        self.verdict = Verdict { spec, problems, elsewhere };
    }

    /// The field without which the problem would not be: set back to the preset's value, it goes away.
    fn culprit(&self, problem: &str) -> Option<String> {
        let base = presets::preset(if self.preset.is_empty() { presets::NAMES[0] } else { self.preset }, self.family);
        let mut base = Table::try_from(base?).ok()?;
        for (part, path) in [("loss", "loss.kind"), ("average", "average.kind")] {
            let kind = plain_at(&self.table, path);
            if let Some(table) = of_kind(path, &kind).filter(|_| plain_at(&base, path) != kind) {
                base.insert(part.to_owned(), Value::Table(table));
            }
        }
        for (part, on) in self.optional() {
            if on && at(&base, part).is_none() {
                put(&mut base, part, self.beginning(part));
            }
        }
        let mut changed = Vec::new();
        walk(&self.table, "", &mut |path, value| {
            if at(&base, path).is_some_and(|own| own != value) {
                changed.push(path.to_owned());
            }
        });
        changed.into_iter().find(|path| {
            let mut other = self.table.clone();
            if let (Some(value), Some(own)) = (at_mut(&mut other, path), at(&base, path)) {
                *value = own.clone();
            }
            read(&other).err().is_none_or(|other| other != problem)
        })
    }
}

/// A kind of loss or average with the numbers that it begins with.
fn of_kind(path: &str, kind: &str) -> Option<Table> {
    let table = match (path, kind) {
        ("loss.kind", "wgan_gp") => Table::try_from(Loss::WganGp { penalty: 10.0, drift: 0.001 }),
        ("loss.kind", "r1") => Table::try_from(Loss::R1 { gamma: 1.0, every: 8, label_weight: 0.5 }),
        ("average.kind", "per_step") => Table::try_from(Average::PerStep { decay: 0.999 }),
        ("average.kind", "half_life") => Table::try_from(Average::HalfLife { kimg: 5.0 }),
        _ => return None,
    };
    table.ok()
}

fn read(table: &Table) -> Result<RunSpec, String> {
    RunSpec::parse(&toml::to_string(table).map_err(|error| error.to_string())?)
}

/// Calls `see` for every number, word and switch in the table.
fn walk(table: &Table, before: &str, see: &mut dyn FnMut(&str, &Value)) {
    for (name, value) in table {
        let path = if before.is_empty() { name.clone() } else { format!("{before}.{name}") };
        match value {
            Value::Table(inner) => walk(inner, &path, see),
            Value::Array(items) => {
                for (i, item) in items.iter().enumerate() {
                    match item {
                        Value::Table(inner) => walk(inner, &format!("{path}.{i}"), see),
                        plain => see(&format!("{path}.{i}"), plain),
                    }
                }
            }
            plain => see(&path, plain),
        }
    }
}

fn at<'a>(table: &'a Table, path: &str) -> Option<&'a Value> {
    let mut parts = path.split('.');
    let first = table.get(parts.next()?)?;
    parts.try_fold(first, |value, part| match value {
        Value::Table(inner) => inner.get(part),
        Value::Array(items) => items.get(part.parse::<usize>().ok()?),
        _ => None,
    })
}

fn at_mut<'a>(table: &'a mut Table, path: &str) -> Option<&'a mut Value> {
    let mut parts = path.split('.');
    let first = table.get_mut(parts.next()?)?;
    parts.try_fold(first, |value, part| match value {
        Value::Table(inner) => inner.get_mut(part),
        Value::Array(items) => items.get_mut(part.parse::<usize>().ok()?),
        _ => None,
    })
}

/// Puts a value at `path`, whose table is there, or takes away what is there.
fn put(table: &mut Table, path: &str, value: Option<Value>) {
    let (table, name) = match path.rsplit_once('.') {
        Some((outer, name)) => (at_mut(table, outer).and_then(Value::as_table_mut), name),
        None => (Some(table), path),
    };
    match (table, value) {
        (Some(table), Some(value)) => table.insert(name.to_owned(), value),
        (Some(table), None) => table.remove(name),
        (None, _) => None,
    };
}

/// A value as a person types it.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Float(number) => number.to_string(),
        other => other.to_string(),
    }
}

fn plain_at(table: &Table, path: &str) -> String {
    at(table, path).map(plain).unwrap_or_default()
}

/// What was typed as a value of the same kind as `like`.
fn parsed(like: &Value, text: &str) -> Option<Value> {
    let text = text.trim();
    match like {
        Value::Float(_) => text.replace('\u{2212}', "-").parse().ok().filter(|v: &f64| v.is_finite()).map(Value::Float),
        Value::Integer(_) => text.parse().ok().map(Value::Integer),
        Value::Boolean(_) => text.parse().ok().map(Value::Boolean),
        Value::String(_) => Some(Value::String(text.to_owned())),
        _ => None,
    }
}

fn needs(value: &Value, text: &str) -> String {
    let kind = match value {
        Value::Integer(_) => "a whole number",
        Value::Boolean(_) => "true or false",
        _ => "a number",
    };
    if text.trim().is_empty() { format!("give {kind}") } else { format!("\u{201c}{text}\u{201d} is not {kind}") }
}

/// What a field may be, where that is a short list.
fn choices(path: &str) -> &'static [&'static str] {
    match path {
        "network.family" => &["prog_gan", "cpd_gan"],
        "loss.kind" => &["wgan_gp", "r1"],
        "average.kind" => &["per_step", "half_life"],
        "data.augment" => &["none", "translate", "translate_tone"],
        "data.balanced" | "record.half_precision" | "record.tensorboard" => &["true", "false"],
        "guard.then" => &["roll_back", "stop"],
        "precision" => &["f32"],
        "device" => &["auto", "cpu", "cuda", "cuda:1", "metal"],
        _ => &[],
    }
}

#[cfg(test)]
pub(super) mod tests;
