//! Every metric of batches, declared once: its name, what it means, when it is measured.
//!
//! Columns of tables, TensorBoard's tags, what tables show, and what claims, `best` and
//! `early_stopping` may speak of follow from it. Measures of trained models have entries of the same
//! form in their own files.

use serde::{Deserialize, Serialize};

use crate::table::{LARGE, fixed};

/// A named number.
#[derive(Debug, PartialEq)]
pub struct Metric {
    /// Of its column; that of a batch metric stands behind a [`Split`]'s: `test_accuracy`.
    pub name: &'static str,
    /// What it is.
    pub doc: &'static str,
    /// `None` of what has none, or that of whatever the loss measures.
    pub unit: Option<&'static str>,
    /// Which values are better; `None` where that cannot be said.
    pub better: Option<Better>,
    /// Behind the point, in tables that people read; see [`decimals_of`](Metric::decimals_of). Of none at all, thousands are
    /// parted.
    pub decimals: usize,
    /// Whether tables show it where it is measured.
    pub shown: bool,
    /// What a model must have for it to be measured.
    pub needs: &'static [Requirement],
}

/// Which values of a metric are better.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Better {
    /// Small ones, as of a loss.
    Less,
    /// Large ones, as of an accuracy.
    More,
}

/// What metrics may need of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Requirement {
    /// A classifier.
    Classifier,
    /// An auto-encoder.
    Autoencoder,
    /// A GAN.
    Gan,
    /// A layer `gaussian_code`.
    GaussianCode,
    /// A loss that is minus the logarithm of a likelihood.
    Likelihood,
}

impl Requirement {
    /// What is so of a model that does not have it, in a sentence.
    pub fn lack(self) -> &'static str {
        match self {
            Requirement::Classifier => "the model is no classifier",
            Requirement::Autoencoder => "the model is no auto-encoder",
            Requirement::Gan => "the model is no GAN",
            Requirement::GaussianCode => "the model has no `gaussian_code`",
            Requirement::Likelihood => "the loss is no likelihood, as `binary_cross_entropy` is",
        }
    }
}

/// Digits behind the point of numbers that are neither counts nor times.
const REAL: usize = 4;

/// Digits behind the point of the smallest numbers.
pub const MOST_DECIMALS: usize = 9;

/// The unit of what cannot be above 1.
pub const SHARE: &str = "share, from 0 to 1";

impl Metric {
    /// Whether no value can be above 1.
    pub fn is_share(&self) -> bool {
        self.unit == Some(SHARE)
    }

    /// Digits behind the point of a value, in tables that people read: four digits of the number tell, before the point or
    /// behind it. Shares have four decimals; counts and times what [`decimals`](Self::decimals) says.
    pub fn decimals_of(&self, value: f64) -> usize {
        let is_real = self.decimals == REAL && !self.is_share();
        match value.abs() {
            // Behind the point of what stands before an exponent.
            size if is_real && size >= LARGE && size.is_finite() => 3,
            size if is_real && size > 0.0 && size.is_finite() => {
                let before_point = size.log10().floor() as i64;
                usize::try_from(3 - before_point).map_or(0, |decimals| decimals.min(MOST_DECIMALS))
            }
            _ => self.decimals,
        }
    }

    /// A value with these digits.
    pub fn text(&self, value: f64) -> String {
        fixed(value, self.decimals_of(value))
    }

    /// The digits for numbers that are shown together: the smallest one's, unless the largest would have more than six digits.
    pub fn decimals_of_all(&self, values: impl IntoIterator<Item = f64>) -> usize {
        let all = values.into_iter().map(|value| self.decimals_of(value));
        let ends = all.fold(None, |ends: Option<(usize, usize)>, decimals| {
            let (least, most) = ends.unwrap_or((decimals, decimals));
            Some((least.min(decimals), most.max(decimals)))
        });
        ends.map_or(self.decimals, |(least, most)| most.min(least + 2))
    }

    /// An entry that tables do not show, of which no value is better than another.
    pub const fn new(name: &'static str, doc: &'static str) -> Self {
        Metric {
            name,
            doc,
            unit: None,
            better: None,
            decimals: REAL,
            shown: false,
            needs: &[],
        }
    }
}

/// Sets of samples that batch metrics are measured on, in the order of tables that people read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Split {
    /// With the final weights.
    Test,
    /// The same with the best epoch's weights.
    BestTest,
    /// The validation set, with the weights after the epoch.
    Validation,
    /// The batches of an epoch as they are trained on.
    Train,
}

impl Split {
    /// What stands before a metric's name.
    pub fn name(self) -> &'static str {
        match self {
            Split::Test => "test",
            Split::BestTest => "best_test",
            Split::Validation => "validation",
            Split::Train => "train",
        }
    }
}

/// A metric that is measured of batches and averaged over a set of samples.
#[derive(Debug)]
pub struct BatchMetric {
    /// Its name and what it means.
    pub metric: Metric,
    /// Where tables show it besides the test set.
    pub also_shown: &'static [Split],
    /// The number in a score.
    pub of: fn(&Score) -> Option<f64>,
    /// Puts the number into a score.
    pub set: fn(&mut Score, f64),
}

