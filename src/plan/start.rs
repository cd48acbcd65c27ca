//! What first weights are taken from, a file or a run, compared with the layers they are to fill.

use std::path::Path;
use std::rc::Rc;

use super::needs::{Connector, Dependent};
use super::{Run, check};
use crate::config::{START, Settings, Start};
use crate::error::{Flaw, Result};
use crate::network::{TensorShape, WeightFile, misfit};

/// What may be done about layers whose weights do not fit.
const FRESH: &str = "layers named in `start.exclude` start fresh";

impl Connector<'_> {
    /// Compares runs with the file that they start from; gives its SHA-256 if it is one.
    pub fn connect_to_file(
        &mut self,
        dependent: &Dependent,
        settings: &Settings,
        start: &Start,
        path: &Path,
    ) -> Result<Option<String>> {
        let Some(file) = self.file(dependent, start, path) else {
            return Ok(None);
        };
        let tensors = self.tensors(settings)?;
        let fitted = match file.flaws() {
            [] => file.fitted(&tensors).map_err(|flaw| vec![flaw]),
            flaws => Err(flaws.to_vec()),
        };
        let fitted = match fitted {
            Ok(fitted) => fitted,
            Err(flaws) => {
                for flaw in flaws {
                    self.report(dependent, flaw.under("start"));
                }
                return Ok(None);
            }
        };
        let wanted = wanted(start, &tensors);
        if let Some(misfit) = misfit(&wanted, &fitted) {
            let others = fitted.others(&wanted).map(|others| others + "; ");
            let hint = others.unwrap_or_default() + FRESH;
            self.report(dependent, Flaw::new("start.weights", misfit).hint(hint));
        }
        Ok(Some(file.sha256().to_string()))
    }

    fn file(
        &mut self,
        dependent: &Dependent,
        start: &Start,
        path: &Path,
    ) -> Option<Rc<WeightFile>> {
        // One file is hardly ever read under two namings; it is read again then.
        let naming = start.naming();
        let key = path.join(format!("{naming:?}"));
        if let Some(known) = self.files.get(&key) {
            return known.clone();
        }
        let file = match path.is_file() {
            true => WeightFile::read(path, naming).map_err(|error| {
                let message = error.problems.into_iter().next();
                let message = message.map(|problem| problem.message).unwrap_or_default();
                let reason = message.rsplit(": ").next().unwrap_or(&message);
                let message = format!("`{}` holds no weights: {reason}", path.display());
                Flaw::new("start.weights", message).hint(of_other_format(path))
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
                self.report(dependent, flaw);
                None
            }
        };
        self.files.insert(key, file.clone());
        file
    }

    fn tensors(&mut self, settings: &Settings) -> Result<Rc<Vec<TensorShape>>> {
        let key = serde_json::to_string(&(&settings.model, &settings.data));
        let key = key.expect("settings are plain values");
        if let Some(known) = self.tensors.get(&key) {
            return Ok(Rc::clone(known));
        }
        let tensors = Rc::new(check::tensors(settings, self.lookup.catalogue)?);
        self.tensors.insert(key, Rc::clone(&tensors));
        Ok(tensors)
    }

    /// Reports what keeps a run from starting from another one.
    pub fn compare_with_run(
        &mut self,
        dependent: &Dependent,
        settings: &Settings,
        found: &Run,
    ) -> Result<()> {
        let earlier = &found.settings;
        let wants_best = settings.start.as_ref().is_some_and(|start| start.best);
        let lack = earlier.train.best_lack(found.has_validation);
        if let (Some(lack), true) = (lack, wants_best) {
            let remedy = match earlier.train.best_metric() {
                None => "or set that",
                Some(_) => "or give it `data.validation`",
            };
            let name = &found.variant;
            let message = format!("`{name}` keeps no best weights: {lack}");
            let flaw = Flaw::new("start.best", message);
            self.report(dependent, flaw.hint(format!("leave `best` out, {remedy}")));
        }
        let Some(start) = settings.start.as_ref() else {
            return Ok(());
        };
        let there = self.tensors(earlier)?;
        let tensors = self.tensors(settings)?;
        if let Some(misfit) = misfit(&wanted(start, &tensors), there.as_slice()) {
            self.report(dependent, Flaw::new(START, misfit).hint(FRESH));
        }
        Ok(())
    }
}

/// The tensors that are taken from there.
fn wanted<'a>(start: &Start, tensors: &'a [TensorShape]) -> Vec<&'a TensorShape> {
    let wanted = tensors.iter().filter(|tensor| start.takes(&tensor.layer));
    wanted.collect()
}

/// How a file that holds no weights could.
fn of_other_format(path: &Path) -> &'static str {
    let ending = path.extension().and_then(|ending| ending.to_str());
    match ending {
        Some("pt" | "pth" | "bin" | "ckpt") => {
            "files of the safetensors format are read: PyTorch writes one by `safetensors.torch.save_file(state_dict, path)`"
        }
        _ => "files of the safetensors format are read",
    }
}
