//! TensorBoard event files: scalars, histograms, pictures, texts, the graph and hyperparameters.
//!
//! One [`EventWriter`] is one file in the directory of one run. The messages are those that
//! TensorBoard reads today; how they are framed is left to `tensorboard-rs`. Knows neither Burn nor
//! experiments: names, steps and numbers come from outside.

mod graph;
mod histogram;
mod hparams;
mod picture;

use std::fs::{File, OpenOptions, create_dir_all};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use protobuf::{Message, RepeatedField};
use tensorboard_proto::event::{Event, SessionLog_SessionStatus};
use tensorboard_proto::summary::{Summary_Value, SummaryMetadata};
use tensorboard_proto::tensor::TensorProto;
use tensorboard_proto::tensor_shape::{TensorShapeProto, TensorShapeProto_Dim};
use tensorboard_proto::types::DataType;
use tensorboard_rs::record_writer::RecordWriter;

use crate::error::{Error, Kind, Result};

pub use graph::GraphNode;
pub use histogram::Histogram;
pub use hparams::Parameter;
pub use picture::Picture;

/// Writes the events of one run.
///
/// Events are buffered: a reader sees them after [`flush`](EventWriter::flush), or once the writer
/// is dropped, which however hides a full disk. Tags with a common part before the first `/`
/// (`loss/train`, `loss/validation`) share a section in TensorBoard.
pub struct EventWriter<W: Write = BufWriter<File>> {
    records: RecordWriter<W>,
    path: PathBuf,
}

impl EventWriter {
    /// Opens a new event file in `directory`, which is created if it is missing.
    ///
    /// With `resume_at`, TensorBoard forgets what older files of the directory logged at this step
    /// or later; without, it forgets all their points. The hyperparameters and the end of a session
    /// are not points and stay as they were first written.
    pub fn create(directory: &Path, resume_at: Option<i64>) -> Result<Self> {
        create_dir_all(directory)
            .map_err(|error| Error::io(Kind::Data, "create the directory", directory, &error))?;
        let (file, path) = create_file(directory)
            .map_err(|error| Error::io(Kind::Data, "create an event file", directory, &error))?;
        Self::start(BufWriter::new(file), path, resume_at)
    }
}

impl<W: Write> EventWriter<W> {
    /// Writes the header; `path` is for errors only.
    fn start(output: W, path: PathBuf, resume_at: Option<i64>) -> Result<Self> {
        let mut writer = EventWriter {
            records: RecordWriter::new(output),
            path,
        };
        let mut version = Event::new();
        version.set_file_version("brain.Event:2".to_string());
        writer.event(0, version)?;
        // The first START of a directory purges nothing, those after it do: so each file has one.
        let mut session = Event::new();
        session
            .mut_session_log()
            .set_status(SessionLog_SessionStatus::START);
        writer.event(resume_at.unwrap_or(0), session)?;
        Ok(writer)
    }

    /// Where the events go.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// One point of a curve, kept as an `f32`; NaN and infinite values are shown as such.
    pub fn scalar(&mut self, tag: &str, step: i64, value: f64) -> Result<()> {
        let mut summary = Summary_Value::new();
        summary.set_simple_value(value as f32);
        self.summary(tag, step, summary)
    }

    /// How values are spread at one step: weights, gradients, activations.
    pub fn histogram(&mut self, tag: &str, step: i64, histogram: &Histogram) -> Result<()> {
        let mut summary = Summary_Value::new();
        summary.set_histo(histogram.message());
        self.summary(tag, step, summary)
    }

    /// One picture.
    pub fn image(&mut self, tag: &str, step: i64, picture: &Picture) -> Result<()> {
        self.images(tag, step, std::slice::from_ref(picture))
    }

    /// Several pictures of one size, side by side under one tag; none writes nothing.
    pub fn images(&mut self, tag: &str, step: i64, pictures: &[Picture]) -> Result<()> {
        let Some(first) = pictures.first() else {
            return Ok(());
        };
        // TensorBoard's form: width, height, then the encoded pictures.
        let mut strings = vec![
            first.width.to_string().into_bytes(),
            first.height.to_string().into_bytes(),
        ];
        for picture in pictures {
            strings.push(picture.png()?);
        }
        let shape = shape_of(&[strings.len() as i64]);
        self.summary(tag, step, string_value("images", shape, strings))
    }

    /// A text in Markdown, at step 0.
    pub fn text(&mut self, tag: &str, markdown: &str) -> Result<()> {
        let strings = vec![markdown.as_bytes().to_vec()];
        // A scalar: TensorBoard would draw a vector as a table.
        self.summary(tag, 0, string_value("text", shape_of(&[]), strings))
    }

