//! A folder of its own for a test, with experiments in it and burnlab to run them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// Images, labels and network that a test needs no longer than a moment for.
pub const SMALL: &str = r#"
title = "a small experiment"

[data]
dataset = "mnist"
train   = 200

[model.classifier]
layers = [
  "flatten",
  { dense = { units = 16, activation = "relu" } },
  { dropout = { rate = 0.2 } },
  { dense = { units = "classes" } },
]

[train]
epochs     = 3
batch_size = 50
seeds      = [0, 1]

[variants.plain]

[variants.turned.augment]
copies = [{ rotate = { degrees = 10 } }]
random = [{ shift = { x = [-2, 2] } }]
"#;

/// A folder that is removed when the test ends.
pub struct Lab {
    folder: tempfile::TempDir,
}

/// What a command printed and how it ended.
pub struct Ended {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        Ended {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

impl Lab {
    pub fn new() -> Self {
        Lab {
            folder: tempfile::tempdir().expect("a folder for the test"),
        }
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Writes an experiment file and gives its path.
    pub fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path().join(name);
        fs::write(&path, text).expect("the experiment is written");
        path
    }

    /// burnlab in the project's folder, where the committed data is, with results in the lab.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_burnlab"));
        command
            .args(arguments)
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .env("BURNLAB_RESULTS", self.path().join("results"))
            .env_remove("BURNLAB_DATA");
        command
    }

    pub fn burnlab(&self, arguments: &[&str]) -> Ended {
        self.command(arguments)
            .output()
            .expect("burnlab starts")
            .into()
    }

    pub fn start(&self, arguments: &[&str]) -> Child {
        self.command(arguments)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("burnlab starts")
    }

    pub fn results(&self, experiment: &str) -> PathBuf {
        self.path().join("results").join(experiment)
    }

    /// A table without what differs from one time to the next.
    pub fn table(&self, experiment: &str, table: &str) -> String {
        let text =
            fs::read_to_string(self.results(experiment).join(table)).expect("the table is there");
        let mut lines = text.lines();
        let header: Vec<&str> = lines
            .next()
            .expect("a table has a header")
            .split(',')
            .collect();
        let keep: Vec<usize> = (0..header.len())
            .filter(|&i| !["seconds", "images_per_second"].contains(&header[i]))
            .collect();
        let pick = |line: &str| {
            let cells: Vec<&str> = line.split(',').collect();
            keep.iter().map(|&i| cells[i]).collect::<Vec<_>>().join(",")
        };
        std::iter::once(pick(&header.join(",")))
            .chain(lines.map(pick))
            .collect::<Vec<_>>()
            .join("\n")
    }

    /// The only run folder whose name begins so.
    pub fn run_folder(&self, experiment: &str, start: &str) -> PathBuf {
        let runs = self.results(experiment).join("runs");
        let mut found: Vec<PathBuf> = fs::read_dir(&runs)
            .expect("there are runs")
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| {
                path.file_name()
                    .is_some_and(|n| n.to_string_lossy().starts_with(start))
            })
            .collect();
        assert_eq!(found.len(), 1, "{start} in {}", runs.display());
        found.remove(0)
    }
}

/// Waits until something is so, for a minute at most.
pub fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(
            start.elapsed() < Duration::from_secs(60),
            "waited too long until {what}"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}
