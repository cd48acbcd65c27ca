//! `[launch.NAME]` of `burnlab.toml`: where and how workers are started. No number of a run depends on it.

use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::file::folder_settings;
use super::overrides::Overrides;
use super::read::read;
use super::stack::{Origin, Resolved, Stack};
use super::tables::LAUNCH;
use crate::error::{Error, Kind, Place, Problem, Result, did_you_mean, nearest};
use crate::value::Positive;

/// Launchers that need no table.
const BUILT_IN: [&str; 2] = ["local", "slurm"];

/// Workers of a cluster unless somebody says otherwise.
const WORKERS: usize = 100;

/// How workers are started, as `--launch NAME` names it.
#[derive(Debug)]
pub struct Launch {
    /// What the file calls it.
    pub name: String,
    /// What starts them.
    pub how: How,
    /// At a time; `None`: as the device bears.
    pub workers: Option<usize>,
    /// How often a run is tried again whose worker was lost or stopped before it finished another epoch.
    pub retries: usize,
    /// The silence after which a worker counts as lost, and a worker its supervisor.
    pub patience: Duration,
    /// burnlab, as the workers' machines know it; `None`: this program.
    pub program: Option<PathBuf>,
    values: Resolved,
}

/// What starts workers.
#[derive(Debug, Clone, PartialEq)]
pub enum How {
    /// This machine.
    Local,
    /// `srun`.
    Slurm(Slurm),
    /// Any command that starts a process elsewhere and carries its pipes.
    Command(Elsewhere),
}

/// An option of Slurm by its name in the file, and its word; none for what is only named.
pub type SlurmOption = (String, Option<String>);

/// What `srun` is told.
#[derive(Debug, Clone, PartialEq)]
pub struct Slurm {
    /// Lines of shell before the worker.
    pub setup: Vec<String>,
    /// Processors of each worker.
    pub cpus: usize,
    /// GPUs of each worker.
    pub gpus: usize,
    /// Options of the job of a supervisor that is detached, besides the partition, the account and the quality of service.
    pub supervisor: Vec<SlurmOption>,
    /// Everything else, by `srun`'s own names but for `memory`.
    pub options: Vec<SlurmOption>,
}

/// A command that starts workers elsewhere.
#[derive(Debug, Clone, PartialEq)]
pub struct Elsewhere {
    /// Its words; `{host}` stands for one of `hosts`.
    pub command: Vec<String>,
    /// Take turns.
    pub hosts: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LocalFields {
    #[serde(rename = "kind")]
    _kind: Option<String>,
    workers: Option<Positive>,
    #[serde(default)]
    retries: usize,
}

/// What launchers have in common whose workers are elsewhere.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SlurmFields {
    #[serde(rename = "kind")]
    _kind: Option<String>,
    workers: Option<Positive>,
    #[serde(default = "retries")]
    retries: usize,
    #[serde(default = "patience")]
    patience: Positive,
    program: Option<PathBuf>,
    #[serde(default)]
    setup: Vec<String>,
    #[serde(default = "one")]
    cpus: Positive,
    #[serde(default)]
    gpus: usize,
}

const SLURM_KEYS: [&str; 8] = [
    "kind", "workers", "retries", "patience", "program", "setup", "cpus", "gpus",
];

/// The key of the options of a supervisor's job.
const SUPERVISOR: &str = "supervisor";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CommandFields {
    #[serde(rename = "kind")]
    _kind: Option<String>,
    workers: Option<Positive>,
    #[serde(default = "retries")]
    retries: usize,
    #[serde(default = "patience")]
    patience: Positive,
    program: Option<PathBuf>,
    command: Vec<String>,
    #[serde(default)]
    hosts: Vec<String>,
}

fn retries() -> usize {
    3
}

fn patience() -> Positive {
    Positive(60)
}

fn one() -> Positive {
    Positive(1)
}

