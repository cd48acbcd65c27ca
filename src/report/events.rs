//! A run's events as TensorBoard files: `tensorboard/VARIANT/seed-N`.

use std::path::PathBuf;

use serde_json::Value;

use super::projector::{self, Listed};
use super::tensorboard::{EventWriter, GraphNode, Histogram, Parameter, Picture};
use crate::config::{TrainingPlan, WhenTested};
use crate::error::{Error, Kind, Result};
use crate::measure::measures;
use crate::record::{BATCH_METRICS, Event, Node, Reporter, Score, Split, own_log, remove_folder};
use crate::run::{Assignment, parameters};

/// Writes what a run says for TensorBoard.
pub struct TensorBoard {
    folder: PathBuf,
    /// The run's own.
    run: PathBuf,
    parameters: Vec<(String, Parameter)>,
    config: String,
    /// How long training takes, where it is counted in steps.
    training_plan: Option<TrainingPlan>,
    /// Where the last row stands on the axis of the curves: the epoch, or the step where training is counted in steps.
    last: i64,
    writer: Option<EventWriter>,
    /// Whether every row has a score on the test set.
    is_tested: bool,
    projectors: Vec<Listed>,
}

impl TensorBoard {
    /// Nothing is written before the run starts.
    pub fn new(assignment: &Assignment) -> Result<Self> {
        let config = toml::to_string(&assignment.settings)
            .map_err(|error| Error::bug(format!("cannot show the settings: {error}")))?;
        let train = &assignment.settings.train;
        Ok(TensorBoard {
            folder: assignment.tensorboard.clone(),
            run: assignment.folder.clone(),
            parameters: hyperparameters(assignment),
            config: format!("```toml\n{config}```\n"),
            training_plan: train
                .counts_steps()
                .then(|| train.training_plan(assignment.images)),
            last: 0,
            writer: None,
            is_tested: assignment.settings.record.test == WhenTested::EveryEpoch,
            projectors: Vec::new(),
        })
    }

    /// Where an epoch, from 1, stands on the axis of the curves.
    fn point_of(&self, epoch: usize) -> i64 {
        let point = match &self.training_plan {
            Some(training_plan) => training_plan.interval(epoch).steps_done,
            None => epoch,
        };
        point as i64
    }

    /// Where an event stands on that axis. Steps of a tag must not go back, or TensorBoard drops those before: what is told of
    /// an earlier epoch whose weights are kept stands behind the last one.
    fn here(&self, event: &Event) -> i64 {
        match event {
            Event::Histogram { epoch, .. } | Event::Pictures { epoch, .. } => {
                match self.point_of(*epoch) {
                    point if point < self.last => self.last + 1,
                    point => point,
                }
            }
            _ => self.last,
        }
    }

    /// A first attempt replaces what the folder held; a resumed one goes on after its last epoch.
    fn start(&mut self, epochs_done: usize) -> Result<()> {
        if epochs_done > 0 {
            self.last = self.point_of(epochs_done);
        }
        if epochs_done > 0 && self.folder.is_dir() {
            self.writer = Some(EventWriter::create(&self.folder, Some(self.last + 1))?);
            return Ok(());
        }
        remove_folder(&self.folder)
            .map_err(|error| Error::io(Kind::Data, "remove the old logs", &self.folder, &error))?;
        let mut writer = EventWriter::create(&self.folder, None)?;
        own_log(&self.folder, &self.run)?;
        writer.text("config", &self.config)?;
        writer.hparams(&self.parameters)?;
        self.writer = Some(writer);
        Ok(())
    }
}

