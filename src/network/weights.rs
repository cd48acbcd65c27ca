//! A network's weights to and from safetensors files.

use std::path::Path;

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, TensorData};
use burn_store::{KeyRemapper, ModuleStore, SafetensorsStore};
use sha2::{Digest, Sha256};

#[cfg(test)]
use super::Naming;
use super::misfit::misfit;
use super::tensors::{TensorShape, Walk};
use super::weight_file::{NO_SUM, SUM, header_and_tensors};
use super::{Fitted, Network, WeightFile};
use crate::error::{Error, Problem, Result};
use crate::hex::hex;
use crate::record::write_atomically;

/// What no layer's name begins with.
const NAMED: &str = "=";

impl<B: Backend> Network<B> {
    /// Writes all tensors to a safetensors file, whole or not at all.
    pub fn save_weights(&self, path: &Path) -> Result<()> {
        // Every pattern is tried on what those before it made: a layer's name may look like a place in the list, which the mark
        // before it does not.
        let mut names = KeyRemapper::new();
        let places = self.plan.layers.iter().enumerate();
        let places = places.map(|(index, layer)| {
            let place = format!(r"^layers\.{index}\.(?:.*\.)?([^.]+)$");
            (place, format!("{NAMED}{}.$1", layer.name))
        });
        for (from, to) in places.chain([(format!("^{NAMED}"), String::new())]) {
            names = names
                .add_pattern(from, to)
                .expect("the pattern is well-formed");
        }
        // Several entries would be written in an order that changes from run to run.
        let mut store = SafetensorsStore::from_bytes(None)
            .clear_metadata()
            .metadata(SUM, NO_SUM)
            .skip_enum_variants(true)
            .remap(names);
        let mut bytes = store
            .collect_from(self)
            .and_then(|()| store.get_bytes())
            .map_err(|error| Error::bug(format!("cannot write the weights: {error}")))?;
        put_sum(&mut bytes);
        write_atomically(path, &bytes)
    }

    /// Takes all tensors from a file that [`save_weights`](Self::save_weights) wrote.
    #[cfg(test)]
    pub fn load_weights(self, path: &Path) -> Result<Self> {
        let file = WeightFile::read(path, Naming::default())?;
        self.take_weights(&file, &|_| true)
    }

    /// Takes the tensors of the layers that `takes` says yes to; the others stay.
    ///
    /// # Errors
    /// The file lacks a tensor of such a layer, or has one of another shape, or is damaged.
    pub fn take_weights(self, file: &WeightFile, takes: &dyn Fn(&str) -> bool) -> Result<Self> {
        let tensors = self.tensors();
        let wanted = tensors.iter().filter(|tensor| takes(&tensor.layer));
        let wanted: Vec<&TensorShape> = wanted.collect();
        let fitted = fitted(file, &tensors)?;
        if let Some(misfit) = misfit(&wanted, &fitted) {
            let problem = Problem::new(misfit).at_file(file.path());
            return Err(Error::data(problem.maybe_hint(fitted.others(&wanted))));
        }
        let planned = self.plan.layers.clone();
        let mut loader = Loader {
            walk: Walk::new(&planned),
            file: &fitted,
            takes,
            failure: None,
        };
        let network = self.map(&mut loader);
        match loader.failure {
            None => Ok(network),
            Some(error) => Err(error),
        }
    }
}

/// The file as these tensors, all of a network's, see it.
pub(super) fn fitted<'a>(file: &'a WeightFile, tensors: &[TensorShape]) -> Result<Fitted<'a>> {
    let fitted = match file.flaws().first() {
        Some(flaw) => Err(flaw.clone()),
        None => file.fitted(tensors),
    };
    fitted.map_err(|flaw| {
        let problem = Problem::new(flaw.message).at_file(file.path());
        Error::data(problem.maybe_hint(flaw.hint))
    })
}

/// Writes the sum of a file's tensors where its header has room for it.
fn put_sum(file: &mut [u8]) {
    let Some((header, tensors)) = header_and_tensors(file) else {
        return;
    };
    let sum = hex(&Sha256::digest(tensors));
    let room = header.windows(NO_SUM.len());
    let at = room.into_iter().position(|text| text == NO_SUM.as_bytes());
    if let Some(at) = at {
        file[8 + at..8 + at + sum.len()].copy_from_slice(sum.as_bytes());
    }
}

struct Loader<'a> {
    walk: Walk<'a>,
    file: &'a Fitted<'a>,
    takes: &'a dyn Fn(&str) -> bool,
    failure: Option<Error>,
}

