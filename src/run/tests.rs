//! The supervisor, with workers that follow a script.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use super::machine::share;
use super::script::{Ending, Script, ScriptedExperiments, Scripts};
use super::{
    Assignment, Ended, Lines, Only, Output, Progress, Quiet, Results, ResultsFolder, RunState,
    Share, parts, states,
};
use crate::plan::Plan;
use crate::record::{Event, Holder, Lease, RunRow, Status, host, log_of};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

const TWO: &str = "seeds = [0, 1]\n[variants.a]\n[variants.b]\n";
const CURVE: [f64; 3] = [0.5, 0.25, 0.125];

/// Follows one of two scripts, by variant and seed.
fn unless(
    variant: &'static str,
    seed: u64,
    other: Script,
) -> impl Fn(&Assignment) -> Script + 'static {
    move |assignment| match (&assignment.row.variant, assignment.row.seed) {
        (name, number) if name == variant && number == seed => other.clone(),
        _ => Script::done(&CURVE),
    }
}

fn statuses(results: &Results) -> Vec<Status> {
    results.rows.iter().map(|row| row.status).collect()
}

/// What is printed while a plan is carried out, without the line about the machine's cores.
fn printed(scripted: &ScriptedExperiments, plan: &Plan, scripts: &mut Scripts) -> Vec<String> {
    let mut out = Vec::new();
    let output = Output {
        progress: &mut Lines::to(&mut out),
        tables: &mut |_| Ok(()),
        lag: Duration::ZERO,
    };
    let ended = scripted.carry_out(plan, Only::All, scripts, output);
    ended.unwrap();
    let text = String::from_utf8(out).unwrap();
    text.lines().skip(1).map(String::from).collect()
}

/// Asks to stop as soon as a run has an epoch behind it.
struct StopAfter<'a> {
    epoch: usize,
    stop: &'a AtomicBool,
    notes: Vec<String>,
}

impl Progress for StopAfter<'_> {
    fn begin(&mut self, _: &Plan, _: &[RunState], _: &Share) {}
    fn event(&mut self, _: usize, event: &Event) {
        if matches!(event, Event::Epoch(row) if row.epoch == self.epoch) {
            self.stop.store(true, Ordering::Relaxed);
        }
    }
    fn ended(&mut self, _: usize, _: &RunRow) {}
    fn note(&mut self, text: &str) {
        self.notes.push(text.to_string());
    }
    fn end(&mut self) {}
}

#[test]
fn every_run_is_trained_and_reported() {
    let scripted = ScriptedExperiments::default();
    let plan = scripted.plan("all", TWO);
    let lines = printed(
        &scripted,
        &plan,
        &mut Scripts::new(|_| Script::done(&CURVE)),
    );
    assert_eq!(
        lines,
        [
            "[1/4] done      a, seed 0: test accuracy 0.8750, 2 s",
            "[2/4] done      a, seed 1: test accuracy 0.8750, 2 s",
            "[3/4] done      b, seed 0: test accuracy 0.8750, 2 s",
            "[4/4] done      b, seed 1: test accuracy 0.8750, 2 s",
        ]
    );
    let again = printed(
        &scripted,
        &plan,
        &mut Scripts::new(|_| panic!("all are done")),
    );
    assert!(again.is_empty(), "{again:?}");
}

#[test]
fn a_freed_worker_has_its_next_run_before_tables_are_written() {
    let mut scripted = ScriptedExperiments::default();
    scripted.options.jobs = Some(1);
    let plan = scripted.plan("order", TWO);
    let handed_out = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&handed_out);
    let mut scripts = Scripts::new(move |_| {
        counter.fetch_add(1, Ordering::Relaxed);
        Script::done(&CURVE)
    });
    let mut seen = Vec::new();
    let output = Output {
        progress: &mut super::Quiet,
        tables: &mut |results| {
            let ended = results.rows.iter().filter(|row| row.status == Status::Done);
            seen.push((ended.count(), handed_out.load(Ordering::Relaxed)));
            Ok(())
        },
        lag: Duration::ZERO,
    };
    let ended = scripted.carry_out(&plan, Only::All, &mut scripts, output);
    assert!(!ended.unwrap().stopped);
    assert_eq!(seen, [(0, 0), (1, 2), (2, 3), (3, 4), (4, 4)]);
}

