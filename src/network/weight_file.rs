//! A file of weights, from a run or from elsewhere: safetensors, numbers of any floating-point precision.
//!
//! It may hold more than is asked of it, of any type.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use burn::tensor::{bf16, f16};
use safetensors::SafeTensors;
use safetensors::tensor::Dtype;
use sha2::{Digest, Sha256};

use super::naming::begins;
use super::{Naming, TensorShape, torchvision};
use crate::error::{Error, Flaw, Kind, Problem, Result, count, did_you_mean, thousands};
use crate::hex::hex;
use crate::record::TRAINED_ANEW;

/// The metadata of a file that states the SHA-256 of its tensors' bytes, in hexadecimal.
pub(super) const SUM: &str = "sha256";
/// What stands there until they are known.
pub(super) const NO_SUM: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// PyTorch's count of batches, which nothing here has a use for.
const IDLE_ROLE: &str = "num_batches_tracked";

/// A safetensors file that is open.
pub struct WeightFile {
    path: PathBuf,
    bytes: Vec<u8>,
    naming: Naming,
    /// By what a network calls them, but for a map of whole networks.
    found: BTreeMap<String, Found>,
    sha256: String,
    flaws: Vec<Flaw>,
}

/// A tensor of the file.
struct Found {
    /// What the file calls it.
    called: String,
    dtype: Dtype,
    shape: Vec<usize>,
    /// Its bytes in the file.
    range: Range<usize>,
}

impl WeightFile {
    /// # Errors
    /// The file cannot be read or is not of that format.
    pub fn read(path: &Path, naming: Naming) -> Result<Self> {
        let bytes = fs::read(path)
            .map_err(|error| Error::io(Kind::Data, "read the weights", path, &error))?;
        let sha256 = hex(&Sha256::digest(&bytes));
        if !is_as_written(&bytes) {
            let message =
                "the weights are damaged: their SHA-256 is not the one that the file states";
            let is_of_run = path.with_file_name("run.json").is_file();
            let hint = is_of_run.then(|| TRAINED_ANEW.to_string());
            let problem = Problem::new(message).at_file(path);
            return Err(Error::data(problem.maybe_hint(hint)));
        }
        let (header, metadata) = SafeTensors::read_metadata(&bytes).map_err(|error| {
            let problem = Problem::new(format!("cannot read the weights: {error}"));
            Error::data(
                problem
                    .at_file(path)
                    .hint("the file must be in the safetensors format"),
            )
        })?;
        // The tensors stand behind the header and its length.
        let start = 8 + header;
        let mut flaws = Vec::new();
        let mut found: BTreeMap<String, Found> = BTreeMap::new();
        for (called, info) in metadata.tensors().into_iter().collect::<BTreeMap<_, _>>() {
            let (from, to) = info.data_offsets;
            let tensor = Found {
                dtype: info.dtype,
                shape: info.shape.clone(),
                range: start + from..start + to,
                called,
            };
            let name = naming.name(&tensor.called);
            if let Some(other) = found.insert(name.clone(), tensor) {
                let message = format!(
                    "two tensors of the file are called `{name}` then: one of them is its `{}`",
                    other.called
                );
                let key = if naming.rename.is_empty() {
                    "strip"
                } else {
                    "rename"
                };
                flaws.push(Flaw::new(key, message));
            }
        }
        flaws.extend(idle(&naming, &found));
        Ok(WeightFile {
            path: path.to_path_buf(),
            bytes,
            naming,
            found,
            sha256,
            flaws,
        })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Of all its bytes, in hexadecimal.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// What of its naming is for none of its tensors; keys are those of a start.
    pub fn flaws(&self) -> &[Flaw] {
        &self.flaws
    }

    /// The file as a network with these tensors, all of them in the order of a forward pass, sees it.
    ///
    /// # Errors
    /// Its layers are not those of the network that the file's names are mapped from.
    pub fn fitted(&self, tensors: &[TensorShape]) -> Result<Fitted<'_>, Flaw> {
        let modules = match self.naming.map {
            None => None,
            Some(_) => Some(self.mapped(tensors)?),
        };
        Ok(Fitted {
            file: self,
            modules,
        })
    }

