//! Progress as bars on a terminal: one for the whole plan, one for each run at work.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::lines::{closing, name, opening};
use super::{Progress, RunState, Share, WorkerCounts};
use crate::error::visible;
use crate::plan::{Plan, Run};
use crate::record::{Event, LOSS, RunRow, Score};

/// Bars on standard error.
pub struct Bars {
    screen: MultiProgress,
    whole: ProgressBar,
    runs: HashMap<usize, ProgressBar>,
    planned: Vec<Run>,
    /// Multiply-adds of each run, from the start or from where it is resumed.
    work: Vec<f64>,
    /// Share of that work that is done.
    done: Vec<f64>,
    /// Share of a run's epochs that a checkpoint spared.
    spared: Vec<f64>,
    epochs: Vec<f64>,
    /// Last epoch's scores, as shown.
    scores: HashMap<usize, String>,
    start: Instant,
    ended: usize,
    to_do: usize,
    /// Workers on other machines, as they are told of.
    workers: String,
}

impl Default for Bars {
    fn default() -> Self {
        let screen = MultiProgress::new();
        let whole = screen.add(ProgressBar::new(1000));
        Bars {
            screen,
            whole,
            runs: HashMap::new(),
            planned: Vec::new(),
            work: Vec::new(),
            done: Vec::new(),
            spared: Vec::new(),
            epochs: Vec::new(),
            scores: HashMap::new(),
            start: Instant::now(),
            ended: 0,
            to_do: 0,
            workers: String::new(),
        }
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template)
        .expect("the template is right")
        .progress_chars("━╸─")
}

/// `2 h 05 min`, `3 min 20 s`, `45 s`.
fn plain_time(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {:02} s", seconds / 60, seconds % 60),
        _ => format!("{} h {:02} min", seconds / 3600, seconds / 60 % 60),
    }
}

impl Bars {
    /// A terminal that has gone away is no error.
    fn say(&self, text: &str) {
        let _ = self.screen.println(visible(text));
    }

    fn refresh(&self) {
        let all: f64 = self.work.iter().sum();
        let done: f64 = self
            .work
            .iter()
            .zip(&self.done)
            .map(|(work, done)| work * done)
            .sum();
        let share = if all > 0.0 { done / all } else { 1.0 };
        self.whole.set_position((share * 1000.0) as u64);
        let spent = self.start.elapsed();
        let left = match share {
            share if share > 0.005 => {
                let left = spent.mul_f64((1.0 - share) / share);
                format!(", about {} left", plain_time(left))
            }
            _ => String::new(),
        };
        let text = format!(
            "{}/{} runs, {}{left}{}",
            self.ended,
            self.to_do,
            plain_time(spent),
            self.workers
        );
        self.whole.set_message(text);
    }

    /// `share` of the run's epochs is done, those of earlier attempts included.
    fn progress(&mut self, run: usize, share: f64) {
        let spared = self.spared[run];
        self.done[run] = ((share - spared) / (1.0 - spared).max(1e-9)).clamp(0.0, 1.0);
        if let Some(bar) = self.runs.get(&run) {
            bar.set_position((share * 1000.0) as u64);
            let epoch = (share * self.epochs[run]).ceil().max(1.0);
            let scores = self
                .scores
                .get(&run)
                .map(String::as_str)
                .unwrap_or_default();
            let planned = &self.planned[run];
            let end = planned.point(self.epochs[run] as usize);
            let (_, end) = end.split_once(' ').unwrap_or_default();
            let point = planned.point(epoch as usize);
            let text = format!("{}  {point}/{end}{scores}", name(planned));
            bar.set_message(visible(&text).into_owned());
        }
        self.refresh();
    }
}

impl Progress for Bars {
    fn begin(&mut self, plan: &Plan, states: &[RunState], share: &Share) {
        self.planned = plan.runs.clone();
        self.epochs = plan
            .runs
            .iter()
            .map(|run| run.settings.train.training_plan(run.images).intervals() as f64)
            .collect();
        self.spared = states
            .iter()
            .zip(&self.epochs)
            .map(|(state, epochs)| match state {
                RunState::ToDo { epochs_done } => *epochs_done as f64 / epochs,
                _ => 0.0,
            })
            .collect();
        self.work = plan
            .runs
            .iter()
            .zip(states)
            .zip(&self.spared)
            .map(|((run, state), spared)| match state {
                RunState::ToDo { .. } => run.work * (1.0 - spared),
                _ => 0.0,
            })
            .collect();
        self.done = vec![0.0; plan.runs.len()];
        self.to_do = states.iter().filter(|state| state.is_to_do()).count();
        self.start = Instant::now();
        self.say(&format!("{}: {}", plan.name, opening(states, share)));
        self.whole.set_style(style("{bar:30.green/dim} {wide_msg}"));
        self.whole.enable_steady_tick(Duration::from_millis(500));
        self.refresh();
    }

    fn event(&mut self, run: usize, event: &Event) {
        let epochs = self.epochs[run];
        match event {
            Event::Started { epochs_done, .. } => {
                // One that is tried again has one.
                if let Some(bar) = self.runs.remove(&run) {
                    self.screen.remove(&bar);
                }
                let bar = self.screen.add(ProgressBar::new(1000));
                bar.set_style(style("{bar:30.cyan/dim} {wide_msg}"));
                self.runs.insert(run, bar);
                self.progress(run, *epochs_done as f64 / epochs);
            }
            Event::Progress {
                epoch,
                batch,
                batches,
            } => {
                let within = *batch as f64 / (*batches).max(1) as f64;
                self.progress(run, ((*epoch - 1) as f64 + within) / epochs);
            }
            Event::Epoch(row) => {
                let mut scores = format!(", loss {}", LOSS.metric.text(row.train.loss));
                match (row.validation, row.train.accuracy) {
                    (
                        Some(Score {
                            accuracy: Some(accuracy),
                            ..
                        }),
                        _,
                    ) => {
                        scores += &format!(", validation accuracy {accuracy:.4}");
                    }
                    (Some(validation), _) => {
                        scores +=
                            &format!(", validation loss {}", LOSS.metric.text(validation.loss));
                    }
                    (None, Some(accuracy)) => scores += &format!(", accuracy {accuracy:.4}"),
                    (None, None) => {}
                }
                self.scores.insert(run, scores);
                self.progress(run, row.epoch as f64 / epochs);
            }
            _ => {}
        }
    }

    fn workers(&mut self, counts: &WorkerCounts) {
        self.workers = format!(", {counts}");
        self.refresh();
    }

    fn ended(&mut self, run: usize, row: &RunRow) {
        self.ended += 1;
        self.done[run] = 1.0;
        if let Some(bar) = self.runs.remove(&run) {
            bar.finish_and_clear();
            self.screen.remove(&bar);
        }
        self.say(&closing(&self.planned[run], row));
        self.refresh();
    }

    fn note(&mut self, text: &str) {
        self.say(text);
    }

    fn end(&mut self) {
        for bar in self.runs.values() {
            bar.finish_and_clear();
        }
        self.whole.finish_and_clear();
        let _ = self.screen.clear();
    }
}
