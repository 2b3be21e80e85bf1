//! Training as a process of its own: it outlives whoever started it, and gives way to whatever a person is doing.

use std::fs::OpenOptions;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// What the process says goes here, in the run folder.
pub const LOG: &str = "train.log";

/// How far the process steps back behind others, where there is a `nice` program: 0 not at all, 19 entirely.
const NICENESS: &str = "10";

/// Whether a run outlives whoever started it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Bond {
    /// It does.
    #[default]
    Free,
    /// It writes a checkpoint and ends when whoever started it ends, however that ends: its standard input is a pipe that
    /// only the starter holds, and closes with it.
    Tied,
}

/// Has `ended` called when standard input ends, as the other side of [`Bond::Tied`].
///
/// # Errors
/// When the system has no thread to give.
pub fn when_starter_ends(ended: impl FnOnce() + Send + 'static) -> io::Result<()> {
    let listen = move || {
        let mut nothing = [0];
        while matches!(io::Read::read(&mut io::stdin(), &mut nothing), Ok(1..)) {}
        ended();
    };
    std::thread::Builder::new().name("starter".to_owned()).spawn(listen).map(drop)
}

/// Starts `program train ROOT`, which begins or resumes the run in `root`. It belongs to no terminal and to no window;
/// whoever holds the [`Child`] may wait for it or let it go.
///
/// # Errors
/// When the log cannot be opened or the program cannot be started.
pub fn launch(program: &Path, root: &Path, bond: Bond) -> io::Result<Child> {
    let log = OpenOptions::new().create(true).append(true).open(root.join(LOG))?;
    let mut command = aside(program);
    command.arg("train").arg(root).stdout(log.try_clone()?).stderr(log);
    match bond {
        Bond::Free => command.stdin(Stdio::null()),
        Bond::Tied => command.arg("--tied").stdin(Stdio::piped()),
    };
    apart(&mut command);
    command.spawn()
}

/// The command that runs `program` behind whatever else the machine does.
fn aside(program: &Path) -> Command {
    match on_path("nice") {
        Some(nice) => {
            let mut command = Command::new(nice);
            command.args(["-n", NICENESS]).arg(program);
            command
        }
        None => Command::new(program),
    }
}

/// Takes the process out of the group of whoever starts it, so that what ends them does not end it.
pub fn apart(command: &mut Command) {
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(command, 0);
    #[cfg(not(unix))]
    let _ = command;
}

/// A program of this name where the system looks for programs.
pub fn on_path(name: &str) -> Option<PathBuf> {
    let paths = std::env::var_os("PATH")?;
    std::env::split_paths(&paths).map(|folder| folder.join(name)).find(|file| file.is_file())
}

/// The end of what the process said, at most `lines` lines: the reason, when a run would not begin.
pub fn last_words(root: &Path, lines: usize) -> String {
    use std::io::{Read, Seek, SeekFrom};
    let read = || -> io::Result<String> {
        let mut file = std::fs::File::open(root.join(LOG))?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(8 << 10)))?;
        let mut bytes = Vec::new();
        file.take(8 << 10).read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    let text = read().unwrap_or_default();
    let all: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn what_the_process_says_is_kept_in_the_run_folder() {
        let folder = tempfile::tempdir().unwrap();
        let mut child = launch(Path::new("/bin/echo"), folder.path(), Bond::Free).unwrap();
        assert!(child.wait().unwrap().success());
        let wanted = format!("train {}", folder.path().display());
        assert_eq!(last_words(folder.path(), 3), wanted);
        assert_eq!(last_words(Path::new("/nowhere"), 3), "");
        assert!(launch(Path::new("/bin/echo"), Path::new("/nowhere"), Bond::Free).is_err());
    }
}
