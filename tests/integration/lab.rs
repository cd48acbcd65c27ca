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

/// Lets signals be heard that ask to stop, even where the tests themselves run in the background or under `nohup`.
#[cfg(unix)]
pub fn as_from_a_terminal(command: &mut Command) {
    use std::os::unix::process::CommandExt;
    let restore = || {
        for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP] {
            // SAFETY: the call is allowed between fork and exec, and runs no code of ours.
            unsafe { libc::signal(signal, libc::SIG_DFL) };
        }
        Ok(())
    };
    // SAFETY: as above.
    unsafe { command.pre_exec(restore) };
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
            .env("XDG_CACHE_HOME", self.path().join("cache"))
            .env_remove("BURNLAB_DATA");
        #[cfg(unix)]
        as_from_a_terminal(&mut command);
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
    pub fn table(&self, experiment: &str, table: &str) -> Table {
        let path = self.results(experiment).join(table);
        let text = fs::read_to_string(path).expect("the table is there");
        Table::read(&text).without(&["seconds", "images_per_second"])
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

/// A table of comma-separated values.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    pub header: Vec<String>,
    pub rows: Vec<Vec<String>>,
}

impl Table {
    pub fn read(text: &str) -> Self {
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        let cells = |record: &csv::StringRecord| record.iter().map(String::from).collect();
        Table {
            header: cells(reader.headers().expect("a table has a header")),
            rows: reader
                .records()
                .map(|record| cells(&record.expect("a row has a cell for each column")))
                .collect(),
        }
    }

    fn without(mut self, columns: &[&str]) -> Self {
        let keep: Vec<bool> = self
            .header
            .iter()
            .map(|name| !columns.contains(&name.as_str()))
            .collect();
        for row in std::iter::once(&mut self.header).chain(&mut self.rows) {
            let mut keep = keep.iter();
            row.retain(|_| *keep.next().expect("rows are as long as the header"));
        }
        self
    }

    /// The cells below a name, from the first row on.
    pub fn column(&self, name: &str) -> Vec<&str> {
        let at = self.header.iter().position(|column| column == name);
        let at = at.unwrap_or_else(|| panic!("no column {name} in {:?}", self.header));
        self.rows.iter().map(|row| row[at].as_str()).collect()
    }

    /// Rows whose cell below a name is this.
    pub fn count(&self, column: &str, cell: &str) -> usize {
        let cells = self.column(column);
        cells.iter().filter(|found| **found == cell).count()
    }
}

/// Waits until something is so. The limit only ends what hangs.
pub fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(
            start.elapsed() < Duration::from_secs(1800),
            "waited too long until {what}"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}