#[test]
fn workers_that_cannot_be_started_are_done_without() {
    let scripted = ScriptedExperiments::default();
    let plan = scripted.plan("few", TWO);
    let mut scripts = Scripts::new(|_| Script::done(&CURVE));
    scripts.most = 1;
    let lines = printed(&scripted, &plan, &mut scripts);
    assert_eq!(lines[0], "cannot start a worker: no room: 1 worker must do");
    assert_eq!(lines.len(), 5, "{lines:?}");
}

#[test]
fn without_any_worker_the_command_ends_with_the_reason() {
    let scripted = ScriptedExperiments::default();
    let plan = scripted.plan("none", TWO);
    // The only worker dies, and takes its run along.
    let script = unless("a", 1, Script::ending(&CURVE[..1], Ending::Dies));
    let mut scripts = Scripts::new(script);
    scripts.most = 1;
    let output = Output {
        progress: &mut super::Quiet,
        tables: &mut |_| Ok(()),
        lag: Duration::ZERO,
    };
    let ended = scripted.carry_out(&plan, Only::All, &mut scripts, output);
    assert_eq!(
        ended.unwrap_err().to_string(),
        "error: cannot start a worker: no room"
    );
    let states = states(&plan, &scripted.options.results, &Only::All, false);
    let is_to_do: Vec<bool> = states.iter().map(RunState::is_to_do).collect();
    assert_eq!(is_to_do, [false, true, true, true], "what was done is kept");
}

#[test]
fn tables_lag_behind_but_are_whole_at_the_end() {
    let scripted = ScriptedExperiments::default();
    let plan = scripted.plan("lag", TWO);
    let mut written = Vec::new();
    let output = Output {
        progress: &mut super::Quiet,
        tables: &mut |results| {
            written.push(results.clone());
            Ok(())
        },
        lag: Duration::from_secs(3600),
    };
    let mut scripts = Scripts::new(|_| Script::done(&CURVE));
    let ended = scripted.carry_out(&plan, Only::All, &mut scripts, output);
    let ended = ended.unwrap();
    assert_eq!(written.len(), 2, "before the first run and after the last");
    assert_eq!(statuses(&written[0]), [Status::Unfinished; 4]);
    assert_eq!(written[1], ended.results);
    assert_eq!(statuses(&ended.results), [Status::Done; 4]);
    let losses = |run: usize| -> Vec<f64> {
        let epochs = ended.results.epochs[run].iter();
        epochs.map(|row| row.train.loss).collect()
    };
    assert!((0..4).all(|run| losses(run) == CURVE));
}

#[test]
fn a_run_that_fails_diverges_or_dies_sinks_no_other_and_goes_on_later() {
    let endings = [
        (
            Ending::Fails("the disk is full"),
            Status::Failed,
            "the disk is full",
        ),
        (
            Ending::Refuses("the worker cannot read its assignment"),
            Status::Failed,
            "the worker cannot read its assignment",
        ),
        (
            Ending::Dies,
            Status::Failed,
            "its process was killed (signal 9)",
        ),
        (
            Ending::Diverges,
            Status::Diverged,
            "the training loss became NaN in epoch 3",
        ),
    ];
    for (ending, status, reason) in endings {
        let scripted = ScriptedExperiments::default();
        let plan = scripted.plan("bad", TWO);
        let bad = Script::ending(&CURVE[..2], ending);
        let ended = scripted.run(&plan, unless("a", 1, bad));
        assert!(!ended.stopped);
        let done = Status::Done;
        assert_eq!(
            statuses(&ended.results),
            [done, status, done, done],
            "{ending:?}"
        );
        assert_eq!(ended.results.rows[1].reason.as_deref(), Some(reason));
        assert_eq!(ended.results.epochs[1].len(), 2);

        // What diverged would do so again; the others go on after their last epoch.
        let lines = printed(
            &scripted,
            &plan,
            &mut Scripts::new(|_| Script::done(&CURVE)),
        );
        let expected: &[&str] = match status {
            Status::Diverged => &[],
            _ => &[
                "resumed   a, seed 1 after epoch 2",
                "[1/1] done      a, seed 1: test accuracy 0.8750, 2 s",
            ],
        };
        assert_eq!(lines, expected, "{ending:?}");
    }
}