impl<B: Backend> ModuleMapper<B> for Loader<'_> {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.walk.enter(name);
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.walk.leave();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<B, D>>) -> Param<Tensor<B, D>> {
        let (layer, role) = self.walk.tensor();
        if !(self.takes)(&layer.name) {
            return param;
        }
        let (id, old, mapper) = param.consume();
        let tensor = match self
            .file
            .values(&TensorShape::of(layer, role, old.dims().to_vec()))
        {
            Ok(values) => {
                let data = TensorData::new(values, old.dims());
                let new = Tensor::from_data(data, &old.device());
                new.set_require_grad(old.is_require_grad())
            }
            Err(error) => {
                self.failure.get_or_insert(error);
                old
            }
        };
        Param::from_mapped_value(id, tensor, mapper)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::testing::*;
    use super::super::{Layout, NamedValues, export};
    use super::*;
    use burn::backend::Flex;

    #[test]
    fn weights_go_to_a_file_and_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("weights.safetensors");
        let saved = network::<Flex>(SMALL, 1);
        saved.save_weights(&path).unwrap();
        let keys = SafetensorsStore::from_file(&path).keys().unwrap();
        assert!(keys.contains(&"conv2d_1.weight".to_string()), "{keys:?}");
        assert!(
            keys.contains(&"batch_normalization_1.running_mean".to_string()),
            "{keys:?}"
        );
        let again = folder.path().join("again.safetensors");
        saved.save_weights(&again).unwrap();
        assert_eq!(fs::read(&again).unwrap(), fs::read(&path).unwrap());
        let loaded = network::<Flex>(SMALL, 2).load_weights(&path).unwrap();
        assert_eq!(loaded.values(), saved.values());
    }

    #[test]
    fn layers_may_be_called_as_places_in_a_list_are() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("weights.safetensors");
        let layers = "{ repeat = { name = 'layers', times = 3, layers = [\
             { conv2d = { filters = 2, kernel = 3 } }, 'batch_normalization'] } }, 'flatten', { dense = { units = 'classes' } }";
        let saved = network::<Flex>(layers, 1);
        saved.save_weights(&path).unwrap();
        let keys = SafetensorsStore::from_file(&path).keys().unwrap();
        assert!(
            keys.contains(&"layers.1.batch_normalization_1.gamma".to_string()),
            "{keys:?}"
        );
        let loaded = network::<Flex>(layers, 2).load_weights(&path).unwrap();
        assert_eq!(loaded.values(), saved.values());
    }

    #[test]
    fn weights_of_another_network_are_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("weights.safetensors");
        network::<Flex>(SMALL, 1).save_weights(&path).unwrap();
        let other = SMALL.replace("filters = 2", "filters = 3");
        let error = network::<Flex>(&other, 1).load_weights(&path).unwrap_err();
        assert!(
            error.to_string().starts_with(
                "error: the weights do not fit: `conv2d_1` needs weight 3x1x3x3, bias 3, \
                 found weight 2x1x3x3, bias 2; `batch_normalization_1` needs gamma 3, beta 3, "
            ),
            "{error}"
        );
        std::fs::write(&path, b"not weights").unwrap();
        assert!(network::<Flex>(SMALL, 1).load_weights(&path).is_err());
    }

    #[test]
    fn weights_with_a_changed_byte_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("weights.safetensors");
        network::<Flex>(SMALL, 1).save_weights(&path).unwrap();
        let whole = fs::read(&path).unwrap();
        let (header, tensors) = header_and_tensors(&whole).unwrap();
        assert!(String::from_utf8_lossy(header).contains(&hex(&Sha256::digest(tensors))));
        let start = whole.len() - tensors.len();
        for at in [start, start + tensors.len() / 2, whole.len() - 1] {
            let mut changed = whole.clone();
            changed[at] ^= 1;
            fs::write(&path, changed).unwrap();
            let error = WeightFile::read(&path, Naming::default()).err().unwrap();
            assert_eq!(
                error.to_string(),
                format!(
                    "error: the weights are damaged: their SHA-256 is not the one that the file states\n  {}",
                    path.display()
                )
            );
        }
    }

    #[test]
    fn weights_that_are_no_numbers_are_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("weights.safetensors");
        for (value, what) in [(f32::NAN, "NaN"), (f32::NEG_INFINITY, "infinite")] {
            let mut network = network::<Flex>(SMALL, 1);
            network = network.map(&mut Spoil(value));
            network.save_weights(&path).unwrap();
            let error = self::network::<Flex>(SMALL, 1)
                .load_weights(&path)
                .unwrap_err();
            let message = format!(
                "error: cannot read the weights `conv2d_1.weight`: value 1 of 18 is {what}\n  {}",
                path.display()
            );
            assert_eq!(error.to_string(), message);
            let file = WeightFile::read(&path, Naming::default()).unwrap();
            let to = folder.path().join("exported");
            let exported = export(&file, &planned(SMALL).tensors(10), Layout::Pytorch, &to);
            assert!(exported.is_err() && !to.exists());
        }
    }

    /// Makes this of every weight.
    struct Spoil(f32);

    impl<B: Backend> ModuleMapper<B> for Spoil {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<B, D>>) -> Param<Tensor<B, D>> {
            param.map(|tensor| tensor.full_like(self.0))
        }
    }

    #[test]
    fn chosen_layers_take_their_weights_and_the_others_stay() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("weights.safetensors");
        let saved = network::<Flex>(SMALL, 1);
        saved.save_weights(&path).unwrap();
        let file = WeightFile::read(&path, Naming::default()).unwrap();
        // A last layer of another size does not matter where it is left out.
        let other = SMALL.replace("'flatten',", "'flatten', { dense = { units = 7 } },");
        let fresh = network::<Flex>(&other, 2);
        let taken = fresh.clone().take_weights(&file, &|_| false).unwrap();
        assert_eq!(taken.values(), fresh.values());
        let taken = fresh
            .clone()
            .take_weights(&file, &|name| name == "conv2d_1")
            .unwrap();
        let expected: Vec<NamedValues> = fresh
            .values()
            .into_iter()
            .map(|fresh| match fresh.0.starts_with("conv2d_1/") {
                true => saved
                    .values()
                    .into_iter()
                    .find(|(name, _)| *name == fresh.0)
                    .unwrap(),
                false => fresh,
            })
            .collect();
        assert_eq!(taken.values(), expected);
        assert_ne!(taken.values(), fresh.values());
        let error = fresh
            .take_weights(&file, &|name| !name.starts_with("conv"))
            .unwrap_err();
        assert_eq!(
            error.problems[0].message,
            "the weights do not fit: `dense_1` needs weight 98x7, bias 7, found nothing of that name; \
             `out` needs weight 7x10, bias 10, found weight 98x10, bias 10"
        );
    }
}