    /// The file's module for each layer.
    fn mapped(&self, tensors: &[TensorShape]) -> Result<HashMap<String, String>, Flaw> {
        let mut layers: Vec<&str> = tensors.iter().map(|tensor| tensor.layer.as_str()).collect();
        layers.dedup();
        let modules: BTreeSet<&str> = self.modules().into_keys().collect();
        let modules: Vec<&str> = modules.into_iter().collect();
        let Some(mut ordered) = torchvision::in_forward_order(&modules) else {
            let message = "the names of the file are not those of torchvision's alexnet, vgg, resnet or googlenet";
            return Err(
                Flaw::new("map", message).hint(format!("it has {}", self.some(&BTreeSet::new())))
            );
        };
        if ordered.len() != layers.len() {
            ordered = torchvision::without_side_classifiers(&ordered);
        }
        if ordered.len() != layers.len() {
            let message = format!(
                "the file has {} with weights, the network {}",
                count(modules.len(), "layer"),
                layers.len()
            );
            let hint = "`map` takes the layers one for one, in the order of a forward pass; \
                        experiments/architectures/ has the networks that fit as their variant `torchvision`";
            return Err(Flaw::new("map", message).hint(hint));
        }
        let pairs = layers.into_iter().zip(ordered);
        Ok(pairs
            .map(|(layer, module)| (layer.to_string(), module.to_string()))
            .collect())
    }

    /// Roles and shapes of the tensors of each module, by its name here.
    fn modules(&self) -> BTreeMap<&str, Vec<(&str, &Found)>> {
        let mut modules: BTreeMap<&str, Vec<(&str, &Found)>> = BTreeMap::new();
        for (name, found) in &self.found {
            let (module, role) = name.rsplit_once('.').unwrap_or(("", name));
            if role != IDLE_ROLE {
                modules.entry(module).or_default().push((role, found));
            }
        }
        modules
    }

    /// The first few modules and their tensors, but for those that are used.
    fn some(&self, used: &BTreeSet<String>) -> String {
        const MOST: usize = 12;
        let mut unused: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for found in self
            .found
            .values()
            .filter(|found| !used.contains(&found.called))
        {
            let (module, role) = found.called.rsplit_once('.').unwrap_or(("", &found.called));
            if role != IDLE_ROLE {
                let sizes: Vec<String> = found.shape.iter().map(usize::to_string).collect();
                let text = format!("{role} {}", sizes.join("x"));
                unused
                    .entry(module)
                    .or_default()
                    .push(text.trim_end().to_string());
            }
        }
        let number = unused.len();
        let texts = unused.into_iter().take(MOST);
        let texts: Vec<String> = texts
            .map(|(module, tensors)| format!("`{module}` ({})", tensors.join(", ")))
            .collect();
        match number > MOST {
            true => format!("{} and {} more", texts.join(", "), number - MOST),
            false => texts.join(", "),
        }
    }

    pub(super) fn read_values(&self, name: &str) -> Result<Vec<f32>> {
        let damaged = |reason: String| {
            let problem = Problem::new(format!("cannot read the weights `{name}`: {reason}"));
            Error::data(problem.at_file(&self.path))
        };
        let found = self.found.get(name);
        let found = found.ok_or_else(|| damaged("not there".to_string()))?;
        let values = numbers(&self.bytes[found.range.clone()], found.dtype);
        let values = values.ok_or_else(|| {
            let dtype = found.dtype;
            damaged(format!(
                "they are of type {dtype}, not F64, F32, F16 or BF16"
            ))
        })?;
        match values.iter().position(|value| !value.is_finite()) {
            None => Ok(values),
            Some(at) => {
                let what = match values[at].is_nan() {
                    true => "NaN",
                    false => "infinite",
                };
                let all = thousands(values.len());
                Err(damaged(format!(
                    "value {} of {all} is {what}",
                    thousands(at + 1)
                )))
            }
        }
    }
}

/// What of a naming is for no tensor of the file.
fn idle(naming: &Naming, found: &BTreeMap<String, Found>) -> Vec<Flaw> {
    let mut flaws = Vec::new();
    let names = || found.values().map(|found| found.called.as_str());
    if let Some(strip) = &naming.strip
        && !names().any(|name| name.starts_with(strip.as_str()))
    {
        let message = format!("no name in the file begins with `{strip}`");
        let first = names().min().unwrap_or_default();
        flaws.push(Flaw::new("strip", message).hint(format!("the first is `{first}`")));
    }
    let stripped: Vec<&str> = names().map(|name| naming.stripped(name)).collect();
    for beginning in naming.rename.keys() {
        if !stripped.iter().any(|name| begins(name, beginning)) {
            let message = format!("no name in the file begins with `{beginning}`");
            let modules = stripped
                .iter()
                .filter_map(|name| Some(name.rsplit_once('.')?.0));
            let modules: BTreeSet<&str> = modules.collect();
            let modules: Vec<&str> = modules.into_iter().collect();
            flaws.push(Flaw::new("rename", message).maybe_hint(did_you_mean(beginning, &modules)));
        }
    }
    flaws
}

