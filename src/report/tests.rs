//! Tables and verdicts of runs that follow a script.

use std::fs;
use std::path::Path;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::{ClaimResult, Verdict, check_claims, write_tables};
use crate::error::Result;
use crate::plan::Plan;
use crate::record::Status;
use crate::run::script::{Ending, Script, ScriptedExperiments, Scripts};
use crate::run::{
    Assignment, Ended, Launcher, Message, Only, Output, Quiet, Report, ResultsFolder, Worker,
    parts, supervise,
};

const CURVE: [f64; 2] = [0.5, 0.25];

/// Carries out a plan and writes its tables as `burnlab run` does.
fn run(
    scripted: &ScriptedExperiments,
    plan: &Plan,
    scripts: &mut Scripts,
) -> (Ended, Vec<ClaimResult>) {
    let folder = ResultsFolder::of(&scripted.options.results, &plan.name);
    let output = Output {
        progress: &mut Quiet,
        tables: &mut |results| {
            write_tables(
                &folder,
                plan,
                results,
                &check_claims(&plan.claims, &results.rows),
            )
        },
        lag: Duration::from_secs(1),
    };
    let ended = scripted.carry_out(plan, Only::All, scripts, output);
    let ended = ended.unwrap_or_else(|error| panic!("{error}"));
    let claim_results = check_claims(&plan.claims, &ended.results.rows);
    (ended, claim_results)
}

/// A table of a plan; ids, which hash the settings, are left out.
fn table(scripted: &ScriptedExperiments, plan: &Plan, name: &str) -> String {
    let folder = scripted.options.results.join(&plan.name);
    let text = fs::read_to_string(folder.join(name)).expect("the table is there");
    plan.runs
        .iter()
        .fold(text, |text, run| text.replace(&run.id, "ID"))
}

const CLAIMS: &str = "seeds = [0, 1]\n\
    [variants.plain]\n[variants.'wild.one']\n\
    [grid]\n'train.batch_size' = [50]\n\
    [[expect]]\nclaim = 'it learns'\nvariant = 'plain,batch_size=50'\nat_least = 0.7\n\
    [[expect]]\nclaim = 'it is perfect'\nvariant = 'plain,batch_size=50'\nat_least = 0.9\n\
    [[expect]]\nclaim = 'wild'\nvariant = 'wild.one,batch_size=50'\nat_least = 0.0\n";

#[test]
fn tables_and_the_verdict_tell_what_came_of_the_runs() {
    let scripted = ScriptedExperiments::default();
    let plan = scripted.plan("claims", CLAIMS);
    let mut scripts =
        Scripts::new(
            |assignment| match (&*assignment.row.variant, assignment.row.seed) {
                ("wild.one,batch_size=50", 1) => Script::ending(&CURVE[..1], Ending::Diverges),
                (_, 0) => Script::done(&CURVE),
                _ => Script::done(&[0.5, 0.125]),
            },
        );
    let (_, claim_results) = run(&scripted, &plan, &mut scripts);
    let verdicts: Vec<&Verdict> = claim_results.iter().map(|j| &j.verdict).collect();
    let why = "1 of 2 runs of `wild.one,batch_size=50` diverged".to_string();
    let expected = [&Verdict::Holds, &Verdict::Fails, &Verdict::NotMeasured(why)];
    assert_eq!(verdicts, expected);
    for name in ["summary.csv", "epochs.csv", "table.md"] {
        let path = Path::new("tests/fixtures/tables").join(name);
        let text = table(&scripted, &plan, name);
        if std::env::var_os("BURNLAB_BLESS").is_some() {
            fs::write(&path, &text).expect("the snapshot is written");
        }
        let expected = fs::read_to_string(&path).expect("there is a snapshot");
        assert_eq!(text, expected, "{}", path.display());
    }
}

#[test]
fn tables_are_the_same_whatever_happened_on_the_way() {
    let whole = ScriptedExperiments::default();
    let plan = whole.plan("claims", CLAIMS);
    run(&whole, &plan, &mut Scripts::new(|_| Script::done(&CURVE)));
    for ending in [Ending::Dies, Ending::Fails("no memory")] {
        let broken = ScriptedExperiments::default();
        let again = broken.plan("claims", CLAIMS);
        let mut scripts = Scripts::new(move |assignment| match assignment.row.seed {
            0 => Script::done(&CURVE),
            _ => Script::ending(&CURVE[..1], ending),
        });
        run(&broken, &again, &mut scripts);
        let failed = table(&broken, &again, "summary.csv");
        assert_eq!(failed.matches(",failed,").count(), 2, "{failed}");
        run(&broken, &again, &mut Scripts::new(|_| Script::done(&CURVE)));
        for name in ["summary.csv", "epochs.csv", "table.md"] {
            let (expected, found) = (table(&whole, &plan, name), table(&broken, &again, name));
            assert_eq!(found, expected, "{name} after {ending:?}");
        }
    }
}

#[test]
fn ten_thousand_runs_are_supervised_and_tabled() {
    let scripted = ScriptedExperiments::default();
    let rates: Vec<String> = (1..=5000).map(|rate| format!("{rate}e-6")).collect();
    let grid = format!(
        "seeds = [0, 1]\n[grid]\n'train.optimizer.adam.learning_rate' = [{}]\n",
        rates.join(", ")
    );
    let plan = scripted.plan("many", &grid);
    let curve = [0.5, 0.4, 0.3, 0.2, 0.1];
    let mut scripts = Scripts::new(move |_| Script::done(&curve));
    // How fast the disk takes their rows is no matter here.
    scripts.leaves_rows = false;
    let (ended, _) = run(&scripted, &plan, &mut scripts);
    assert_eq!(ended.results.rows.len(), 10_000);
    let lines = |name: &str| table_lines(&scripted, name);
    assert_eq!(lines("summary.csv"), 1 + 10_000);
    assert_eq!(lines("epochs.csv"), 1 + 50_000);
    assert_eq!(lines("table.md"), 6 + 5000);
}