impl Reporter for TensorBoard {
    fn on_event(&mut self, event: &Event) -> Result<()> {
        match event {
            Event::Started { epochs_done, .. } => self.start(*epochs_done)?,
            Event::Epoch(row) => self.last = self.point_of(row.epoch),
            _ => {}
        }
        let here = self.here(event);
        let best = match event {
            Event::Finished(measured) => measured.best_epoch.map(|epoch| self.point_of(epoch)),
            _ => None,
        };
        let Some(writer) = &mut self.writer else {
            return Ok(());
        };
        match event {
            Event::Started { .. } | Event::Progress { .. } => Ok(()),
            Event::Graph(nodes) => {
                let nodes: Vec<GraphNode> = nodes.iter().map(graph_node).collect();
                writer.graph(&nodes)
            }
            Event::Inputs(pictures) => {
                let pictures: Vec<Picture> = pictures.iter().map(picture).collect();
                writer.images("inputs", 0, &pictures)
            }
            Event::Pictures { name, pictures, .. } => {
                let pictures: Vec<Picture> = pictures.iter().map(picture).collect();
                writer.images(&format!("pictures/{name}"), here, &pictures)
            }
            Event::Embedding(codes) => projector::write(&self.folder, &mut self.projectors, codes),
            Event::Histogram {
                name, histogram, ..
            } => writer.histogram(name, here, &Histogram::of(&histogram.0)),
            Event::Epoch(row) => {
                scores(writer, Split::Train, here, &row.train)?;
                if let Some(validation) = &row.validation {
                    scores(writer, Split::Validation, here, validation)?;
                }
                if let Some(test) = &row.test {
                    scores(writer, Split::Test, here, test)?;
                }
                writer.scalar("learning_rate", here, row.learning_rate)?;
                if let Some(norm) = row.gradient_norm {
                    writer.scalar("gradient_norm", here, norm)?;
                }
                if let Some(rate) = row.images_per_second {
                    writer.scalar("images_per_second", here, rate)?;
                }
                writer.flush()
            }
            Event::Finished(measured) => {
                let end = here + i64::from(measured.restored.is_some());
                if let Some(kept) = &measured.restored {
                    // One point more, so that curves end with what tables say of the weights that are kept.
                    for split in [Split::Train, Split::Validation] {
                        if let Some(score) = kept.score(split) {
                            scores(writer, split, end, score)?;
                        }
                    }
                    scores(writer, Split::Test, end, &measured.test)?;
                } else if !self.is_tested {
                    scores(writer, Split::Test, here, &measured.test)?;
                }
                for (_, metric, number) in measures(&measured.extra) {
                    writer.scalar(&format!("measures/{}", metric.name), end, number)?;
                }
                if let (Some(best), Some(point)) = (&measured.best, best) {
                    scores(writer, Split::BestTest, point, best)?;
                }
                writer.hparams_end(true)?;
                writer.flush()
            }
        }
    }
}

/// A point of every curve of a set of samples: `loss/train`, `accuracy/train`, ...
fn scores(writer: &mut EventWriter, split: Split, step: i64, score: &Score) -> Result<()> {
    for metric in BATCH_METRICS {
        if let Some(value) = (metric.of)(score) {
            let tag = format!("{}/{}", metric.metric.name, split.name());
            writer.scalar(&tag, step, value)?;
        }
    }
    Ok(())
}

fn graph_node(node: &Node) -> GraphNode {
    let output = std::iter::once(-1).chain(node.output.iter().map(|&length| length as i64));
    GraphNode {
        name: node.name.clone(),
        op: node.operation.clone(),
        inputs: node.inputs.clone(),
        attributes: node.attributes.clone(),
        output_shape: Some(output.collect()),
    }
}

/// TensorBoard shows gray and colors; of other channels the mean is shown, as pictures do.
fn picture(picture: &crate::record::Picture) -> Picture {
    let mean = |values: &[u8]| {
        let sum: usize = values.iter().map(|&value| usize::from(value)).sum();
        (sum / values.len()) as u8
    };
    let (channels, pixels) = match picture.channels {
        channels @ (1 | 3) => (channels as u8, picture.pixels.clone()),
        channels => (
            1,
            picture
                .pixels
                .chunks_exact(channels.max(1))
                .map(mean)
                .collect(),
        ),
    };
    Picture {
        width: picture.width as u32,
        height: picture.height as u32,
        channels,
        pixels,
    }
}

/// What distinguishes runs: variant, seed, and every setting but the layers.
fn hyperparameters(assignment: &Assignment) -> Vec<(String, Parameter)> {
    let row = &assignment.row;
    let own = [
        ("variant".to_string(), Parameter::Text(row.variant.clone())),
        ("seed".to_string(), Parameter::Number(row.seed as f64)),
    ];
    let settings = parameters(&assignment.settings).into_iter();
    let settings = settings.map(|(name, value)| {
        let is_text = assignment.texts.contains(&name);
        let parameter = match value {
            Value::String(text) => Parameter::Text(text),
            value if is_text => Parameter::Text(value.to_string()),
            Value::Bool(truth) => Parameter::Bool(truth),
            value => Parameter::Number(value.as_f64().unwrap_or(f64::NAN)),
        };
        (name, parameter)
    });
    own.into_iter().chain(settings).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_step_goes_back_where_earlier_weights_are_kept() {
        let log = TensorBoard {
            folder: PathBuf::new(),
            run: PathBuf::new(),
            parameters: Vec::new(),
            config: String::new(),
            training_plan: None,
            last: 11,
            writer: None,
            is_tested: true,
            projectors: Vec::new(),
        };
        let pictures = |epoch| Event::Pictures {
            epoch,
            name: "samples".to_string(),
            pictures: Vec::new(),
        };
        assert_eq!(log.here(&pictures(12)), 12);
        assert_eq!(log.here(&pictures(11)), 11);
        assert_eq!(log.here(&pictures(8)), 12);
        assert_eq!(log.here(&Event::Finished(Box::default())), 11);
    }
}