    /// The network as a graph; a later one takes the place of an earlier one.
    pub fn graph(&mut self, nodes: &[GraphNode]) -> Result<()> {
        let mut event = Event::new();
        event.set_graph_def(encode(&graph::message(nodes)));
        self.event(0, event)
    }

    /// What this run was set to: its row in the HPARAMS tab, with the last value of each scalar.
    ///
    /// TensorBoard itself gathers the columns from all runs it shows, so that variants may set
    /// different parameters; of each run it believes the first set it reads.
    pub fn hparams(&mut self, parameters: &[(String, Parameter)]) -> Result<()> {
        let content = hparams::start(parameters, seconds(since_epoch()));
        self.plugin_data(hparams::START_TAG, content)
    }

    /// How this run ended; until then the HPARAMS tab shows no status.
    ///
    /// TensorBoard believes the first end it reads, so that a failure is best written only when the
    /// run is not going to be tried again in the same directory.
    pub fn hparams_end(&mut self, succeeded: bool) -> Result<()> {
        let content = hparams::end(succeeded, seconds(since_epoch()));
        self.plugin_data(hparams::END_TAG, content)
    }

    /// Hands everything written so far to the operating system.
    pub fn flush(&mut self) -> Result<()> {
        self.records
            .flush()
            .map_err(|error| write_error(&self.path, &error))
    }

    /// A value that is all metadata.
    fn plugin_data(&mut self, tag: &str, content: Vec<u8>) -> Result<()> {
        let mut summary = Summary_Value::new();
        summary.set_metadata(metadata(hparams::PLUGIN, content));
        let tensor = summary.mut_tensor();
        tensor.set_dtype(DataType::DT_FLOAT);
        tensor.set_tensor_shape(shape_of(&[0]));
        self.summary(tag, 0, summary)
    }

    fn summary(&mut self, tag: &str, step: i64, mut value: Summary_Value) -> Result<()> {
        value.set_tag(tag.to_string());
        let mut event = Event::new();
        event.mut_summary().mut_value().push(value);
        self.event(step, event)
    }

    fn event(&mut self, step: i64, mut event: Event) -> Result<()> {
        event.set_step(step);
        event.set_wall_time(seconds(since_epoch()));
        self.records
            .write(&encode(&event))
            .map_err(|error| write_error(&self.path, &error))
    }
}

/// A new file whose name is unlike any other's and sorts after those of earlier files, which is
/// the order TensorBoard reads them in.
fn create_file(directory: &Path) -> io::Result<(File, PathBuf)> {
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    loop {
        let now = since_epoch();
        let name = format!(
            "events.out.tfevents.{:010}.{:09}.burnlab.{}.{:06}",
            now.as_secs(),
            now.subsec_nanos(),
            std::process::id(),
            COUNTER.fetch_add(1, Ordering::Relaxed),
        );
        let path = directory.join(name);
        match OpenOptions::new().write(true).create_new(true).open(&path) {
            Ok(file) => return Ok((file, path)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
}

/// Time since 1970; zero on a machine whose clock stands before.
fn since_epoch() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
}

/// Seconds as TensorBoard's messages carry them.
fn seconds(duration: Duration) -> f64 {
    duration.as_secs_f64()
}

fn write_error(path: &Path, error: &io::Error) -> Error {
    Error::io(Kind::Data, "write TensorBoard events", path, error)
}

fn encode(message: &impl Message) -> Vec<u8> {
    message
        .write_to_bytes()
        .expect("messages without required fields always encode")
}

/// Names the part of TensorBoard that a value is for.
fn metadata(plugin: &str, content: Vec<u8>) -> SummaryMetadata {
    let mut metadata = SummaryMetadata::new();
    let data = metadata.mut_plugin_data();
    data.set_plugin_name(plugin.to_string());
    data.set_content(content);
    metadata
}

/// A tensor of byte strings for a plugin whose own settings are all at their defaults.
fn string_value(plugin: &str, shape: TensorShapeProto, strings: Vec<Vec<u8>>) -> Summary_Value {
    let mut tensor = TensorProto::new();
    tensor.set_dtype(DataType::DT_STRING);
    tensor.set_tensor_shape(shape);
    tensor.set_string_val(RepeatedField::from_vec(strings));
    let mut value = Summary_Value::new();
    value.set_metadata(metadata(plugin, Vec::new()));
    value.set_tensor(tensor);
    value
}

/// A tensor's shape, -1 where the size is open.
fn shape_of(sizes: &[i64]) -> TensorShapeProto {
    let mut shape = TensorShapeProto::new();
    for &size in sizes {
        let mut dimension = TensorShapeProto_Dim::new();
        dimension.set_size(size);
        shape.mut_dim().push(dimension);
    }
    shape
}

#[cfg(test)]
mod tests;
