//! `burnlab pictures`: the pictures of a trained run, drawn anew from its weights.

use std::path::PathBuf;

use clap::Args;

use super::trained::{self, Which};
use super::{DeviceArgument, catalogue, say, sound};
use crate::error::{Error, Problem, Result};
use crate::models::Ability;
use crate::pictures::draw_all;
use crate::record::{Event, RunFolder};
use crate::report::write_embeddings;
use crate::train::{Gallery, last_point};

#[derive(Debug, Args)]
pub struct PicturesArguments {
    /// The experiment, as a path or its name under experiments/, or a run's folder
    file: PathBuf,
    /// One of its variants [default: the only one]
    variant: Option<String>,
    /// Where the pictures go, in a folder `pictures` [default: the run's folder]
    #[arg(long, value_name = "DIR")]
    into: Option<PathBuf>,
    #[command(flatten)]
    device: DeviceArgument,
    #[command(flatten)]
    which: Which,
}

/// Draws what the file's `[pictures]` now asks for.
pub fn pictures(arguments: PicturesArguments) -> Result<()> {
    let catalogue = catalogue();
    let variant = arguments.variant.as_deref();
    let found = trained::find(&arguments.file, variant, arguments.which, &catalogue)?;
    let (settings, seed) = (&found.run.settings, found.run.seed);
    let splits = found.splits(&catalogue)?;
    let Some(gallery) = Gallery::of(settings, &splits) else {
        let file = arguments.file.display();
        let problem = Problem::new(format!("`{file}` asks for no pictures"));
        let facts = &found.run.facts;
        let one = match (facts.can(Ability::Classify), facts.can(Ability::Encode)) {
            (true, _) => "confusion",
            (false, true) => "reconstructions",
            (false, false) => "samples",
        };
        let hint =
            format!("draw = [\"{one}\"] under [pictures], or --set pictures.draw='[\"{one}\"]'");
        return Err(Error::usage(problem.hint(hint)));
    };
    let rows = found.folder.epochs();
    let best = found.measured.best_epoch.filter(|_| found.is_best);
    let Some(point) = last_point(settings, &rows, best) else {
        let problem = Problem::new("the run's table of epochs is not there");
        return Err(Error::data(
            problem.at_file(found.folder.file("epochs.json")),
        ));
    };
    let folder = arguments.into.map_or(found.folder, RunFolder::new);
    let device = arguments.device.checked()?;
    let model = gallery.blueprint().load(&found.weights, &device)?;
    let subject = gallery.subject(&*model, settings, seed, point);
    let said = sound(draw_all(&settings.pictures, &subject, &folder)?)?;
    let embeddings = said.into_iter().filter_map(|event| match event {
        Event::Embedding(codes) => Some(*codes),
        _ => None,
    });
    let embeddings: Vec<_> = embeddings.collect();
    if !embeddings.is_empty() {
        write_embeddings(&found.tensorboard, &embeddings)?;
    }
    say(&format!("drawn into {}", folder.file("pictures").display()));
    Ok(())
}