impl Launch {
    /// The launcher that is asked for, of the `burnlab.toml` that goes for an experiment's file, with what `overrides` say of it.
    ///
    /// # Errors
    /// It is not known, or something is wrong with its table.
    pub fn read(experiment: &Path, name: &str, overrides: &Overrides) -> Result<Self> {
        let document = folder_settings(experiment)?.map(Rc::new);
        let mut stack = Stack::new();
        let mut push =
            |origin, values: toml::Table| stack.push(origin, &values).map_err(Error::usage);
        if let Some(document) = &document
            && let Some(launch) = document.table.get(LAUNCH)
        {
            let origin = Origin {
                name: document.path.display().to_string(),
                document: Some(Rc::clone(document)),
                base: Vec::new(),
                written: Vec::new(),
            };
            push(origin, super::nested(&[LAUNCH.to_string()], launch.clone()))?;
        }
        for (origin, values) in overrides.layers(&[LAUNCH])? {
            push(origin, values)?;
        }
        let values = stack.resolve();
        let tables = values.json.get(LAUNCH).and_then(Value::as_object);
        let known: Vec<&str> = tables
            .into_iter()
            .flatten()
            .map(|(name, _)| name.as_str())
            .collect();
        let fields = match values.json.get(LAUNCH).and_then(|tables| tables.get(name)) {
            Some(fields) => fields.clone(),
            None if BUILT_IN.contains(&name) => Value::Object(serde_json::Map::new()),
            None => {
                let mut known: Vec<&str> = known.into_iter().chain(BUILT_IN).collect();
                known.sort();
                known.dedup();
                let problem = Problem::new(format!("there is no `[launch.{name}]`"));
                let problem = problem.at(Place::Setting(format!("--launch {name}")));
                return Err(Error::usage(problem.maybe_hint(did_you_mean(name, &known))));
            }
        };
        let table = Table { name, values };
        table.launch(&fields)
    }

    /// Where a key of the table stands, or the table itself.
    pub fn place(&self, key: Option<&str>) -> Option<Place> {
        let keys: Vec<String> = key.map(String::from).into_iter().collect();
        place(&self.values, &self.name, &keys)
    }
}

fn place(values: &Resolved, name: &str, inner: &[String]) -> Option<Place> {
    values.place(&whole(name, inner))
}

/// The keys down to what is inside a table.
fn whole(name: &str, inner: &[String]) -> Vec<String> {
    let table = [LAUNCH.to_string(), name.to_string()];
    table.into_iter().chain(inner.iter().cloned()).collect()
}

/// A table that is being read.
struct Table<'a> {
    name: &'a str,
    values: Resolved,
}