/// Little-endian numbers of a floating-point type as those of 32 bits; `None` of another type.
fn numbers(bytes: &[u8], dtype: Dtype) -> Option<Vec<f32>> {
    fn each<const N: usize>(bytes: &[u8], number: fn([u8; N]) -> f32) -> Vec<f32> {
        let (values, _) = bytes.as_chunks::<N>();
        values.iter().copied().map(number).collect()
    }
    Some(match dtype {
        Dtype::F64 => each(bytes, |bytes| f64::from_le_bytes(bytes) as f32),
        Dtype::F32 => each(bytes, f32::from_le_bytes),
        Dtype::F16 => each(bytes, |bytes| f16::from_le_bytes(bytes).to_f32()),
        Dtype::BF16 => each(bytes, |bytes| bf16::from_le_bytes(bytes).to_f32()),
        _ => return None,
    })
}

/// A file as a network sees it.
pub struct Fitted<'a> {
    file: &'a WeightFile,
    /// The file's module for each layer, where those of a whole network are mapped.
    modules: Option<HashMap<String, String>>,
}

impl Fitted<'_> {
    /// What the file calls a layer.
    pub fn module<'a>(&'a self, layer: &'a str) -> &'a str {
        let module = self.modules.as_ref().and_then(|modules| modules.get(layer));
        module.map_or(layer, String::as_str)
    }

    /// The shape of a tensor, laid out as here, if the file has it.
    pub fn shape(&self, tensor: &TensorShape) -> Option<Vec<usize>> {
        let there = self.counterpart(tensor);
        let name = format!("{}.{}", self.module(&tensor.layer), there.role);
        Some(there.shape(&self.file.found.get(&name)?.shape))
    }

    /// The values of a tensor that the file has in its shape, laid out as here.
    pub fn values(&self, tensor: &TensorShape) -> Result<Vec<f32>> {
        let (there, module) = (self.counterpart(tensor), self.module(&tensor.layer));
        let mut values = self.file.read_values(&format!("{module}.{}", there.role))?;
        if let Some(addend) = there.addend {
            let name = format!("{module}.{addend}");
            if self.file.found.contains_key(&name) {
                let more = self.file.read_values(&name)?;
                values
                    .iter_mut()
                    .zip(more)
                    .for_each(|(value, more)| *value += more);
            }
        }
        Ok(there.values(values, &there.shape(&tensor.shape)))
    }

    /// What the file has besides the tensors that are wanted, `the file also has ...`, if anything.
    pub fn others(&self, wanted: &[&TensorShape]) -> Option<String> {
        let used = wanted.iter().flat_map(|tensor| {
            let (there, module) = (self.counterpart(tensor), self.module(&tensor.layer));
            let roles = [Some(there.role), there.addend.map(String::from)];
            let names = roles.into_iter().flatten();
            let names = names
                .map(|role| format!("{module}.{role}"))
                .collect::<Vec<_>>();
            let found = names
                .into_iter()
                .filter_map(|name| self.file.found.get(&name));
            found.map(|found| found.called.clone()).collect::<Vec<_>>()
        });
        let others = self.file.some(&used.collect());
        let is_kernel = |name: &String| {
            name.rsplit(['.', '/'])
                .next()
                .is_some_and(|role| role.starts_with("kernel"))
        };
        let is_keras = self.file.found.keys().any(is_kernel);
        let remedy = match is_keras {
            true => {
                "a `kernel` is Keras's, whose axes lie in another order: write it as PyTorch's `weight`, for the layout \"pytorch\""
            }
            false => "`rename` gives them the names that they have here",
        };
        (!others.is_empty()).then(|| format!("the file also has {others}: {remedy}"))
    }

    fn counterpart(&self, tensor: &TensorShape) -> super::pytorch::Counterpart {
        let layout = self.file.naming.layout();
        layout.counterpart(tensor.in_pytorch, &tensor.role)
    }
}

