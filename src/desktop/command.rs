//! Everything a person can tell the window to do by name: one list for the palette, the keys and the tests.

mod shortcuts;

pub use shortcuts::pressed;

use super::workspace::Workspace;

/// What the keys page is divided into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    /// What the sample is made of.
    Sample,
    /// How it is looked at.
    View,
    /// Runs.
    Runs,
    /// Films and what classifiers see in them.
    Artefacts,
    /// Files and the clipboard.
    Files,
    /// The window itself.
    Window,
}

impl Group {
    /// All groups in the order of the keys page.
    pub const ALL: [Self; 6] = [Self::Sample, Self::View, Self::Runs, Self::Artefacts, Self::Files, Self::Window];

    /// Its heading.
    pub fn text(self) -> &'static str {
        match self {
            Self::Sample => "Sample",
            Self::View => "View",
            Self::Runs => "Training",
            Self::Artefacts => "Artefacts",
            Self::Files => "Files and clipboard",
            Self::Window => "Window",
        }
    }
}

/// One thing the window can be told to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "`text` and `tooltip` say what each one does, on screen too")]
pub enum Command {
    NextSeed,
    PreviousSeed,
    RandomSeed,
    LockSeed,
    Undo,
    Redo,
    ResetFindings,
    ResetLatent,
    ResetAll,
    ViewSample,
    ViewPair,
    ViewBlink,
    ViewDifference,
    KeepAsA,
    SwapPair,
    Preset1,
    Preset2,
    Preset3,
    Preset4,
    Invert,
    Interpolation,
    ResetView,
    SheetRows,
    OpenModel,
    OpenCohort,
    CopyRecipe,
    CopyCommandLine,
    PasteRecipe,
    ExportPng,
    ExportWindowedPng,
    ExportDicom,
    NewRun,
    OpenRuns,
    TrainOn,
    PauseOrResume,
    EarlierStage,
    LaterStage,
    FirstStage,
    NewestStage,
    ExportCurves,
    Compare,
    Teach,
    NextFilm,
    PreviousFilm,
    NextFinding,
    PreviousFinding,
    TrueOutline,
    OpenClassifier,
    OpenSweepClassifiers,
    OpenFilms,
    GoToExplore,
    GoToTraining,
    GoToBenchmarks,
    GoToArtefacts,
    CopyTable,
    ExportFigure,
    ExportTable,
    ExportReport,
    SampleFaster,
    SampleOnCpu,
    SampleOnGpu,
    Palette,
    Keys,
    Theme,
    Quit,
}

use Command as C;

impl Command {
    /// All commands, in the order of palette and keys page.
    pub const ALL: [Self; 65] = [
        C::NextSeed,
        C::PreviousSeed,
        C::RandomSeed,
        C::LockSeed,
        C::Undo,
        C::Redo,
        C::ResetFindings,
        C::ResetLatent,
        C::ResetAll,
        C::ViewSample,
        C::ViewPair,
        C::ViewBlink,
        C::ViewDifference,
        C::KeepAsA,
        C::SwapPair,
        C::Preset1,
        C::Preset2,
        C::Preset3,
        C::Preset4,
        C::Invert,
        C::Interpolation,
        C::ResetView,
        C::SheetRows,
        C::OpenModel,
        C::OpenCohort,
        C::CopyRecipe,
        C::CopyCommandLine,
        C::PasteRecipe,
        C::ExportPng,
        C::ExportWindowedPng,
        C::ExportDicom,
        C::NewRun,
        C::OpenRuns,
        C::TrainOn,
        C::PauseOrResume,
        C::EarlierStage,
        C::LaterStage,
        C::FirstStage,
        C::NewestStage,
        C::ExportCurves,
        C::Compare,
        C::Teach,
        C::NextFilm,
        C::PreviousFilm,
        C::NextFinding,
        C::PreviousFinding,
        C::TrueOutline,
        C::OpenClassifier,
        C::OpenSweepClassifiers,
        C::OpenFilms,
        C::GoToExplore,
        C::GoToTraining,
        C::GoToBenchmarks,
        C::GoToArtefacts,
        C::CopyTable,
        C::ExportFigure,
        C::ExportTable,
        C::ExportReport,
        C::SampleFaster,
        C::SampleOnCpu,
        C::SampleOnGpu,
        C::Palette,
        C::Keys,
        C::Theme,
        C::Quit,
    ];

