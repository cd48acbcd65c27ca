//! A run's settings as its folder keeps them, with what was measured when it began.

use super::Settings;
use crate::data::{DatasetSpec, Scale, Splits};
use crate::error::{Error, Problem, Result};
use crate::record::{RunFolder, write_atomically};

const FILE: &str = "config.toml";

impl Settings {
    /// Those that a run was trained with.
    ///
    /// # Errors
    /// Its file cannot be read.
    pub fn of_run(folder: &RunFolder) -> Result<Settings> {
        let text = std::fs::read_to_string(folder.file(FILE)).ok();
        let settings = text.and_then(|text| toml::from_str(&text).ok());
        settings.ok_or_else(|| {
            let problem = Problem::new(format!("`{FILE}` of the run cannot be read"));
            Error::data(problem.at_file(folder.path()))
        })
    }

    /// Writes them into a run's folder.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write(&self, folder: &RunFolder) -> Result<()> {
        let text = toml::to_string(self)
            .map_err(|error| Error::bug(format!("cannot write `{FILE}`: {error}")))?;
        write_atomically(&folder.file(FILE), text.as_bytes())
    }

    /// The same with what is to be measured of the images that are trained on.
    pub fn measured(&self, splits: &Splits) -> Settings {
        let mut measured = self.clone();
        let train = &splits.train;
        measured.data.scale = self.data.scale.measured(&train.pixels, train.shape);
        if self.asks_for_bits() {
            measured.data.dataset = measured.data.dataset.with_bits(splits.bits);
        }
        measured
    }

    /// The same with what was measured when a run with these settings began.
    ///
    /// # Errors
    /// Something was, and the run's file cannot be read.
    pub fn as_trained(mut self, folder: &RunFolder) -> Result<Settings> {
        if self.data.scale == Scale::Standardize {
            self.data.scale = Settings::of_run(folder)?.data.scale;
        }
        if self.asks_for_bits() {
            let bits = Settings::of_run(folder)?.data.dataset.form().bits;
            self.data.dataset = self.data.dataset.with_bits(bits);
        }
        Ok(self)
    }

    /// Whether it is for the images to say how many of 16 bits their values use, if they are a folder of such.
    fn asks_for_bits(&self) -> bool {
        matches!(self.data.dataset, DatasetSpec::Folder(_))
            && self.data.dataset.form().bits.is_none()
    }

    /// Whether a run was trained with these settings, whatever was measured.
    pub fn are_those_of(&self, folder: &RunFolder) -> bool {
        let Ok(mut kept) = Settings::of_run(folder) else {
            return false;
        };
        if self.data.scale == Scale::Standardize {
            kept.data.scale = Scale::Standardize;
        }
        if self.asks_for_bits() {
            kept.data.dataset = kept.data.dataset.with_bits(None);
        }
        kept == *self
    }
}
