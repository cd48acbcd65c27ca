//! A run's weights in another layout: a file for PyTorch.

use std::collections::HashMap;
use std::path::Path;

use safetensors::tensor::{Dtype, TensorView, serialize};

use super::misfit::misfit;
use super::pytorch::Layout;
use super::tensors::TensorShape;
use super::weight_file::WeightFile;
use super::weights::fitted;
use crate::error::{Error, Problem, Result};
use crate::record::write_atomically;

/// Writes the tensors of a run's file in another layout, whole or not at all.
///
/// # Errors
/// The file lacks one of them or has it in another shape, or the new one cannot be written.
pub fn export(from: &WeightFile, tensors: &[TensorShape], to: Layout, path: &Path) -> Result<()> {
    let wanted: Vec<&TensorShape> = tensors.iter().collect();
    let fitted = fitted(from, tensors)?;
    if let Some(misfit) = misfit(&wanted, &fitted) {
        return Err(Error::data(Problem::new(misfit).at_file(from.path())));
    }
    let mut written: Vec<(String, Vec<usize>, Vec<u8>)> = Vec::new();
    for tensor in tensors {
        let there = to.counterpart(tensor.in_pytorch, &tensor.role);
        let shape = there.shape(&tensor.shape);
        let values = there.values(fitted.values(tensor)?, &tensor.shape);
        let bytes: Vec<u8> = values
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect();
        if let Some(addend) = there.addend {
            let name = format!("{}.{addend}", tensor.layer);
            written.push((name, shape.clone(), vec![0; bytes.len()]));
        }
        written.push((format!("{}.{}", tensor.layer, there.role), shape, bytes));
    }
    let broken = |error| Error::bug(format!("cannot write the weights: {error}"));
    let views: Result<Vec<(&str, TensorView)>, _> = written
        .iter()
        .map(|(name, shape, bytes)| {
            Ok((
                name.as_str(),
                TensorView::new(Dtype::F32, shape.clone(), bytes)?,
            ))
        })
        .collect();
    // PyTorch's own writers say so, and some of its readers ask for it.
    let head = HashMap::from([("format".to_string(), "pt".to_string())]);
    let bytes = views
        .and_then(|views| serialize(views, Some(head)))
        .map_err(broken)?;
    write_atomically(path, &bytes)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::Naming;
    use super::super::testing::*;
    use super::*;
    use crate::layers::InPytorch;
    use burn::backend::Flex;
    use burn_store::{ModuleStore, SafetensorsStore};

    /// What `torch.nn.ModuleDict(conv2d_1=Conv2d(1, 2, 3, 4), batch_normalization_1=BatchNorm2d(2),
    /// out=Linear(98, 10)).state_dict()` has, besides `num_batches_tracked`.
    const STATE_DICT: [(&str, &[usize]); 8] = [
        ("batch_normalization_1.bias", &[2]),
        ("batch_normalization_1.running_mean", &[2]),
        ("batch_normalization_1.running_var", &[2]),
        ("batch_normalization_1.weight", &[2]),
        ("conv2d_1.bias", &[2]),
        ("conv2d_1.weight", &[2, 1, 3, 3]),
        ("out.bias", &[10]),
        ("out.weight", &[10, 98]),
    ];

    #[test]
    fn weights_go_to_pytorch_and_back() {
        let folder = tempfile::tempdir().unwrap();
        let (here, there) = (folder.path().join("here"), folder.path().join("there"));
        let saved = network::<Flex>(SMALL, 1);
        saved.save_weights(&here).unwrap();
        let file = WeightFile::read(&here, Naming::default()).unwrap();
        export(&file, &planned(SMALL).tensors(10), Layout::Pytorch, &there).unwrap();

        let mut store = SafetensorsStore::from_file(&there);
        let tensors = store.get_all_snapshots().unwrap();
        let shapes: Vec<(&str, &[usize])> = tensors
            .iter()
            .map(|(name, tensor)| (name.as_str(), tensor.shape.as_slice()))
            .collect();
        assert_eq!(shapes, STATE_DICT);
        // out[unit][feature] there is out[feature][unit] here.
        let out: Vec<f32> = tensors["out.weight"].to_data().unwrap().into_vec().unwrap();
        let (_, weight) = saved.values().swap_remove(6);
        assert_eq!(out[3 * 98 + 5], weight[5 * 10 + 3]);

        let file = WeightFile::read(&there, Naming::of(Layout::Pytorch)).unwrap();
        let loaded = network::<Flex>(SMALL, 2)
            .take_weights(&file, &|_| true)
            .unwrap();
        assert_eq!(loaded.values(), saved.values());
        let wrong = WeightFile::read(&there, Naming::default()).unwrap();
        assert!(
            network::<Flex>(SMALL, 2)
                .take_weights(&wrong, &|_| true)
                .is_err()
        );
    }

    #[test]
    fn the_two_biases_of_an_lstm_are_added() {
        let folder = tempfile::tempdir().unwrap();
        let bytes: Vec<u8> = [1.0f32, 2.0].iter().flat_map(|v| v.to_le_bytes()).collect();
        let view = || TensorView::new(Dtype::F32, vec![2], &bytes).unwrap();
        let file = serialize([("a.bias_ih_l0", view()), ("a.bias_hh_l0", view())], None).unwrap();
        let path = folder.path().join("lstm");
        fs::write(&path, file).unwrap();
        let bias = TensorShape {
            layer: "a".to_string(),
            in_pytorch: InPytorch {
                sums: &[("bias", ["bias_ih_l0", "bias_hh_l0"])],
                ..InPytorch::default()
            },
            role: "bias".to_string(),
            shape: vec![2],
        };
        let file = WeightFile::read(&path, Naming::of(Layout::Pytorch)).unwrap();
        let fitted = file.fitted(std::slice::from_ref(&bias)).unwrap();
        assert_eq!(fitted.shape(&bias), Some(vec![2]));
        assert_eq!(fitted.values(&bias).unwrap(), [2.0, 4.0]);
        let again = folder.path().join("again");
        export(&file, &[bias], Layout::Pytorch, &again).unwrap();
        let again = WeightFile::read(&again, Naming::of(Layout::Pytorch)).unwrap();
        assert_eq!(again.read_values("a.bias_ih_l0").unwrap(), [2.0, 4.0]);
        assert_eq!(again.read_values("a.bias_hh_l0").unwrap(), [0.0, 0.0]);
    }
}
