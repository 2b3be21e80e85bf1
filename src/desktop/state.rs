//! What the window remembers between starts: small settings, apart from the session.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// How many models the picker remembers.
const RECENT: usize = 8;
/// How many folders of runs, and of packs to train on.
const FOLDERS: usize = 16;

/// Dark or light.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
pub enum ThemeChoice {
    /// As reading rooms are.
    #[default]
    Dark,
    /// For projectors.
    Light,
}

/// Where live samples are computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
pub enum SampleOn {
    /// Where a measurement says it is faster.
    #[default]
    Faster,
    /// On the processor.
    Processor,
    /// On the graphics device that draws the window.
    Graphics,
}

/// A model that was open once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recent {
    /// Its file.
    pub path: PathBuf,
    /// Its name when it was open.
    pub name: String,
    /// Its identity when it was open: recipes name it.
    pub id: String,
}

/// Where new runs are sent that are not to be trained on this machine; texts as they are typed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ClusterChoice {
    /// Whether new runs go there.
    pub chosen: bool,
    /// Login node, over ssh; Slurm is on this machine where it is empty.
    pub host: String,
    /// Folder of Slurm's commands there, where they are not found without it.
    pub commands: String,
    /// The program as the nodes see it; this one where it is empty.
    pub program: String,
    /// Folder for runs that every node sees under the same path; the program's own where it is empty.
    pub folder: String,
    /// Partition; the cluster's own choice where it is empty.
    pub partition: String,
    /// Time limit as Slurm writes it.
    pub time: String,
    /// GPUs of a run.
    pub gpus: u32,
    /// Cores of a run.
    pub cores: u32,
    /// Memory of a run as Slurm writes it.
    pub memory: String,
}

impl Default for ClusterChoice {
    fn default() -> Self {
        Self {
            chosen: false,
            host: String::new(),
            commands: String::new(),
            program: String::new(),
            folder: String::new(),
            partition: String::new(),
            time: "24:00:00".to_owned(),
            gpus: 0,
            cores: 4,
            memory: "16G".to_owned(),
        }
    }
}

/// What is remembered between starts. No images, no recipes, nothing of patients.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// Theme.
    pub theme: ThemeChoice,
    /// The model open last.
    pub last_model: Option<PathBuf>,
    /// Models that were open, newest first.
    pub recent: Vec<Recent>,
    /// Where the pack of each cohort lies, by the cohort's identity.
    pub cohorts: BTreeMap<String, PathBuf>,
    /// Names given to principal directions, by generator identity and component.
    pub direction_names: BTreeMap<String, BTreeMap<u16, String>>,
    /// Linear interpolation on the light box.
    pub linear: bool,
    /// Where live samples are computed.
    pub sampling: SampleOn,
    /// Contact sheet with a row for each finding.
    pub sheet_rows: bool,
    /// Folders that are runs or hold runs, besides the program's own.
    pub run_folders: Vec<PathBuf>,
    /// Packs that were trained on, newest first.
    pub training_cohorts: Vec<PathBuf>,
    /// Where the last export went.
    pub export_folder: Option<PathBuf>,
    /// The cluster that runs were sent to last.
    pub cluster: ClusterChoice,
    /// Whether to ask before the window closes while runs of this machine go on.
    pub ask_on_leaving: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            theme: ThemeChoice::default(),
            last_model: None,
            recent: Vec::new(),
            cohorts: BTreeMap::new(),
            direction_names: BTreeMap::new(),
            linear: true,
            sampling: SampleOn::default(),
            sheet_rows: false,
            run_folders: Vec::new(),
            training_cohorts: Vec::new(),
            export_folder: None,
            cluster: ClusterChoice::default(),
            ask_on_leaving: true,
        }
    }
}

impl Settings {
    /// Under this key the settings lie in the window's storage.
    pub const KEY: &'static str = "settings";

    /// Notes that a model is open.
    pub fn note_model(&mut self, path: &Path, name: &str, id: &str) {
        self.last_model = Some(path.to_path_buf());
        self.recent.retain(|recent| recent.path != path);
        self.recent.insert(0, Recent { path: path.to_path_buf(), name: name.to_owned(), id: id.to_owned() });
        self.recent.truncate(RECENT);
    }

    /// Notes a folder that is a run or holds runs.
    pub fn note_runs(&mut self, folder: &Path) {
        note(&mut self.run_folders, folder);
    }

    /// Notes a pack that is trained on.
    pub fn note_training_cohort(&mut self, folder: &Path) {
        note(&mut self.training_cohorts, folder);
    }

    /// The name of a principal direction: the one given to it, else its number.
    pub fn direction_name(&self, generator: &str, component: u16) -> String {
        let given = self.direction_names.get(generator).and_then(|names| names.get(&component));
        given.cloned().unwrap_or_else(|| format!("Direction {}", component + 1))
    }

    /// Names a principal direction; an empty name gives its number back.
    pub fn name_direction(&mut self, generator: &str, component: u16, name: &str) {
        let names = self.direction_names.entry(generator.to_owned()).or_default();
        match name.trim() {
            "" => names.remove(&component),
            name => names.insert(component, name.chars().take(40).collect()),
        };
    }
}

/// Puts a folder first among those remembered.
fn note(folders: &mut Vec<PathBuf>, folder: &Path) {
    folders.retain(|other| other != folder);
    folders.insert(0, folder.to_path_buf());
    folders.truncate(FOLDERS);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recent_models_are_newest_first_without_repeats() {
        let mut settings = Settings::default();
        for i in 0..20 {
            settings.note_model(Path::new(&format!("m{}.safetensors", i % 10)), "m", "0");
        }
        assert_eq!(settings.recent.len(), RECENT);
        assert_eq!(settings.recent[0].path, Path::new("m9.safetensors"));
        assert_eq!(settings.last_model.as_deref(), Some(Path::new("m9.safetensors")));
    }

    #[test]
    fn directions_keep_their_names_for_each_generator() {
        let mut settings = Settings::default();
        settings.name_direction("a", 0, "  Heart width ");
        assert_eq!(settings.direction_name("a", 0), "Heart width");
        assert_eq!(settings.direction_name("b", 0), "Direction 1");
        settings.name_direction("a", 0, "");
        assert_eq!(settings.direction_name("a", 0), "Direction 1");
    }

    #[test]
    fn settings_of_another_version_are_read_as_far_as_they_go() {
        let old = r#"{"theme":"Light","something_else":1}"#;
        let read: Settings = serde_json::from_str(old).unwrap();
        assert_eq!((read.theme, read.linear), (ThemeChoice::Light, true));
    }
}