#[test]
fn a_run_that_is_stopped_keeps_its_epochs_and_is_resumed() {
    for ending in [Ending::Lasts, Ending::Hangs] {
        let mut scripted = ScriptedExperiments::default();
        scripted.options.jobs = Some(1);
        let plan = scripted.plan("stopped", TWO);
        let mut scripts = Scripts::new(unless("a", 1, Script::ending(&CURVE[..2], ending)));
        if ending == Ending::Hangs {
            scripts.patience = Duration::ZERO;
        }
        // The first run was done before, so that it is the second that is stopped.
        let first = scripted.plan("stopped", "seeds = [0]\n[variants.a]\n");
        scripted.run(&first, |_| Script::done(&CURVE));
        let mut last = Results::default();
        let mut progress = StopAfter {
            epoch: 2,
            stop: &scripted.stop,
            notes: Vec::new(),
        };
        let output = Output {
            progress: &mut progress,
            tables: &mut |results| {
                last = results.clone();
                Ok(())
            },
            lag: Duration::ZERO,
        };
        let ended = scripted.carry_out(&plan, Only::All, &mut scripts, output);
        let ended = ended.unwrap();
        assert!(ended.stopped);
        let notes = progress.notes;
        assert!(
            notes.len() == 1 && notes[0].starts_with("stopping: "),
            "{notes:?}"
        );
        let unfinished = Status::Unfinished;
        let expected = [Status::Done, unfinished, unfinished, unfinished];
        assert_eq!(statuses(&ended.results), expected, "{ending:?}");
        assert_eq!(ended.results.epochs[1].len(), 2);
        if ending == Ending::Lasts {
            assert_eq!(
                last, ended.results,
                "the tables have the epochs of the run that stopped"
            );
        }

        let ended = scripted.run(&plan, |_| Script::done(&CURVE));
        assert_eq!(statuses(&ended.results), [Status::Done; 4]);
        assert_eq!(ended.results.epochs[1].len(), 3);
    }
}

#[test]
fn a_run_that_brings_nothing_new_is_told_of_once() {
    let mut scripted = ScriptedExperiments::default();
    scripted.options.jobs = Some(1);
    let plan = scripted.plan("stalled", TWO);
    let mut scripts = Scripts::new(unless("a", 1, Script::ending(&CURVE[..2], Ending::Hangs)));
    scripts.patience = Duration::ZERO;
    scripts.stall = Duration::from_millis(200);
    let mut progress = StopAfter {
        epoch: usize::MAX,
        stop: &scripted.stop,
        notes: Vec::new(),
    };
    let output = Output {
        progress: &mut progress,
        tables: &mut |_| Ok(()),
        lag: Duration::ZERO,
    };
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_secs(1));
            scripted.stop.store(true, Ordering::Relaxed);
        });
        let ended = scripted.carry_out(&plan, Only::All, &mut scripts, output);
        assert!(ended.unwrap().stopped);
    });
    let stalled = "stalled   a, seed 1: nothing new for 0 minutes; killing process 7 ends it alone";
    let told = progress.notes.iter().filter(|note| **note == stalled);
    assert_eq!(told.count(), 1, "{:?}", progress.notes);
}

#[test]
fn the_first_failure_stops_everything_if_asked_to() {
    let mut scripted = ScriptedExperiments::default();
    scripted.options.jobs = Some(1);
    scripted.options.fail_fast = true;
    let plan = scripted.plan("fast", TWO);
    let bad = Script::ending(&[], Ending::Diverges);
    let ended = scripted.run(&plan, unless("a", 1, bad));
    assert!(ended.stopped);
    let unfinished = Status::Unfinished;
    let expected = [Status::Done, Status::Diverged, unfinished, unfinished];
    assert_eq!(statuses(&ended.results), expected);
}

/// `c` starts from `b`, which starts from `a`; the file names them the other way round.
const CHAIN: &str = "seeds = [0]\n\
    [variants.c]\nstart = { run = { variant = 'b' } }\n\
    [variants.b]\nstart = { run = { variant = 'a' } }\n\
    [variants.a]\n[variants.other]\n";

#[test]
fn runs_wait_for_those_that_they_need() {
    let scripted = ScriptedExperiments::default();
    let plan = scripted.plan("chain", CHAIN);
    let order = Rc::new(RefCell::new(Vec::new()));
    let seen = Rc::clone(&order);
    scripted.run(&plan, move |assignment| {
        let earlier = assignment.earlier.iter();
        let folders = earlier.map(|run| run.folder.join("run.json").is_file());
        let start = assignment.settings.start.as_ref();
        let takes = start.and_then(|start| start.weights.clone());
        let is_from_run = takes.is_some_and(|path| path.ends_with("weights.safetensors"));
        seen.borrow_mut().push((
            assignment.row.variant.clone(),
            folders.collect::<Vec<bool>>(),
            is_from_run,
        ));
        Script::done(&CURVE)
    });
    let run = |name: &str, earlier: &[bool], starts| (name.to_string(), earlier.to_vec(), starts);
    let expected = [
        run("a", &[], false),
        run("other", &[], false),
        run("b", &[true], true),
        run("c", &[true], true),
    ];
    assert_eq!(*order.borrow(), expected);
}

