//! The workspaces of the window: what the rail switches between.

use super::command::Command;
use super::widgets::Icon;

/// One workspace that works.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Workspace {
    /// Sample a generator and see what is near.
    #[default]
    Explore,
    /// Train generators and watch them.
    Training,
    /// What samples are worth beside real films.
    Benchmarks,
    /// What in a film classifiers rest on.
    Artefacts,
}

impl Workspace {
    /// All workspaces, in the order of the rail.
    pub const ALL: [Self; 4] = [Self::Explore, Self::Training, Self::Benchmarks, Self::Artefacts];

    /// Its name.
    pub fn text(self) -> &'static str {
        match self {
            Self::Explore => "Explore",
            Self::Training => "Training",
            Self::Benchmarks => "Benchmarks",
            Self::Artefacts => "Artefacts",
        }
    }

    /// What it is for.
    pub fn tooltip(self) -> &'static str {
        match self {
            Self::Explore => "Sample a generator and see what is near",
            Self::Training => "Train a generator and watch it learn",
            Self::Benchmarks => "See what samples are worth beside real films",
            Self::Artefacts => "See what in a film a classifier rests on",
        }
    }

    /// Its sign on the rail.
    pub fn icon(self) -> Icon {
        match self {
            Self::Explore => Icon::LightBox,
            Self::Training => Icon::Curve,
            Self::Benchmarks => Icon::Points,
            Self::Artefacts => Icon::Squares,
        }
    }

    /// The command that goes there.
    pub fn command(self) -> Command {
        match self {
            Self::Explore => Command::GoToExplore,
            Self::Training => Command::GoToTraining,
            Self::Benchmarks => Command::GoToBenchmarks,
            Self::Artefacts => Command::GoToArtefacts,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_of_a_workspace_leads_to_it() {
        for workspace in Workspace::ALL {
            assert_eq!(workspace.command().leads_to(), Some(workspace));
            assert!(workspace.command().text().contains(workspace.text()));
        }
    }
}