impl Table<'_> {
    fn launch(self, fields: &Value) -> Result<Launch> {
        let kind = fields.get("kind").and_then(Value::as_str);
        let kind = match fields.get("command") {
            Some(_) => kind.unwrap_or("command"),
            None => kind.unwrap_or(self.name),
        };
        match kind {
            "local" => {
                let fields: LocalFields = self.fields(fields)?;
                let (workers, retries) = (fields.workers, fields.retries);
                Ok(self.made(How::Local, workers, retries, patience(), None))
            }
            "slurm" => {
                let mut fields = fields.clone();
                let supervisor = fields
                    .as_object_mut()
                    .and_then(|fields| fields.remove(SUPERVISOR));
                let supervisor = supervisor.unwrap_or(Value::Null);
                let (strange, supervisor) = self.options(&supervisor, SUPERVISOR)?;
                if let Some((key, _)) = strange.as_object().and_then(|table| table.iter().next()) {
                    let message = format!(
                        "`{key}` is said of workers: a supervisor has Slurm's options alone"
                    );
                    return Err(self.wrong(SUPERVISOR, &message));
                }
                let (known, options) = self.options(&fields, "")?;
                let fields: SlurmFields = self.fields(&known)?;
                let how = How::Slurm(Slurm {
                    setup: fields.setup,
                    cpus: fields.cpus.get(),
                    gpus: fields.gpus,
                    supervisor,
                    options,
                });
                let workers = fields.workers.or(Some(Positive(WORKERS)));
                Ok(self.made(
                    how,
                    workers,
                    fields.retries,
                    fields.patience,
                    fields.program,
                ))
            }
            "command" => {
                let fields: CommandFields = self.fields(fields)?;
                let (command, hosts) = (fields.command, fields.hosts);
                if command.is_empty() {
                    return Err(self.wrong("command", "the command has no word"));
                }
                let names_host = command.iter().any(|word| word.contains("{host}"));
                if names_host == hosts.is_empty() {
                    let message = match names_host {
                        true => "`{host}` stands for one of `hosts`, of which there is none",
                        false => "`hosts` are given, but the command does not say `{host}`",
                    };
                    return Err(self.wrong("command", message));
                }
                let workers = fields.workers.or(Some(Positive(hosts.len().max(1))));
                let how = How::Command(Elsewhere { command, hosts });
                Ok(self.made(
                    how,
                    workers,
                    fields.retries,
                    fields.patience,
                    fields.program,
                ))
            }
            // Nobody said it: the table's own name stood for it.
            name if fields.get("kind").is_none() => {
                let message = format!("`{name}` says neither its `command` nor its `kind`");
                let keys: Vec<&String> = fields
                    .as_object()
                    .into_iter()
                    .flat_map(|f| f.keys())
                    .collect();
                let misspelt = keys
                    .into_iter()
                    .find(|key| nearest(key, &["command", "kind"]).is_some());
                let hint = match misspelt {
                    Some(key) => did_you_mean(key, &["command", "kind"]),
                    None => Some("kinds are \"local\", \"slurm\" and \"command\"".to_string()),
                };
                let key: Vec<String> = misspelt.cloned().into_iter().collect();
                let problem = Problem::new(message).maybe_hint(hint);
                Err(Error::usage(
                    match self.values.place_of_key(&whole(self.name, &key)) {
                        Some(place) => problem.at(place),
                        None => problem,
                    },
                ))
            }
            other => {
                let message = format!(
                    "expected \"local\", \"slurm\" or \"command\" for `kind`, found \"{other}\""
                );
                Err(self.wrong("kind", &message))
            }
        }
    }

    fn made(
        self,
        how: How,
        workers: Option<Positive>,
        retries: usize,
        patience: Positive,
        program: Option<PathBuf>,
    ) -> Launch {
        Launch {
            name: self.name.to_string(),
            how,
            workers: workers.map(Positive::get),
            retries,
            patience: Duration::from_secs(patience.get() as u64),
            program,
            values: self.values,
        }
    }

    fn fields<T: DeserializeOwned>(&self, fields: &Value) -> Result<T> {
        read(fields).map_err(|found| {
            let problem = |thing: super::Unreadable| {
                let problem = Problem::new(thing.message).maybe_hint(thing.hint);
                let path = whole(self.name, &thing.path);
                let place = match thing.is_key {
                    true => self.values.place_of_key(&path),
                    false => self.values.place(&path),
                };
                match place {
                    Some(place) => problem.at(place),
                    None => problem.at(Place::Setting(format!("--launch {}", self.name))),
                }
            };
            Error::new(Kind::Usage, found.into_iter().map(problem).collect())
        })
    }

    fn wrong(&self, key: &str, message: &str) -> Error {
        let problem = Problem::new(message);
        Error::usage(match place(&self.values, self.name, &[key.to_string()]) {
            Some(place) => problem.at(place),
            None => problem,
        })
    }

    /// The keys that are burnlab's own, and those that are `srun`'s.
    fn options(&self, fields: &Value, inside: &str) -> Result<(Value, Vec<SlurmOption>)> {
        let mut own = serde_json::Map::new();
        let mut options = Vec::new();
        for (key, value) in fields.as_object().into_iter().flatten() {
            let word = match value {
                value if SLURM_KEYS.contains(&key.as_str()) => {
                    own.insert(key.clone(), value.clone());
                    continue;
                }
                Value::Bool(false) => continue,
                Value::Bool(true) => None,
                Value::String(text) => Some(text.clone()),
                Value::Number(number) => Some(number.to_string()),
                _ => {
                    let message =
                        format!("expected a text, a number, `true` or `false` for `{key}`");
                    let place = if inside.is_empty() { key } else { inside };
                    return Err(self.wrong(place, &message));
                }
            };
            options.push((key.clone(), word));
        }
        Ok((Value::Object(own), options))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn launch(text: &str, name: &str, set: &[&str]) -> Result<Launch, String> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("burnlab.toml"), text).unwrap();
        let overrides = Overrides {
            set: set.iter().map(|set| set.to_string()).collect(),
            ..Overrides::default()
        };
        let read = Launch::read(&folder.path().join("x.toml"), name, &overrides);
        let path = format!("{}/", folder.path().display());
        read.map_err(|error| error.to_string().replace(&path, ""))
    }

    #[test]
    fn options_are_srun_s_own_but_for_those_that_burnlab_knows() {
        let text = "[launch.slurm]\npartition = 'short'\ntime = 10\nexclusive = true\nrequeue = false\ncpus = 2\nsupervisor = { time = '2-0' }\n";
        let launch = launch(text, "slurm", &["launch.slurm.partition=long"]).unwrap();
        let option = |key: &str, word: &str| (key.to_string(), Some(word.to_string()));
        let expected = Slurm {
            setup: Vec::new(),
            cpus: 2,
            gpus: 0,
            supervisor: vec![option("time", "2-0")],
            options: vec![
                ("exclusive".to_string(), None),
                option("partition", "long"),
                option("time", "10"),
            ],
        };
        assert_eq!(launch.how, How::Slurm(expected));
        assert_eq!((launch.workers, launch.retries), (Some(100), 3));
    }

    #[test]
    fn launchers_without_a_table_are_the_built_in_ones() {
        // One that says nothing yet.
        for empty in ["", "# nothing yet\n"] {
            assert_eq!(launch(empty, "local", &[]).unwrap().how, How::Local);
        }
        let other = "[train]\nepochs = 1\n";
        assert_eq!(launch(other, "local", &[]).unwrap().how, How::Local);
        assert!(matches!(
            launch(other, "slurm", &[]).unwrap().how,
            How::Slurm(_)
        ));
        let expected =
            "error: there is no `[launch.slrum]`\n  --launch slrum\n  hint: did you mean `slurm`?";
        assert_eq!(launch(other, "slrum", &[]).unwrap_err(), expected);
    }

    #[test]
    fn a_command_says_where_its_hosts_go() {
        let text = "[launch.far]\nhosts = ['one', 'two']\ncommand = ['ssh', '{host}']\n";
        let far = launch(text, "far", &[]).unwrap();
        assert_eq!(far.workers, Some(2));
        let refused = launch(&text.replace("{host}", "one"), "far", &[]);
        let expected = "error: `hosts` are given, but the command does not say `{host}`\n  \
            burnlab.toml:3:11 launch.far.command\n    \
            3 | command = ['ssh', 'one']\n      |           ^^^^^^^^^^^^^^";
        assert_eq!(refused.unwrap_err(), expected);
    }

    #[test]
    fn mistakes_are_shown_where_they_stand() {
        let text = "[launch.slurm]\ncpus = 0\n";
        let expected = "error: expected a whole number of at least 1 for `cpus`, found `0`\n  \
            burnlab.toml:2:8 launch.slurm.cpus\n    2 | cpus = 0\n      |        ^";
        assert_eq!(launch(text, "slurm", &[]).unwrap_err(), expected);
        let text = "[launch.slurm]\npartition = [1]\n";
        let expected = "error: expected a text, a number, `true` or `false` for `partition`\n  \
            burnlab.toml:2:13 launch.slurm.partition\n    2 | partition = [1]\n      |             ^^^";
        assert_eq!(launch(text, "slurm", &[]).unwrap_err(), expected);
        let text = "[launch.local]\npartition = 1\n";
        let expected = "error: unknown key `partition`\n  \
            burnlab.toml:2:1 launch.local.partition\n    2 | partition = 1\n      | ^^^^^^^^^\n  \
            hint: known here: `kind`, `workers` and `retries`";
        assert_eq!(launch(text, "local", &[]).unwrap_err(), expected);
        let text = "[launch.night]\nkind = 'cron'\n";
        let expected = "error: expected \"local\", \"slurm\" or \"command\" for `kind`, found \"cron\"\n  \
            burnlab.toml:2:8 launch.night.kind\n    2 | kind = 'cron'\n      |        ^^^^^^";
        assert_eq!(launch(text, "night", &[]).unwrap_err(), expected);
    }
}
