//! About how much memory a run takes, held against what the machine has.
//!
//! What is counted is what grows with the settings: the data, the weights with their gradients and the optimizer's
//! state, what is kept and written of them, and the values between the layers of one batch. Kernels and libraries
//! take more.

use crate::config::Settings;
use crate::data::Facts;
use crate::network::Plan;
use crate::system_memory::{gib, room};

/// Bytes of a number.
const NUMBER: f64 = 4.0;

/// Bytes that a program takes which trains next to nothing.
const PROGRAM: f64 = 64.0 * 1024.0 * 1024.0;

/// What a run needs at the peak of its training, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Memory {
    /// Data and weights, which are always there.
    resident: f64,
    /// Gradients of a step.
    gradients: f64,
    /// Copies of weights while numbers of an epoch's end are made and a checkpoint is written: as much as was seen of networks of
    /// 20 million weights, with all kinds of optimizers and copies.
    checkpoint: f64,
    /// Values between layers, of an image that is trained on and of one that is measured.
    images: [f64; 2],
    /// Images at a time of both.
    batches: [usize; 2],
    /// What says how many are trained on at a time.
    step_key: &'static str,
    /// Whether the file says how many are measured at a time.
    says_evaluation: bool,
}

impl Memory {
    /// That of a run on some images of a dataset of `whole` images; `parameters` are the trained numbers of the plan.
    pub fn of(
        settings: &Settings,
        plan: &Plan,
        (facts, whole): (&Facts, usize),
        parameters: usize,
    ) -> Self {
        let train = &settings.train;
        let parameters = NUMBER * parameters as f64;
        let stages = (0..train.stages.len()).map(Some);
        let states = stages.chain([None]).map(|stage| train.optimizers_of(stage));
        let state = states
            .map(|optimizer| optimizer.numbers_a_weight())
            .max()
            .unwrap_or(0);
        let restores = train.early_stopping.as_ref();
        let copies = [
            train.average.as_ref().is_some(),
            train.best_lack(facts.validation > 0).is_none(),
            restores.is_some_and(|stopping| stopping.restore_best),
        ];
        let copies = copies.into_iter().filter(|is_kept| *is_kept).count();
        let kept = parameters * (1 + state + copies) as f64;
        let trained = facts.train * settings.augment.images_per_image();
        let samples = trained + facts.validation + facts.test;
        let micro_batch = settings.micro_batch(plan, true);
        let is_whole = micro_batch == train.batch_size.get();
        Memory {
            // The dataset itself has a byte a pixel.
            resident: PROGRAM
                + kept
                + (whole as f64 + NUMBER * samples as f64) * facts.shape.len() as f64,
            // Those of a part are added to those of the parts before.
            gradients: match is_whole {
                true => parameters,
                false => 2.0 * parameters,
            },
            checkpoint: (4.0 * parameters).max(6.0 * parameters - kept),
            images: [
                settings.values_in_training(plan),
                plan.values_in_inference(),
            ]
            .map(|values| NUMBER * values as f64),
            batches: [
                micro_batch.min(trained.max(1)),
                settings.evaluation_batch(plan),
            ],
            step_key: match settings.takes_micro_batches(plan) {
                true => "train.micro_batch_size",
                false => "train.batch_size",
            },
            says_evaluation: !train.evaluation_batch_size.is_auto(),
        }
    }

    /// Bytes at the peak.
    pub fn peak(&self) -> f64 {
        let [step, measured] = [0, 1].map(|part| self.images[part] * self.batches[part] as f64);
        self.resident + (self.gradients + step).max(measured).max(self.checkpoint)
    }

    /// What takes it, and batches that would fit `room` bytes.
    fn advice(&self, room: f64) -> String {
        let left = room - self.resident;
        let weights = self.gradients.max(self.checkpoint);
        if left < weights {
            let most = gib(self.resident + weights);
            return format!("{most} of that are for data and weights, whatever the batch");
        }
        let [step, measured] = [left - self.gradients, left];
        let fits = [step / self.images[0], measured / self.images[1]].map(|images| images as usize);
        let keys = [self.step_key, "train.evaluation_batch_size"];
        let too_large: Vec<String> = (0..2)
            .filter(|&part| self.batches[part] > fits[part])
            // Unless the file says it, it follows the other.
            .filter(|&part| part == 0 || self.says_evaluation || fits[0] >= self.batches[0])
            .map(|part| match fits[part] {
                0 => format!(
                    "one image takes {} between the layers",
                    gib(self.images[part])
                ),
                fits => format!("`{} = {fits}` would fit", keys[part]),
            })
            .collect();
        too_large.join(", ")
    }
}