#[test]
fn runs_whose_needs_failed_fail_too_and_say_why() {
    let scripted = ScriptedExperiments::default();
    let plan = scripted.plan("chain", CHAIN);
    let bad = Script::ending(&[], Ending::Diverges);
    let ended = scripted.run(&plan, unless("a", 0, bad));
    let ended: Vec<(Status, Option<&str>)> = ended
        .results
        .rows
        .iter()
        .map(|row| (row.status, row.reason.as_deref()))
        .collect();
    let needs = |reason| (Status::Failed, Some(reason));
    assert_eq!(
        ended,
        [
            needs("a run it needs (`b`, seed 0) failed"),
            needs("a run it needs (`a`, seed 0) diverged"),
            (
                Status::Diverged,
                Some("the training loss became NaN in epoch 1")
            ),
            (Status::Done, None),
        ]
    );
}

#[test]
fn what_is_asked_for_brings_what_it_needs() {
    let scripted = ScriptedExperiments::default();
    let plan = scripted.plan("chain", CHAIN);
    let only = Only::Variants(vec!["b".to_string()]);
    let states = states(&plan, &scripted.options.results, &only, false);
    let to_do = RunState::ToDo { epochs_done: 0 };
    assert_eq!(
        states,
        [RunState::LeftOut, to_do.clone(), to_do, RunState::LeftOut]
    );
}

#[test]
fn other_experiments_come_first_and_only_as_far_as_they_are_needed() {
    let mut scripted = ScriptedExperiments::default();
    let first = scripted.plan("first", TWO);
    let start = "{ run = { experiment = 'first.toml', variant = 'b' } }";
    let second = format!("seeds = [0]\n[variants.x]\nstart = {start}\n");
    let second = scripted.plan("second", &second);
    let order = |scripted: &ScriptedExperiments| -> Vec<(String, usize)> {
        let parts = parts(&second, Only::All, &scripted.options);
        let part = |part: &super::Part| {
            let to_do = part.states.iter().filter(|state| state.is_to_do());
            (part.plan.name.clone(), to_do.count())
        };
        parts.iter().map(part).collect()
    };
    let named = |parts: &[(&str, usize)]| -> Vec<(String, usize)> {
        let owned = |&(name, number): &(&str, usize)| (name.to_string(), number);
        parts.iter().map(owned).collect()
    };
    assert_eq!(order(&scripted), named(&[("first", 1), ("second", 1)]));

    // Without the other one's run this one cannot start.
    let ended = scripted.run(&second, |_| Script::done(&CURVE));
    let reason = ended.results.rows[0].reason.as_deref();
    let expected = "a run it needs (`b`, seed 0 of `first`) is not done";
    assert_eq!(reason, Some(expected));

    scripted.run(&first, |_| Script::done(&CURVE));
    assert_eq!(order(&scripted), named(&[("second", 1)]));
    scripted.options.fresh = true;
    assert_eq!(
        order(&scripted),
        named(&[("second", 1)]),
        "others' runs are kept"
    );
    let ended = scripted.run(&second, |_| Script::done(&CURVE));
    assert_eq!(statuses(&ended.results), [Status::Done]);
}

#[test]
fn a_folder_is_one_supervisors_at_a_time() {
    let scripted = ScriptedExperiments::default();
    let plan = scripted.plan("locked", TWO);
    let folder = scripted.options.results.join("locked");
    std::fs::create_dir_all(&folder).unwrap();
    let _held = Lease::take(&folder, &[]).unwrap();
    let output = Output {
        progress: &mut super::Quiet,
        tables: &mut |_| panic!("nothing is to be written"),
        lag: Duration::ZERO,
    };
    let mut scripts = Scripts::new(|_| panic!("nothing is to be trained"));
    let refused = scripted.carry_out(&plan, Only::All, &mut scripts, output);
    let expected = format!(
        "error: another burnlab is running this experiment\n  {}\n  \
         hint: it is process {} on `{}`: wait for it, or write elsewhere with `--results DIR`",
        folder.display(),
        std::process::id(),
        host()
    );
    assert_eq!(refused.unwrap_err().to_string(), expected);
}

