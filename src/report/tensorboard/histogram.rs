//! How values are spread: counts in buckets of even width, as TensorBoard draws them.
//!
//! Knows nothing of tensors or of what the values mean.

use tensorboard_proto::summary::HistogramProto;

/// As many as `tf.summary.histogram` makes and TensorBoard draws.
const BUCKETS: usize = 30;

/// Counts of values in even buckets from the least to the greatest.
#[derive(Debug, Clone, PartialEq)]
pub struct Histogram {
    min: f64,
    max: f64,
    sum: f64,
    sum_squares: f64,
    /// Right edge of each bucket; the last one is `max` and belongs to its bucket.
    edges: Vec<f64>,
    counts: Vec<f64>,
}

impl Histogram {
    /// Counts the finite values; NaN and infinite ones are left out.
    ///
    /// No values make no buckets, equal values one bucket without width.
    pub fn of(values: &[f32]) -> Self {
        let finite = || values.iter().filter(|v| v.is_finite()).map(|&v| v as f64);
        let min = finite().fold(f64::INFINITY, f64::min);
        let max = finite().fold(f64::NEG_INFINITY, f64::max);
        if min > max {
            return Self::empty();
        }
        let buckets = if min == max { 1 } else { BUCKETS };
        let width = (max - min) / buckets as f64;
        let mut edges: Vec<f64> = (1..buckets).map(|i| min + width * i as f64).collect();
        edges.push(max);
        let mut histogram = Histogram {
            min,
            max,
            edges,
            counts: vec![0.0; buckets],
            ..Self::empty()
        };
        for value in finite() {
            let place = if width > 0.0 {
                (value - min) / width
            } else {
                0.0
            };
            // The greatest value would open a bucket of its own.
            histogram.counts[(place as usize).min(buckets - 1)] += 1.0;
            histogram.sum += value;
            histogram.sum_squares += value * value;
        }
        histogram
    }

    fn empty() -> Self {
        Histogram {
            min: 0.0,
            max: 0.0,
            sum: 0.0,
            sum_squares: 0.0,
            edges: Vec::new(),
            counts: Vec::new(),
        }
    }

    /// How many values were counted.
    pub fn count(&self) -> usize {
        self.counts.iter().sum::<f64>() as usize
    }

    pub(super) fn message(&self) -> HistogramProto {
        let mut message = HistogramProto::new();
        message.set_min(self.min);
        message.set_max(self.max);
        message.set_num(self.count() as f64);
        message.set_sum(self.sum);
        message.set_sum_squares(self.sum_squares);
        message.set_bucket_limit(self.edges.clone());
        message.set_bucket(self.counts.clone());
        message
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_finite_value_falls_into_one_bucket() {
        let values: Vec<f32> = (0..1000).map(|i| (i as f32 * 0.37).sin() * 1e3).collect();
        let histogram = Histogram::of(&values);
        assert_eq!(histogram.counts.len(), BUCKETS);
        assert_eq!(histogram.count(), 1000);
        assert!(histogram.edges.is_sorted());
        assert_eq!(histogram.edges.last(), Some(&histogram.max));
    }

    #[test]
    fn buckets_are_even() {
        let values: Vec<f32> = (0..=30).map(|i| i as f32).collect();
        let histogram = Histogram::of(&values);
        assert_eq!(histogram.edges[0], 1.0);
        assert_eq!(histogram.counts[..29], [1.0; 29]);
        assert_eq!(histogram.counts[29], 2.0);
        assert_eq!((histogram.sum, histogram.sum_squares), (465.0, 9455.0));
    }

    #[test]
    fn values_that_are_no_numbers_are_left_out() {
        let histogram = Histogram::of(&[f32::NAN, 1.0, f32::INFINITY, 2.0, f32::NEG_INFINITY]);
        assert_eq!(histogram.count(), 2);
        assert_eq!((histogram.min, histogram.max), (1.0, 2.0));
    }

    #[test]
    fn nothing_and_equal_values_are_fine() {
        for nothing in [&[][..], &[f32::NAN]] {
            assert_eq!(Histogram::of(nothing), Histogram::empty());
        }
        let equal = Histogram::of(&[0.5; 7]);
        assert_eq!((equal.min, equal.edges.as_slice()), (0.5, &[0.5][..]));
        assert_eq!(equal.count(), 7);
    }

    #[test]
    fn the_whole_range_of_f32_is_counted() {
        for values in [[f32::MIN, f32::MAX], [0.0, f32::from_bits(1)]] {
            let histogram = Histogram::of(&values);
            assert_eq!((histogram.counts[0], histogram.counts[29]), (1.0, 1.0));
        }
    }
}