fn table_lines(scripted: &ScriptedExperiments, name: &str) -> usize {
    let path = scripted.options.results.join("many").join(name);
    let text = fs::read_to_string(path).expect("the table is there");
    text.lines().count()
}

/// Workers whose runs take a while, and how long each waited for its next one.
struct Slow {
    scripts: Scripts,
    time: Duration,
    waits: Arc<Mutex<Vec<Duration>>>,
}

struct SlowWorker {
    actor: Box<dyn Worker>,
    freed: Arc<Mutex<Option<Instant>>>,
    waits: Arc<Mutex<Vec<Duration>>>,
}

impl Launcher for Slow {
    fn launch(
        &mut self,
        number: usize,
        seat: usize,
        reports: &Sender<(usize, Report)>,
    ) -> Result<Box<dyn Worker>> {
        let (send, receive) = channel();
        let freed = Arc::new(Mutex::new(None));
        let worker = SlowWorker {
            actor: self.scripts.launch(number, seat, &send)?,
            freed: Arc::clone(&freed),
            waits: Arc::clone(&self.waits),
        };
        let (time, reports) = (self.time, reports.clone());
        std::thread::spawn(move || {
            for (number, report) in receive {
                if matches!(&report, Report::Message(Message::Ended { .. })) {
                    std::thread::sleep(time);
                    *freed.lock().unwrap() = Some(Instant::now());
                }
                let _ = reports.send((number, report));
            }
        });
        Ok(Box::new(worker))
    }

    fn command(&self, number: usize) -> Vec<String> {
        self.scripts.command(number)
    }

    fn patience(&self) -> Duration {
        self.scripts.patience
    }
}

impl Worker for SlowWorker {
    fn assign(&mut self, assignment: &Assignment) {
        if let Some(freed) = self.freed.lock().unwrap().take() {
            self.waits.lock().unwrap().push(freed.elapsed());
        }
        self.actor.assign(assignment);
    }

    fn use_threads(&mut self, number: usize) {
        self.actor.use_threads(number);
    }

    fn close(&mut self) {
        self.actor.close();
    }

    fn wait(&mut self) -> String {
        self.actor.wait()
    }

    fn kill(&mut self) {
        self.actor.kill();
    }
}

/// `cargo test --release --lib ten_thousand -- --ignored --nocapture` prints what a large grid costs its supervisor.
#[test]
#[ignore = "a measurement, of the process's memory too"]
fn ten_thousand_runs_on_two_hundred_workers() {
    let memory = || {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let line = status.lines().find(|line| line.starts_with("VmHWM:"));
        let kib = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<usize>().ok());
        kib.unwrap_or(0) / 1024
    };
    let mut scripted = ScriptedExperiments::default();
    scripted.options.jobs = Some(200);
    let seeds: Vec<u64> = (0..10).collect();
    let sizes: Vec<usize> = (1..=1000).collect();
    let text = format!("seeds = {seeds:?}\n[variants.a]\n[grid]\n'train.batch_size' = {sizes:?}\n");
    let start = Instant::now();
    let plan = scripted.plan("large", &text);
    println!(
        "plan of {} runs: {:.1?}, {} MiB",
        plan.runs.len(),
        start.elapsed(),
        memory()
    );

    let folder = ResultsFolder::of(&scripted.options.results, &plan.name);
    let mut written = Vec::new();
    let waits = Arc::new(Mutex::new(Vec::new()));
    let mut gather = |launcher: &mut dyn Launcher| -> Duration {
        let start = Instant::now();
        let parts = parts(&plan, Only::All, &scripted.options);
        let output = Output {
            progress: &mut Quiet,
            tables: &mut |results| {
                let start = Instant::now();
                write_tables(&folder, &plan, results, &[])?;
                written.push((start, start.elapsed()));
                Ok(())
            },
            lag: Duration::from_secs(1),
        };
        let part = parts.last().unwrap();
        let ended = supervise(part, &scripted.options, launcher, &scripted.stop, output).unwrap();
        assert!(
            ended
                .results
                .rows
                .iter()
                .all(|row| row.status == Status::Done)
        );
        start.elapsed()
    };
    let mut slow = Slow {
        scripts: Scripts::new(|_| Script::done(&[0.5; 10])),
        time: Duration::from_secs(2),
        waits: Arc::clone(&waits),
    };
    let all = gather(&mut slow);
    let mut nobody = Scripts::new(|_| panic!("all are done"));
    let again = gather(&mut nobody);
    println!(
        "all runs: {all:.1?}; gathered again: {again:.1?}; {} MiB",
        memory()
    );
    let mut waits = waits.lock().unwrap().clone();
    waits.sort();
    let share = |percent: usize| waits[(waits.len() - 1) * percent / 100];
    println!(
        "wait for the next run: median {:.1?}, 99 % {:.1?}, longest {:.1?}",
        share(50),
        share(99),
        share(100)
    );
    let longest = written.iter().map(|(_, took)| *took).max().unwrap();
    println!("tables: {} times, the longest {longest:.1?}", written.len());
    let pauses = written.windows(2).map(|pair| pair[1].0 - pair[0].0);
    // The last ones are written whatever time it is.
    assert!(
        pauses
            .take(written.len() - 4)
            .all(|pause| pause >= Duration::from_secs(1))
    );
}