/// What a model is on one set of samples: means over the samples. What does not apply to it is `None`.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Score {
    /// The loss; of an auto-encoder with the penalties of codes and activities, never with those of weights.
    #[serde(with = "super::any_number")]
    pub loss: f64,
    /// Share of samples whose likeliest class is the true one.
    #[serde(default, with = "super::any_number::or_none")]
    pub accuracy: Option<f64>,
    /// The loss of reconstructed images without penalties.
    #[serde(default, with = "super::any_number::or_none")]
    pub reconstruction: Option<f64>,
    /// Divergence of gaussian codes from the prior, in nats.
    #[serde(default, with = "super::any_number::or_none")]
    pub kl: Option<f64>,
    /// Lower bound of the log-likelihood, in nats.
    #[serde(default, with = "super::any_number::or_none")]
    pub elbo: Option<f64>,
    /// The discriminator's loss.
    #[serde(default, with = "super::any_number::or_none")]
    pub discriminator_loss: Option<f64>,
}

/// What stands in a [`Score`], in the order of tables.
pub static BATCH_METRICS: [&BatchMetric; 6] = [
    &ACCURACY,
    &LOSS,
    &RECONSTRUCTION,
    &DISCRIMINATOR_LOSS,
    &KL,
    &ELBO,
];

/// Share of samples whose likeliest class is the true one.
pub static ACCURACY: BatchMetric = BatchMetric {
    metric: Metric {
        unit: Some(SHARE),
        better: Some(Better::More),
        shown: true,
        needs: &[Requirement::Classifier],
        ..Metric::new("accuracy", "right answers")
    },
    also_shown: &[Split::BestTest, Split::Validation, Split::Train],
    of: |score| score.accuracy,
    set: |score, value| score.accuracy = Some(value),
};

/// The loss; of a GAN the generator's, of an auto-encoder with the penalties of codes and activities.
pub static LOSS: BatchMetric = BatchMetric {
    metric: Metric {
        better: Some(Better::Less),
        shown: true,
        ..Metric::new(
            "loss",
            "mean loss, of a GAN the generator's, of an auto-encoder with the penalties of codes and activities",
        )
    },
    also_shown: &[],
    of: |score| Some(score.loss),
    set: |score, value| score.loss = value,
};

/// The loss of reconstructed images without penalties.
pub static RECONSTRUCTION: BatchMetric = BatchMetric {
    metric: Metric {
        better: Some(Better::Less),
        shown: true,
        needs: &[Requirement::Autoencoder],
        ..Metric::new(
            "reconstruction",
            "mean loss without the penalties of codes and activities",
        )
    },
    also_shown: &[],
    of: |score| score.reconstruction,
    set: |score, value| score.reconstruction = Some(value),
};

/// The loss of a GAN's discriminator.
pub static DISCRIMINATOR_LOSS: BatchMetric = BatchMetric {
    metric: Metric {
        shown: true,
        needs: &[Requirement::Gan],
        ..Metric::new(
            "discriminator_loss",
            "mean loss of the discriminator on real images, plus that on generated ones",
        )
    },
    also_shown: &[],
    of: |score| score.discriminator_loss,
    set: |score, value| score.discriminator_loss = Some(value),
};

/// Divergence of gaussian codes from the prior.
pub static KL: BatchMetric = BatchMetric {
    metric: Metric {
        unit: Some("nats"),
        shown: true,
        needs: &[Requirement::GaussianCode],
        ..Metric::new("kl", "divergence of codes from the prior")
    },
    also_shown: &[],
    of: |score| score.kl,
    set: |score, value| score.kl = Some(value),
};

/// Lower bound of the log-likelihood.
pub static ELBO: BatchMetric = BatchMetric {
    metric: Metric {
        unit: Some("nats"),
        better: Some(Better::More),
        shown: true,
        needs: &[Requirement::GaussianCode, Requirement::Likelihood],
        ..Metric::new("elbo", "evidence lower bound of the log-likelihood")
    },
    also_shown: &[],
    of: |score| score.elbo,
    set: |score, value| score.elbo = Some(value),
};

/// A metric of a trained model, measured once after training.
#[derive(Debug)]
pub struct Measure {
    /// Its name in a file and in [`Extra`](super::Extra).
    pub key: &'static str,
    /// What it measures.
    pub metric: &'static Metric,
}

/// Time of the epochs.
pub static SECONDS: Metric = Metric {
    unit: Some("s"),
    decimals: 1,
    shown: true,
    ..Metric::new(
        "seconds",
        "time of the epochs with the measuring at their ends, over all attempts; not what is measured once after the last",
    )
};

/// Speed of training.
pub static IMAGES_PER_SECOND: Metric = Metric::new(
    "images_per_second",
    "training images a second, validation left out",
);

/// Size of the network.
pub static PARAMETERS: Metric = Metric {
    decimals: 0,
    shown: true,
    ..Metric::new(
        "parameters",
        "weights and biases of the network, frozen ones included",
    )
};

/// The optimizer's rate.
pub static LEARNING_RATE: Metric = Metric::new(
    "learning_rate",
    "of the epoch's last step; of several optimizers the first part's",
);

/// Size of the gradients.
pub static GRADIENT_NORM: Metric = Metric::new(
    "gradient_norm",
    "length of all gradients together before clipping, mean over the epoch's steps; of a GAN, mean over the turns of its parts",
);