    /// Its name; "…" where it asks for more.
    pub fn text(self) -> &'static str {
        match self {
            C::NextSeed => "Next seed",
            C::PreviousSeed => "Previous seed",
            C::RandomSeed => "Random seed",
            C::LockSeed => "Lock or unlock seed",
            C::Undo => "Undo",
            C::Redo => "Redo",
            C::ResetFindings => "Switch off all findings",
            C::ResetLatent => "Reset latent plane and directions",
            C::ResetAll => "Reset everything but the seed",
            C::ViewSample => "Sample",
            C::ViewPair => "A | B",
            C::ViewBlink => "Blink",
            C::ViewDifference => "Difference",
            C::KeepAsA => "Keep this sample as A",
            C::SwapPair => "Swap A and B",
            C::Preset1 => "Window preset 1",
            C::Preset2 => "Window preset 2",
            C::Preset3 => "Window preset 3",
            C::Preset4 => "Window preset 4",
            C::Invert => "Invert",
            C::Interpolation => "Linear or nearest pixels",
            C::ResetView => "Reset window, zoom and pan",
            C::SheetRows => "Contact sheet by findings",
            C::OpenModel => "Open model…",
            C::OpenCohort => "Open cohort…",
            C::CopyRecipe => "Copy recipe",
            C::CopyCommandLine => "Copy as command line",
            C::PasteRecipe => "Paste recipe",
            C::ExportPng => "Export 16-bit PNG…",
            C::ExportWindowedPng => "Export PNG as seen…",
            C::ExportDicom => "Export DICOM…",
            C::NewRun => "New run…",
            C::OpenRuns => "Open runs…",
            C::TrainOn => "Train on another pack…",
            C::PauseOrResume => "Pause or resume run",
            C::EarlierStage => "Stage before",
            C::LaterStage => "Stage after",
            C::FirstStage => "First stage",
            C::NewestStage => "Newest stage",
            C::ExportCurves => "Export curves…",
            C::Compare => "Compare stages with real films",
            C::Teach => "Teacher's mode",
            C::NextFilm => "Next film",
            C::PreviousFilm => "Film before",
            C::NextFinding => "Next finding",
            C::PreviousFinding => "Finding before",
            C::TrueOutline => "Show or hide the true outline",
            C::OpenClassifier => "Open classifier…",
            C::OpenSweepClassifiers => "Open classifiers of a sweep…",
            C::OpenFilms => "Look at films of a pack…",
            C::GoToExplore => "Go to Explore",
            C::GoToTraining => "Go to Training",
            C::GoToBenchmarks => "Go to Benchmarks",
            C::GoToArtefacts => "Go to Artefacts",
            C::CopyTable => "Copy benchmark table",
            C::ExportFigure => "Export benchmark figure…",
            C::ExportTable => "Export benchmark table…",
            C::ExportReport => "Export benchmark report…",
            C::SampleFaster => "Sample on the faster device",
            C::SampleOnCpu => "Sample on the CPU",
            C::SampleOnGpu => "Sample on the GPU",
            C::Palette => "Command palette",
            C::Keys => "Keys",
            C::Theme => "Dark or light theme",
            C::Quit => "Quit",
        }
    }

    /// What it does, in a sentence.
    pub fn tooltip(self) -> &'static str {
        match self {
            C::NextSeed => "Steps to the sample of the next seed.",
            C::PreviousSeed => "Steps to the sample of the seed before.",
            C::RandomSeed => "Draws another seed.",
            C::LockSeed => "A locked seed stays as it is while you step, throw the dice or open a model.",
            C::Undo => "Goes back to the recipe before.",
            C::Redo => "Goes forward to the recipe that was undone.",
            C::ResetFindings => "Switches every finding off.",
            C::ResetLatent => "Back to the seed itself: centre of the plane, no direction, no truncation.",
            C::ResetAll => "Findings, plane, directions and truncation go back to their defaults.",
            C::ViewSample => "Shows the sample alone.",
            C::ViewPair => "Shows the kept sample A beside the live sample B.",
            C::ViewBlink => "Shows A and B in turn, changing twice a second.",
            C::ViewDifference => "Shows B minus A: blue where B is darker, orange where it is brighter.",
            C::KeepAsA => "The sample now on the light box becomes A, to compare later ones with.",
            C::SwapPair => "A becomes the live sample and B the kept one.",
            C::Preset1 | C::Preset2 | C::Preset3 | C::Preset4 => {
                "Sets a window that reading rooms use for this kind of image."
            }
            C::Invert => "Black and white change places.",
            C::Interpolation => "Shows pixels interpolated linearly, or as the squares they are.",
            C::ResetView => "Back to the first window and the whole film.",
            C::SheetRows => "One row for each finding, all at the same seeds; or one row of seeds.",
            C::OpenModel => "Opens a model file (.safetensors). Dropping one on the window does the same.",
            C::OpenCohort => "Opens a pack of real radiographs or phantoms. Dropping its folder does the same.",
            C::CopyRecipe => "Copies the one line of text that fixes this sample.",
            C::CopyCommandLine => "Copies a command that renders this sample.",
            C::PasteRecipe => "Restores the sample of a recipe on the clipboard.",
            C::ExportPng => "Saves all values in 16 bits, with the recipe inside.",
            C::ExportWindowedPng => "Saves what is seen through the window in 8 bits, with the recipe inside.",
            C::ExportDicom => "Saves a secondary capture marked as synthetic, with the recipe inside.",
            C::NewRun => "Composes a run that trains a generator on a cohort.",
            C::OpenRuns => "Opens the folder of a run, or one that holds runs. Dropping it does the same.",
            C::TrainOn => "Chooses the folder of a pack for the run that is being composed.",
            C::PauseOrResume => "Pauses the run that is looked at after its next step, or goes on with it.",
            C::EarlierStage => "Steps to the sample grid before.",
            C::LaterStage => "Steps to the next sample grid.",
            C::FirstStage => "Shows the samples of the untrained network.",
            C::NewestStage => "Shows the newest samples, and follows them as they come.",
            C::Compare => "Shows the real films nearest to the picked sample at every stage.",
            C::Teach => "Takes training apart: one step of the critic, one of the generator, every term in words.",
            C::ExportCurves => "Saves the curves as SVG or PNG, or their numbers as CSV.",
            C::NextFilm => "Steps to the next film that is listed, or to the next seed where a finding is switched.",
            C::PreviousFilm => "Steps to the film before, or to the seed before where a finding is switched.",
            C::NextFinding => "Looks for the next finding.",
            C::PreviousFinding => "Looks for the finding before.",
            C::TrueOutline => "Phantoms know where their findings lie.",
            C::OpenClassifier => "Opens an encoder file; its card says whether it belongs with films or with samples.",
            C::OpenSweepClassifiers => "Opens the classifiers that a sweep has left in its folder.",
            C::OpenFilms => "Asks the classifiers about the films of another pack.",
            C::GoToExplore => "Samples a generator and shows what is near.",
            C::GoToTraining => "Trains generators and watches them.",
            C::GoToBenchmarks => "Shows what samples are worth beside real films.",
            C::GoToArtefacts => "Shows what in a film classifiers rest on.",
            C::CopyTable => "Copies all numbers of the sweep on screen, as CSV.",
            C::ExportFigure => {
                "Writes the figure on screen as SVG, its text as text and its face inside, or as PNG at 300 dots to the inch."
            }
            C::ExportTable => "Writes all numbers of the sweep on screen as CSV.",
            C::ExportReport => "Writes one page with figure, table, methods and hashes.",
            C::SampleFaster => {
                "Measures each model once and samples where it is faster. A graphics device in software is never taken."
            }
            C::SampleOnCpu => "Samples on the processor: the same recipe gives the same bits on every machine.",
            C::SampleOnGpu => {
                "Samples on the device that draws the window; exports still come from the CPU, bit for bit."
            }
            C::Palette => "Finds any command, finding or model by a few letters.",
            C::Keys => "Shows what every key and mouse button does.",
            C::Theme => "Dark for reading rooms, light for projectors.",
            C::Quit => "Closes the window.",
        }
    }

    /// Where it stands on the keys page.
    pub fn group(self) -> Group {
        match self {
            C::NextSeed
            | C::PreviousSeed
            | C::RandomSeed
            | C::LockSeed
            | C::Undo
            | C::Redo
            | C::ResetFindings
            | C::ResetLatent
            | C::ResetAll => Group::Sample,
            C::ViewSample
            | C::ViewPair
            | C::ViewBlink
            | C::ViewDifference
            | C::KeepAsA
            | C::SwapPair
            | C::Preset1
            | C::Preset2
            | C::Preset3
            | C::Preset4
            | C::Invert
            | C::Interpolation
            | C::ResetView
            | C::SheetRows => Group::View,
            C::NewRun
            | C::OpenRuns
            | C::TrainOn
            | C::PauseOrResume
            | C::EarlierStage
            | C::LaterStage
            | C::FirstStage
            | C::NewestStage
            | C::ExportCurves
            | C::Compare
            | C::Teach => Group::Runs,
            C::NextFilm
            | C::PreviousFilm
            | C::NextFinding
            | C::PreviousFinding
            | C::TrueOutline
            | C::OpenClassifier
            | C::OpenSweepClassifiers
            | C::OpenFilms => Group::Artefacts,
            C::OpenModel
            | C::OpenCohort
            | C::CopyTable
            | C::ExportFigure
            | C::ExportTable
            | C::ExportReport
            | C::CopyRecipe
            | C::CopyCommandLine
            | C::PasteRecipe
            | C::ExportPng
            | C::ExportWindowedPng
            | C::ExportDicom => Group::Files,
            C::GoToExplore
            | C::GoToTraining
            | C::GoToBenchmarks
            | C::SampleFaster
            | C::SampleOnCpu
            | C::SampleOnGpu
            | C::GoToArtefacts
            | C::Palette
            | C::Keys
            | C::Theme
            | C::Quit => Group::Window,
        }
    }

    /// The workspace that this command is about; `None` where it makes sense in all of them.
    pub fn concerns(self) -> Option<Workspace> {
        match (self, self.group()) {
            (C::OpenModel | C::OpenCohort, _) | (_, Group::Window) => None,
            (C::CopyTable | C::ExportFigure | C::ExportTable | C::ExportReport, _) => Some(Workspace::Benchmarks),
            (_, Group::Sample | Group::View | Group::Files) => Some(Workspace::Explore),
            (_, Group::Runs) => Some(Workspace::Training),
            (_, Group::Artefacts) => Some(Workspace::Artefacts),
        }
    }

    /// The workspace that this command goes to.
    pub fn leads_to(self) -> Option<Workspace> {
        match self {
            C::GoToExplore => Some(Workspace::Explore),
            C::GoToTraining => Some(Workspace::Training),
            C::GoToBenchmarks => Some(Workspace::Benchmarks),
            C::GoToArtefacts => Some(Workspace::Artefacts),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn the_list_is_complete_and_every_command_explains_itself() {
        let distinct: HashSet<Command> = Command::ALL.into_iter().collect();
        assert_eq!(distinct.len(), Command::ALL.len());
        let names: HashSet<&str> = Command::ALL.iter().map(|c| c.text()).collect();
        assert_eq!(names.len(), Command::ALL.len());
        for command in Command::ALL {
            assert!(command.tooltip().ends_with('.'), "{command:?}");
            assert!(Group::ALL.contains(&command.group()));
        }
    }
}
