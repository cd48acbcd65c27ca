//! `burnlab augment`: what a recipe makes of the first images, before anything is trained.

use std::path::PathBuf;

use clap::Args;

use super::output_path::PICTURE;
use super::{Set, catalogue, files, picture, say};
use crate::error::{Error, Problem, Result, list};
use crate::pictures::{Augmentation, draw_recipe, framed};
use crate::plan::{Plan, Run};
use crate::rng::Seed;

#[derive(Debug, Args)]
pub struct AugmentArguments {
    /// The experiment, as a path or its name under experiments/
    file: PathBuf,
    /// One of its variants [default: the first one with a recipe]
    variant: Option<String>,
    /// Where the picture goes, a PNG file
    #[arg(long, short, value_name = "FILE", value_parser = PICTURE.path())]
    output: PathBuf,
    /// How many training images are shown, at most 40
    #[arg(long, value_name = "N", default_value = "8", value_parser = clap::value_parser!(u16).range(1..=40))]
    count: u16,
    #[command(flatten)]
    set: Set,
}

/// Draws the first training images of a variant's first seed, and below what its recipe makes of them.
pub fn augment(arguments: AugmentArguments) -> Result<()> {
    let path = files::find(&arguments.file)?;
    let catalogue = catalogue();
    let plan = Plan::make(&path, &arguments.set.overrides(), &catalogue)?;
    let run = run_of(&plan, arguments.variant.as_deref())?;
    let splits = catalogue.load(&run.settings.data, Seed(run.seed))?;
    let (shape, recipe) = (splits.train.shape, &run.settings.augment);
    let most = usize::from(arguments.count).min(Augmentation::MOST);
    let count = most.min(splits.train.len());
    let images = splits.train.pixels.some(0..count * shape.len());
    let drawn = draw_recipe(recipe, &images, shape, Seed(run.seed));
    picture::write(&arguments.output, framed(&drawn))?;
    say(&format!(
        "drawn into {}: {count} images of `{}`, seed {}",
        arguments.output.display(),
        run.variant,
        run.seed
    ));
    if !recipe.batch.is_empty() {
        say("what `batch` mixes is not shown");
    }
    Ok(())
}

/// The first run of a variant, or of the first variant that has a recipe.
fn run_of<'a>(plan: &'a Plan, variant: Option<&str>) -> Result<&'a Run> {
    let has_recipe = |run: &&Run| {
        let recipe = &run.settings.augment;
        !recipe.copies.is_empty() || !recipe.random.is_empty()
    };
    let Some(variant) = variant else {
        let found = plan.runs.iter().find(has_recipe);
        return found.ok_or_else(|| {
            let file = plan.path.display();
            let message = format!("no variant of `{file}` has `copies` or `random` in its recipe");
            let hint = "random = [{ rotate = { degrees = [-10, 10] } }] under [augment]";
            Error::usage(Problem::new(message).hint(hint))
        });
    };
    let mut runs = plan.runs.iter().filter(|run| run.is_of(variant));
    let run = runs.next().ok_or_else(|| plan.no_variant(variant))?;
    if has_recipe(&run) {
        return Ok(run);
    }
    let message = format!("the recipe of `{variant}` has neither `copies` nor `random`");
    let mut others: Vec<&str> = plan
        .runs
        .iter()
        .filter(has_recipe)
        .map(|run| run.variant.as_str())
        .collect();
    others.dedup();
    let hint = (!others.is_empty()).then(|| format!("those that have: {}", list(&others)));
    Err(Error::usage(Problem::new(message).maybe_hint(hint)))
}