#[test]
fn an_experiment_that_another_command_trains_is_waited_for_where_it_is_needed() {
    let scripted = ScriptedExperiments::default();
    let plan = scripted.plan("needed", TWO);
    let folder = scripted.options.results.join("needed");
    std::fs::create_dir_all(&folder).unwrap();
    let held = Lease::take(&folder, &[]).unwrap();
    let all = || Only::Runs((0..plan.runs.len()).collect());
    let carry_out = |progress: &mut dyn Progress| {
        let output = Output {
            progress,
            tables: &mut |_| Ok(()),
            lag: Duration::ZERO,
        };
        let mut scripts = Scripts::new(|_| Script::done(&CURVE));
        scripted
            .carry_out(&plan, all(), &mut scripts, output)
            .unwrap()
    };
    // Ctrl-C ends the waiting.
    scripted.stop.store(true, Ordering::Relaxed);
    assert!(carry_out(&mut Quiet).stopped);
    let release = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(300));
        drop(held);
    });
    let ended = carry_out(&mut Quiet);
    assert_eq!(statuses(&ended.results), [Status::Done; 4]);
    release.join().unwrap();
}

#[test]
fn the_last_runs_get_the_threads_of_workers_that_are_gone() {
    let mut scripted = ScriptedExperiments::default();
    scripted.options.jobs = Some(2);
    let plan = scripted.plan("last", "seeds = [0, 1, 2]\n[variants.a]\n");
    let mut scripts = Scripts::new(|_| Script::done(&CURVE));
    let threads = Rc::clone(&scripts.threads);
    let lines = printed(&scripted, &plan, &mut scripts);
    assert!(
        lines[2].starts_with("[3/3] done      a, seed 2"),
        "{lines:?}"
    );
    let each = share(Some(2), None, 3).threads;
    assert_eq!(*threads.borrow(), [(0, 2 * each)]);
}

#[test]
fn a_worker_takes_the_seat_of_one_that_is_gone() {
    let mut scripted = ScriptedExperiments::default();
    scripted.options.jobs = Some(2);
    let plan = scripted.plan("seats", TWO);
    let mut scripts = Scripts::new(unless("a", 0, Script::ending(&CURVE, Ending::Dies)));
    let seats = Rc::clone(&scripts.seats);
    printed(&scripted, &plan, &mut scripts);
    assert_eq!(*seats.borrow(), [0, 1, 0]);
}

