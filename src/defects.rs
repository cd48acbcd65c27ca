//! Mistakes that tests plant in the program, to see that the regression gate turns red.
//!
//! Compiled for tests only. Each is asked for at the one place in the program that would make it, on threads of its own:
//! tests beside it see nothing of it.

use std::cell::Cell;

use rayon::ThreadPoolBuilder;

/// A mistake that no setting of an experiment can make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Defect {
    /// Dropout drops when a model is measured, too.
    DropoutInEvaluation,
    /// Batch normalization normalizes by the batch when a model is measured, too.
    BatchStatisticsInEvaluation,
    /// Training images have the label of the next class.
    LabelsOffByOne,
    /// The divergence of codes from the prior has the wrong sign.
    DivergenceOfWrongSign,
}

thread_local! {
    static PLANTED: Cell<Option<Defect>> = const { Cell::new(None) };
}

/// Whether the program at hand has this mistake.
pub fn is_planted(defect: Defect) -> bool {
    PLANTED.get() == Some(defect)
}

/// Does something with a mistake in the program.
pub fn with<T: Send>(defect: Option<Defect>, work: impl FnOnce() -> T + Send) -> T {
    let threads = ThreadPoolBuilder::new()
        .num_threads(rayon::current_num_threads())
        .start_handler(move |_| PLANTED.set(defect));
    threads.build().expect("threads").install(work)
}

/// Labels as they are, or each the next one.
pub fn perhaps_off_by_one(labels: Vec<u32>) -> Vec<u32> {
    if !is_planted(Defect::LabelsOffByOne) {
        return labels;
    }
    let classes = labels.iter().max().map_or(1, |last| last + 1);
    labels
        .into_iter()
        .map(|label| (label + 1) % classes)
        .collect()
}
