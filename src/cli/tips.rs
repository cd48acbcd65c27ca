//! What a command line says that is written for another program: how it is said here.

use clap::error::{ContextKind, ContextValue};

use crate::config::{SETTINGS, key_in_a_table};

/// Options of other programs, and what does the same here.
const OPTIONS: &[(&[&str], &str)] = &[
    (
        &["resume", "restart", "continue"],
        "the same command goes on with what is not done",
    ),
    (
        &["gpu", "gpus", "cuda"],
        "`--device cuda` takes all GPUs, `--device cuda:0` one",
    ),
    (
        &["workers", "n-jobs", "parallel", "num-workers"],
        "`--jobs N` says how many runs are trained at a time",
    ),
    (
        &[
            "output",
            "output-dir",
            "out",
            "save-dir",
            "logdir",
            "log-dir",
        ],
        "`--results DIR` says where results go",
    ),
    (
        &["filter", "variant", "variants", "select"],
        "`--only VARIANT` chooses, also by a pattern",
    ),
    (
        &["multirun"],
        "a file's `[grid]` and its variants are all run",
    ),
    (
        &["overrides", "override", "config"],
        "settings are changed with `--set KEY=VALUE`",
    ),
    (
        &["verbose", "debug"],
        "each run's folder has its log, `burnlab explain` shows every setting",
    ),
];

/// Commands of other programs, and what does the same here.
const COMMANDS: &[(&[&str], &str)] = &[
    (
        &["train", "fit", "start", "experiment"],
        "`burnlab run` trains what is not done",
    ),
    (
        &["validate", "lint", "verify"],
        "`burnlab check` finds what is wrong with files before anything runs",
    ),
    (
        &["test", "eval", "score"],
        "`burnlab evaluate` measures a trained run",
    ),
    (
        &["infer", "inference", "classify"],
        "`burnlab predict` says what a trained run makes of images",
    ),
    (
        &["init", "create"],
        "`burnlab new` writes an experiment file",
    ),
    (
        &["status", "ls"],
        "`burnlab list` tells of every experiment how far it is",
    ),
    (
        &["show", "config"],
        "`burnlab explain` shows every setting and where it comes from",
    ),
    (
        &["sweep", "tune", "optimize", "search", "hyperopt"],
        "a file's `[search]` or `[grid]` is run by `burnlab run`",
    ),
    (
        &["tensorboard"],
        "`tensorboard --logdir results/NAME/tensorboard` shows the curves",
    ),
    (
        &["clean", "remove"],
        "an experiment's results are the folder `results/NAME`",
    ),
    (&["resume"], "`burnlab run` goes on with what is not done"),
    (
        &["download"],
        "`burnlab data fetch NAME` downloads a dataset",
    ),
];

/// Puts what was probably meant in the place of what is merely spelt alike.
pub(super) fn suggest(answer: &mut clap::Error) {
    let of = |kind| match answer.get(kind) {
        Some(ContextValue::String(text)) => Some(text.clone()),
        _ => None,
    };
    let argument = of(ContextKind::InvalidArg).and_then(|text| of_argument(&text));
    let command = || of(ContextKind::InvalidSubcommand).and_then(|text| known(COMMANDS, &text));
    let Some(tip) = argument.or_else(command) else {
        return;
    };
    answer.remove(ContextKind::SuggestedArg);
    answer.remove(ContextKind::SuggestedSubcommand);
    let tips = ContextValue::StyledStrs(vec![tip.into()]);
    answer.insert(ContextKind::Suggested, tips);
}

/// Where a setting goes that stands there as an argument, `train.epochs=3` or `--epochs`, and what an option is called here.
fn of_argument(argument: &str) -> Option<String> {
    let Some(option) = argument.strip_prefix("--") else {
        let key = argument.split_once('=').map(|(key, _)| key)?;
        let is_setting = key.contains('.') && !key.starts_with('-');
        return is_setting.then(|| format!("settings are changed with `--set {argument}`"));
    };
    let option = option.split('=').next().unwrap_or_default();
    known(OPTIONS, option).or_else(|| {
        let key = match option.contains('.') {
            true => option.to_string(),
            false => key_in_a_table(&option.replace('-', "_"), SETTINGS)?,
        };
        Some(format!("settings are changed with `--set {key}=...`"))
    })
}

fn known(all: &[(&[&str], &str)], word: &str) -> Option<String> {
    let found = all.iter().find(|(words, _)| words.contains(&word));
    found.map(|(_, tip)| tip.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_and_options_of_other_programs_are_known() {
        let set = |rest: &str| Some(format!("settings are changed with `--set {rest}`"));
        assert_eq!(of_argument("train.epochs=3"), set("train.epochs=3"));
        assert_eq!(of_argument("--epochs"), set("train.epochs=..."));
        assert_eq!(of_argument("--batch-size=5"), set("train.batch_size=..."));
        assert_eq!(
            of_argument("--lr"),
            set("train.optimizer.adam.learning_rate=...")
        );
        assert_eq!(of_argument("--seed"), set("train.seeds=..."));
        assert_eq!(of_argument("--train.epochs"), set("train.epochs=..."));
        assert!(
            of_argument("--resume")
                .unwrap()
                .starts_with("the same command")
        );
        for unknown in ["photos", "a=b", "-e", "--frobnicate"] {
            assert_eq!(of_argument(unknown), None, "{unknown}");
        }
    }
}