/// What is printed of two variants with two seeds each on these devices, and the seats that workers took.
fn on_devices(
    jobs: usize,
    devices: &[&'static str],
    unfit: &[&'static str],
    script: impl Fn(&Assignment) -> Script + 'static,
) -> (Vec<String>, Vec<usize>) {
    let mut scripted = ScriptedExperiments::default();
    scripted.options.jobs = Some(jobs);
    let plan = scripted.plan("devices", TWO);
    let mut scripts = Scripts::new(script);
    (scripts.devices, scripts.unfit) = (devices.to_vec(), unfit.to_vec());
    let lines = printed(&scripted, &plan, &mut scripts);
    let seats = scripts.seats.borrow().clone();
    (lines, seats)
}

fn are_done(lines: &[String]) -> bool {
    lines.len() == 4 && lines.iter().all(|line| line.contains("] done"))
}

#[test]
fn runs_of_a_worker_whose_device_cannot_be_used_are_for_the_others() {
    let (lines, seats) = on_devices(2, &["x", "y"], &["x"], |_| Script::done(&CURVE));
    assert_eq!(lines[0], "no room on the device: 1 worker must do");
    assert!(are_done(&lines[1..5]), "{lines:?}");
    assert_eq!(seats, [0, 1]);
}

#[test]
fn where_a_device_cannot_be_used_one_that_is_free_takes_its_place() {
    let (lines, seats) = on_devices(1, &["x", "y", "z"], &["x", "y"], |_| Script::done(&CURVE));
    let note = "no room on the device: another takes its place";
    assert_eq!(lines[..2], [note, note]);
    assert!(are_done(&lines[2..6]), "{lines:?}");
    assert_eq!(seats, [0, 1, 2]);
}

#[test]
fn a_device_that_cannot_be_used_is_told_of_once_and_never_tried_again() {
    // Each bears two workers, and one dies of those that are left.
    let dies = unless("a", 0, Script::ending(&CURVE, Ending::Dies));
    let (lines, seats) = on_devices(4, &["x", "y", "x", "y"], &["x"], dies);
    assert_eq!(lines[0], "no room on the device: 2 workers must do");
    let others = lines[1..5].iter().filter(|line| line.contains("] done"));
    assert_eq!(others.count(), 3, "{lines:?}");
    assert_eq!(seats[..4], [0, 1, 2, 3]);
    assert!(seats[4..].iter().all(|seat| seat % 2 == 1), "{seats:?}");
}

#[test]
fn a_run_that_is_handed_back_while_all_stops_stays_to_be_done() {
    let mut scripted = ScriptedExperiments::default();
    scripted.options.jobs = Some(2);
    let plan = scripted.plan("stopped-unfit", TWO);
    let mut scripts = Scripts::new(|_| Script::done(&CURVE));
    (scripts.devices, scripts.unfit) = (vec!["x", "y"], vec!["y"]);
    // Seen after the first word of the first worker, before that of the second.
    scripted.stop.store(true, Ordering::Relaxed);
    let lines = printed(&scripted, &plan, &mut scripts);
    assert!(lines[0].starts_with("stopping:"), "{lines:?}");
    assert!(
        !lines.iter().any(|line| line.contains("no room")),
        "{lines:?}"
    );
    let states = states(&plan, &scripted.options.results, &Only::All, false);
    let to_do = states.iter().filter(|state| state.is_to_do());
    assert_eq!(to_do.count(), 3, "{states:?}");
}

#[test]
fn without_a_device_that_can_be_used_runs_fail_with_the_reason() {
    for (jobs, devices) in [(2, vec!["x", "y"]), (1, vec!["x", "y"]), (2, vec!["x"])] {
        let (lines, _) = on_devices(jobs, &devices, &devices, |_| Script::done(&CURVE));
        let mut failed = lines.iter().filter(|line| line.contains("] failed"));
        assert_eq!(failed.clone().count(), 4, "{lines:?}");
        assert!(failed.all(|line| line.contains("no room on the device")));
    }
}

#[test]
fn a_run_whose_worker_dies_is_tried_again_as_often_as_is_said() {
    let scripted = ScriptedExperiments::default();
    let plan = scripted.plan("again", "seeds = [0]\n[variants.a]\n");
    // The first attempt gets one epoch further, which starts the count anew; those after it do not.
    let mut scripts = Scripts::new(|_| Script::ending(&CURVE[..1], Ending::Dies));
    scripts.retries = 2;
    let lines = printed(&scripted, &plan, &mut scripts);
    let died = "its process was killed (signal 9)";
    assert_eq!(
        lines,
        [
            format!("again     a, seed 0 (1 of 2): {died}"),
            "resumed   a, seed 0 after epoch 1".to_string(),
            format!("again     a, seed 0 (2 of 2): {died}"),
            "resumed   a, seed 0 after epoch 1".to_string(),
            format!("[1/1] failed    a, seed 0: {died}; tried 2 times more without another epoch"),
        ]
    );
}

#[test]
fn a_hundred_workers_that_die_at_random_leave_the_tables_of_an_undisturbed_grid() {
    let seeds: Vec<u64> = (0..50).collect();
    let text = format!("seeds = {seeds:?}\n[variants.a]\n[variants.b]\n");
    let undisturbed = ScriptedExperiments::default();
    let plan = undisturbed.plan("grid", &text);
    let expected = undisturbed.run(&plan, |_| Script::done(&CURVE)).results;

    let mut scripted = ScriptedExperiments::default();
    scripted.options.jobs = Some(100);
    let plan = scripted.plan("grid", &text);
    let random = RefCell::new(StdRng::seed_from_u64(1));
    let deaths = Rc::new(RefCell::new(0));
    let counter = Rc::clone(&deaths);
    let mut scripts = Scripts::new(move |_| {
        let mut random = random.borrow_mut();
        if random.random_bool(0.4) {
            return Script::done(&CURVE);
        }
        *counter.borrow_mut() += 1;
        Script::ending(&CURVE[..random.random_range(0..3)], Ending::Dies)
    });
    scripts.takes_leases = true;
    scripts.retries = 100;
    let output = Output {
        progress: &mut super::Quiet,
        tables: &mut |_| Ok(()),
        lag: Duration::from_secs(1),
    };
    let ended = scripted.carry_out(&plan, Only::All, &mut scripts, output);
    assert_eq!(ended.unwrap().results, expected);
    assert!(*deaths.borrow() >= 100, "{} deaths", deaths.borrow());
    let folder = ResultsFolder::of(&scripted.options.results, "grid");
    for run in &plan.runs {
        let log = log_of(folder.run(run).path());
        let grow =
            |pair: &[Holder]| pair[0].number < pair[1].number && pair[0].epochs <= pair[1].epochs;
        assert!(log.windows(2).all(grow), "{log:?}");
    }
}

/// Nine points, of which three go on after the first epoch and one after the second.
const HALVED: &str = "[search]\npoints = 9\nmetric = 'validation_accuracy'\nhalving = { factor = 3, rungs = [1, 2] }\n\
    'train.optimizer.sgd.learning_rate' = { log_uniform = [1e-4, 1.0] }\n";

/// Losses by the point's learning rate: the best after each epoch is another one.
fn by_rate(assignment: &Assignment) -> Script {
    let rate: f64 = assignment.row.swept[0].1.parse().unwrap();
    let distance = |best: f64| (rate.ln() - best.ln()).abs() / 10.0;
    Script::done(&[distance(1e-2), distance(3e-2), distance(1e-1)])
}

/// The learning rate and the epochs of each point, and how it stands.
fn standings(ended: &Ended) -> Vec<(String, usize, Status)> {
    let runs = ended.results.rows.iter().zip(&ended.results.epochs);
    runs.map(|(row, epochs)| (row.swept[0].1.clone(), epochs.len(), row.status))
        .collect()
}

#[test]
fn the_same_points_go_on_however_many_are_trained_at_a_time() {
    let ended = [1, 2, 7].map(|jobs| {
        let mut scripted = ScriptedExperiments::default();
        scripted.options.jobs = Some(jobs);
        let plan = scripted.plan("halved", HALVED);
        standings(&scripted.run(&plan, by_rate))
    });
    assert_eq!(ended[0], ended[1]);
    assert_eq!(ended[0], ended[2]);
    let mut epochs: Vec<(usize, Status)> = ended[0].iter().map(|(_, e, s)| (*e, *s)).collect();
    epochs.sort_by_key(|(epochs, _)| *epochs);
    let halted = |epochs| (epochs, Status::Halted);
    let expected = [
        [halted(1); 6].as_slice(),
        &[halted(2); 2],
        &[(3, Status::Done)],
    ]
    .concat();
    assert_eq!(epochs, expected);
    let distance = |rate: &str, best: f64| (rate.parse::<f64>().unwrap().ln() - best.ln()).abs();
    let mut by_first: Vec<_> = ended[0].clone();
    by_first
        .sort_by(|(one, ..), (other, ..)| distance(one, 1e-2).total_cmp(&distance(other, 1e-2)));
    assert!(by_first[..3].iter().all(|(_, epochs, _)| *epochs >= 2));
    let mut by_second = by_first[..3].to_vec();
    by_second
        .sort_by(|(one, ..), (other, ..)| distance(one, 3e-2).total_cmp(&distance(other, 3e-2)));
    assert_eq!(by_second[0].1, 3);
}

#[test]
fn what_a_search_gave_up_stays_so_and_more_points_take_up_what_they_let_through() {
    let scripted = ScriptedExperiments::default();
    let plan = scripted.plan("halved", HALVED);
    let first = standings(&scripted.run(&plan, by_rate));
    let again = scripted.run(&plan, |_| panic!("all is done"));
    assert_eq!(standings(&again), first);

    let more = scripted.plan("halved", &HALVED.replace("points = 9", "points = 18"));
    let second = standings(&scripted.run(&more, by_rate));
    let rates = |of: &[(String, usize, Status)]| -> Vec<String> {
        of.iter().map(|(rate, ..)| rate.clone()).collect()
    };
    assert_eq!(rates(&second)[..9], rates(&first)[..]);
    let through = |epochs: usize| second.iter().filter(|(_, e, _)| *e >= epochs).count();
    assert_eq!((through(2), through(3)), (6, 2));

    let all = scripted.plan("halved", &HALVED.replace("halving", "# halving"));
    let third = scripted.run(&all, by_rate);
    assert!(
        third
            .results
            .rows
            .iter()
            .all(|row| row.status == Status::Done)
    );
}

#[test]
fn a_point_whose_run_fails_lets_another_through_and_runs_that_are_left_out_are_not_waited_for() {
    let scripted = ScriptedExperiments::default();
    let plan = scripted.plan("halved", HALVED);
    let reference = standings(&scripted.run(&plan, by_rate));
    let best = reference
        .iter()
        .position(|(_, epochs, _)| *epochs == 3)
        .unwrap();
    let best = reference[best].0.clone();

    let scripted = ScriptedExperiments::default();
    let plan = scripted.plan("halved", HALVED);
    let failing = move |assignment: &Assignment| match assignment.row.swept[0].1 == best {
        true => Script::ending(&[], Ending::Fails("out of luck")),
        false => by_rate(assignment),
    };
    let ended = scripted.run(&plan, failing);
    let count = |status| {
        ended
            .results
            .rows
            .iter()
            .filter(|row| row.status == status)
            .count()
    };
    let counts = [Status::Failed, Status::Done, Status::Halted].map(count);
    assert_eq!(counts, [1, 1, 7]);

    let scripted = ScriptedExperiments::default();
    let both = format!("[variants.a]\n[variants.b.train]\nbatch_size = 3\n{HALVED}");
    let plan = scripted.plan("halved", &both);
    let ended = run_only(&scripted, &plan, "a");
    let done = |ended: &Ended| {
        let rows = ended.results.rows.iter();
        rows.filter(|row| row.status == Status::Done).count()
    };
    assert_eq!(done(&ended), 1);
}

/// Carries out one variant, or one point.
fn run_only(scripted: &ScriptedExperiments, plan: &Plan, name: &str) -> Ended {
    let output = Output {
        progress: &mut Quiet,
        tables: &mut |_| Ok(()),
        lag: Duration::ZERO,
    };
    let only = Only::Variants(vec![name.to_string()]);
    let ended = scripted.carry_out(plan, only, &mut Scripts::new(by_rate), output);
    ended.unwrap()
}

#[test]
fn a_point_that_is_asked_for_by_its_name_is_trained_to_its_end() {
    let scripted = ScriptedExperiments::default();
    let plan = scripted.plan("halved", HALVED);
    let before = standings(&scripted.run(&plan, by_rate));
    let given_up = before.iter().position(|(_, epochs, _)| *epochs == 1);
    let given_up = given_up.unwrap();
    let name = plan.runs[given_up].variant.clone();
    let mut expected = before.clone();
    expected[given_up].1 = 3;
    expected[given_up].2 = Status::Done;
    let ended = run_only(&scripted, &plan, &name);
    assert_eq!(standings(&ended), expected);
    assert_eq!(standings(&scripted.run(&plan, by_rate)), expected);
    let states = states(&plan, &scripted.options.results, &Only::All, false);
    assert!(states.iter().all(|state| !state.is_to_do()));
}

#[test]
fn a_point_that_stopped_early_is_compared_by_the_epoch_whose_weights_it_keeps() {
    let scripted = ScriptedExperiments::default();
    let text = HALVED.replace("points = 9", "points = 3");
    let text = text.replace("rungs = [1, 2]", "rungs = [3]");
    let plan = scripted.plan(
        "halved",
        &format!("[variants.long.train]\nepochs = 5\n{text}"),
    );
    let first = plan.runs[0].variant.clone();
    let script = move |assignment: &Assignment| match assignment.row.variant == first {
        true => Script::ending(&[0.1, 0.9], Ending::Restores(1)),
        false => Script::done(&[0.3; 5]),
    };
    let ended = scripted.run(&plan, script);
    let halted = |epochs| (epochs, Status::Halted);
    let ends = standings(&ended).into_iter();
    let ends: Vec<_> = ends.map(|(_, epochs, status)| (epochs, status)).collect();
    assert_eq!(ends, [(2, Status::Done), halted(3), halted(3)]);
}

#[test]
fn points_are_compared_by_the_mean_over_their_seeds() {
    let scripted = ScriptedExperiments::default();
    let text = "seeds = [0, 1]\n".to_string() + &HALVED.replace("points = 9", "points = 3");
    let plan = scripted.plan("halved", &text);
    // The first point is the best with one seed, and by far the worst with the other.
    let first = plan.runs[0].variant.clone();
    let script = move |assignment: &Assignment| {
        let loss = match (assignment.row.variant == first, assignment.row.seed) {
            (true, 0) => 0.1,
            (true, _) => 0.9,
            (false, _) => 0.3,
        };
        Script::done(&[loss; 3])
    };
    let ended = scripted.run(&plan, script);
    let statuses: Vec<Status> = ended.results.rows.iter().map(|row| row.status).collect();
    let (halted, done) = (Status::Halted, Status::Done);
    assert_eq!(statuses, [halted, halted, done, done, halted, halted]);
    let reason = ended.results.rows[0].reason.as_deref();
    assert_eq!(reason, Some("given up after epoch 1: others are better"));
}