/// A note on a run that takes more than the machine has.
pub fn note(label: &str, memory: &Memory) -> Option<String> {
    let machine = room()?;
    let peak = memory.peak();
    (peak > machine).then(|| {
        let (takes, has, advice) = (gib(peak), gib(machine), memory.advice(machine));
        format!(
            "`{label}` takes about {takes} of memory to train, and this machine has {has}; {advice}"
        )
    })
}

/// A note on workers that take more together than the machine has, where one of them fits.
pub fn together_note(workers: usize, memory: &Memory) -> Option<String> {
    let text = |machine| together(workers, memory.peak(), machine);
    room().and_then(text)
}

fn together(workers: usize, peak: f64, machine: f64) -> Option<String> {
    let all = peak * workers as f64;
    (all > machine && peak <= machine).then(|| {
        let (takes, has, fit) = (gib(all), gib(machine), (machine / peak) as usize);
        format!(
            "{workers} workers take up to about {takes} of memory together, and this machine has {has}; `--jobs {fit}` would fit"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 100 bytes of data and weights, 10 of gradients, 20 and 5 bytes an image.
    const MEMORY: Memory = Memory {
        resident: 100.0,
        gradients: 10.0,
        checkpoint: 30.0,
        images: [20.0, 5.0],
        batches: [7, 10],
        step_key: "train.batch_size",
        says_evaluation: false,
    };

    #[test]
    fn the_peak_is_the_step_or_the_measurement_or_the_checkpoint() {
        let peak = |batches| Memory { batches, ..MEMORY }.peak();
        assert_eq!(peak([7, 10]), 100.0 + 10.0 + 7.0 * 20.0);
        assert_eq!(peak([1, 10]), 100.0 + 10.0 * 5.0);
        assert_eq!(peak([1, 1]), 100.0 + 30.0);
    }

    #[test]
    fn what_would_fit_is_told() {
        assert_eq!(MEMORY.advice(200.0), "`train.batch_size = 4` would fit");
        let both = Memory {
            batches: [7, 50],
            says_evaluation: true,
            ..MEMORY
        };
        assert_eq!(
            both.advice(200.0),
            "`train.batch_size = 4` would fit, `train.evaluation_batch_size = 20` would fit"
        );
        assert_eq!(
            Memory {
                batches: [2, 50],
                ..MEMORY
            }
            .advice(200.0),
            "`train.evaluation_batch_size = 20` would fit"
        );
        let weights = (1u64 << 30) as f64 * 2.0;
        assert_eq!(
            Memory {
                resident: weights,
                ..MEMORY
            }
            .advice(200.0),
            "2.0 GiB of that are for data and weights, whatever the batch"
        );
        let wide = Memory {
            images: [weights, 5.0],
            ..MEMORY
        };
        assert_eq!(
            wide.advice(200.0),
            "one image takes 2.0 GiB between the layers"
        );
    }

    #[test]
    fn workers_are_held_against_the_machine_together() {
        let gib = f64::from(1 << 30);
        assert_eq!(together(2, 4.0 * gib, 8.0 * gib), None);
        assert_eq!(together(1, 9.0 * gib, 8.0 * gib), None);
        assert_eq!(
            together(4, 3.0 * gib, 8.0 * gib).unwrap(),
            "4 workers take up to about 12.0 GiB of memory together, and this machine has 8.0 GiB; `--jobs 2` would fit"
        );
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn only_what_the_machine_has_not_is_noted() {
        assert_eq!(note("plain", &MEMORY), None);
        let large = Memory {
            resident: 1e18,
            ..MEMORY
        };
        let text = note("plain", &large).unwrap();
        let start = "`plain` takes about 931322574.6 GiB of memory to train, and this machine has ";
        assert!(text.starts_with(start), "{text}");
        let end = "; 931322574.6 GiB of that are for data and weights, whatever the batch";
        assert!(text.ends_with(end), "{text}");
    }
}
