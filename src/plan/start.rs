//! What first weights are taken from, a file or a run, compared with the layers they are to fill.

use std::path::Path;
use std::rc::Rc;

use super::needs::{Connector, Needer};
use super::{Run, check};
use crate::data::Validation;
use crate::error::{Flaw, Result};
use crate::network::{TensorShape, WeightFile, misfit};
use crate::spec::{START, Settings, Start};

impl Connector<'_> {
    pub fn connect_to_file(
        &mut self,
        needer: &Needer,
        settings: &Settings,
        start: &Start,
        path: &Path,
    ) -> Result<()> {
        let Some(file) = self.file(needer, start, path) else {
            return Ok(());
        };
        self.compare(needer, settings, "start.weights", &|tensor| {
            file.shape(tensor)
        })?;
        for index in needer.runs.clone() {
            self.sums.insert(index, file.sha256().to_string());
        }
        Ok(())
    }

    fn file(&mut self, needer: &Needer, start: &Start, path: &Path) -> Option<Rc<WeightFile>> {
        // One file is hardly ever read in two layouts; it is read again then.
        let key = path.join(format!("{:?}", start.layout));
        if let Some(known) = self.files.get(&key) {
            return known.clone();
        }
        let file = match path.is_file() {
            true => WeightFile::read(path, start.layout).map_err(|error| {
                let told = error.problems.into_iter().next();
                let told = told.map(|problem| problem.message).unwrap_or_default();
                let reason = told.rsplit(": ").next().unwrap_or(&told);
                let message = format!("`{}` holds no weights: {reason}", path.display());
                Flaw::new("start.weights", message).hint("files of the safetensors format are read")
            }),
            false => {
                let message = format!("`weights` names `{}`, which is not there", path.display());
                let hint = "the name is looked up beside the file that says it";
                Err(Flaw::new("start.weights", message).hint(hint))
            }
        };
        let file = match file {
            Ok(file) => Some(Rc::new(file)),
            Err(flaw) => {
                self.tell(needer, flaw);
                None
            }
        };
        self.files.insert(key, file.clone());
        file
    }

    /// Tells of layers that are to take weights of other shapes.
    fn compare(
        &mut self,
        needer: &Needer,
        settings: &Settings,
        key: &str,
        there: &dyn Fn(&TensorShape) -> Option<Vec<usize>>,
    ) -> Result<()> {
        let Some(start) = &settings.start else {
            return Ok(());
        };
        let tensors = self.tensors(settings)?;
        let wanted = tensors.iter().filter(|tensor| start.takes(&tensor.layer));
        if let Some(misfit) = misfit(&wanted.collect::<Vec<_>>(), there) {
            let hint = "layers named in `start.exclude` start fresh";
            self.tell(needer, Flaw::new(key, misfit).hint(hint));
        }
        Ok(())
    }

    fn tensors(&mut self, settings: &Settings) -> Result<Rc<Vec<TensorShape>>> {
        let key = serde_json::to_string(&(&settings.model, &settings.data));
        let key = key.expect("settings are plain values");
        if let Some(known) = self.tensors.get(&key) {
            return Ok(Rc::clone(known));
        }
        let tensors = Rc::new(check::tensors(settings, self.around.catalogue)?);
        self.tensors.insert(key, Rc::clone(&tensors));
        Ok(tensors)
    }

    /// Tells what keeps a run from starting from another one.
    pub fn compare_with_run(
        &mut self,
        needer: &Needer,
        settings: &Settings,
        found: &Run,
    ) -> Result<()> {
        let earlier = &found.settings;
        let wants_best = settings.start.as_ref().is_some_and(|start| start.best);
        let without = earlier.data.validation == Validation::Count(0);
        if wants_best && without && earlier.train.best_metric().needs_validation() {
            let name = &found.variant;
            let message = format!("`{name}` keeps no best weights: it has no validation set");
            let flaw = Flaw::new("start.best", message);
            self.tell(
                needer,
                flaw.hint("leave `best` out, or give it `data.validation`"),
            );
        }
        let tensors = self.tensors(earlier)?;
        self.compare(needer, settings, START, &|wanted| {
            let same =
                |tensor: &&TensorShape| tensor.layer == wanted.layer && tensor.role == wanted.role;
            tensors.iter().find(same).map(|tensor| tensor.shape.clone())
        })
    }
}