/// The header of a safetensors file, behind its length, and the bytes of its tensors.
pub(super) fn header_and_tensors(file: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = file.split_first_chunk::<8>()?;
    rest.split_at_checked(usize::try_from(u64::from_le_bytes(*length)).ok()?)
}

/// Whether the tensors have the sum that the file states, if it states one.
fn is_as_written(file: &[u8]) -> bool {
    let Some((header, tensors)) = header_and_tensors(file) else {
        return true;
    };
    let header: serde_json::Value = serde_json::from_slice(header).unwrap_or_default();
    let sum = header["__metadata__"][SUM].as_str();
    sum.is_none_or(|sum| sum == hex(&Sha256::digest(tensors)))
}

#[cfg(test)]
mod tests {
    use safetensors::tensor::{TensorView, serialize};

    use super::super::Layout;
    use super::*;

    /// Name, type, shape and bytes of a tensor.
    type Tensor<'a> = (&'a str, Dtype, &'a [usize], Vec<u8>);

    fn file(tensors: &[Tensor], naming: Naming) -> WeightFile {
        let views = tensors.iter().map(|(name, dtype, shape, bytes)| {
            let view = TensorView::new(*dtype, shape.to_vec(), bytes).unwrap();
            (*name, view)
        });
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("weights.safetensors");
        fs::write(&path, serialize(views, None).unwrap()).unwrap();
        WeightFile::read(&path, naming).unwrap()
    }

    fn floats(number: usize) -> Vec<u8> {
        vec![0; 4 * number]
    }

    #[test]
    fn numbers_of_every_floating_point_type_are_read_and_others_do_not_matter() {
        let values = [1.5f32, -0.25, 1024.0];
        let bytes = |each: fn(f32) -> Vec<u8>| values.into_iter().flat_map(each).collect();
        let file = file(
            &[
                (
                    "a.f64",
                    Dtype::F64,
                    &[3],
                    bytes(|v| f64::from(v).to_le_bytes().to_vec()),
                ),
                (
                    "a.f32",
                    Dtype::F32,
                    &[3],
                    bytes(|v| v.to_le_bytes().to_vec()),
                ),
                (
                    "a.f16",
                    Dtype::F16,
                    &[3],
                    bytes(|v| f16::from_f32(v).to_le_bytes().to_vec()),
                ),
                (
                    "a.bf16",
                    Dtype::BF16,
                    &[3],
                    bytes(|v| bf16::from_f32(v).to_le_bytes().to_vec()),
                ),
                ("a.i64", Dtype::I64, &[], vec![0; 8]),
                ("a.f8", Dtype::F8_E4M3, &[3], vec![0; 3]),
            ],
            Naming::default(),
        );
        for name in ["a.f64", "a.f32", "a.f16", "a.bf16"] {
            assert_eq!(file.read_values(name).unwrap(), values, "{name}");
        }
        let error = file.read_values("a.i64").unwrap_err();
        assert_eq!(
            error.problems[0].message,
            "cannot read the weights `a.i64`: they are of type I64, not F64, F32, F16 or BF16"
        );
    }

    #[test]
    fn names_that_are_for_no_tensor_are_flaws() {
        let naming = Naming {
            strip: Some("model.".to_string()),
            rename: [("leyer1".to_string(), "conv2d_1".to_string())].into(),
            ..Naming::of(Layout::Pytorch)
        };
        let tensors = [("module.layer1.weight", Dtype::F32, &[2][..], floats(2))];
        let file = file(&tensors, naming);
        let flaws: Vec<String> = file
            .flaws()
            .iter()
            .map(|flaw| {
                format!(
                    "{}: {} ({})",
                    flaw.key,
                    flaw.message,
                    flaw.hint.as_ref().unwrap()
                )
            })
            .collect();
        assert_eq!(
            flaws,
            [
                "strip: no name in the file begins with `model.` (the first is `module.layer1.weight`)",
                "rename: no name in the file begins with `leyer1` (known here: `module.layer1`)"
            ]
        );
    }

    #[test]
    fn two_tensors_cannot_have_one_name() {
        let naming = Naming {
            rename: [("b".to_string(), "a".to_string())].into(),
            ..Naming::default()
        };
        let tensors = ["a.weight", "b.weight"].map(|name| (name, Dtype::F32, &[2][..], floats(2)));
        let file = file(&tensors, naming);
        assert_eq!(
            file.flaws()[0].message,
            "two tensors of the file are called `a.weight` then: one of them is its `a.weight`"
        );
    }
}
