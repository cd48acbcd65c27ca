//! Sums of what every step measures, which nobody waits for before they are read.

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

/// Terms that are joined on the device into one tensor.
const JOINED: usize = 64;

/// Sums of some numbers over many steps. The terms stay on the device as they are, in 32 bits, and are added up in 64:
/// each of many terms would lose digits to a sum that grows.
pub struct DeviceSums<B: Backend> {
    /// The terms of steps, `[numbers]`, or of [`JOINED`] steps one after another.
    joined: Vec<Tensor<B, 1>>,
    recent: Vec<Tensor<B, 1>>,
}

impl<B: Backend> Default for DeviceSums<B> {
    fn default() -> Self {
        DeviceSums {
            joined: Vec::new(),
            recent: Vec::new(),
        }
    }
}

impl<B: Backend> DeviceSums<B> {
    /// Adds one term to each sum, `[numbers]`.
    pub fn add(&mut self, terms: Tensor<B, 1>) {
        self.recent.push(terms);
        if self.recent.len() == JOINED {
            let recent = std::mem::take(&mut self.recent);
            self.joined.push(Tensor::cat(recent, 0));
        }
    }

    /// The sums, or nothing if there was no term. Waits for the device.
    pub fn read(mut self, numbers: usize) -> Option<Vec<f64>> {
        self.joined.append(&mut self.recent);
        if self.joined.is_empty() {
            return None;
        }
        let terms = Tensor::cat(self.joined, 0).into_data();
        let mut sums = vec![0.0; numbers];
        for (index, term) in terms.iter::<f64>().enumerate() {
            sums[index % numbers] += term;
        }
        Some(sums)
    }
}

#[cfg(test)]
mod tests {
    use burn::backend::Flex;

    use super::*;

    #[test]
    fn small_terms_are_not_lost_to_large_sums() {
        let mut sums = DeviceSums::<Flex>::default();
        for step in 0..1000 {
            let terms = [if step == 0 { 16_777_216.0 } else { 1.0 }, 0.5];
            sums.add(Tensor::from_floats(terms, &Default::default()));
        }
        assert_eq!(sums.read(2), Some(vec![16_778_215.0, 500.0]));
        assert_eq!(DeviceSums::<Flex>::default().read(1), None);
    }
}
