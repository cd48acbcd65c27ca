//! Which variants' losses are of one kind: others are neither ranked nor tested against each other.

use std::collections::{BTreeSet, HashMap};

use super::subject::Subject;
use crate::config::{MeasuredLoss, Settings, differ};
use crate::plan::Plan;
use crate::record::Metric;
use crate::record::metrics::LOSS;

/// What the losses of variants are made of, by the variants' names; of those of which it is not known there is none.
#[derive(Debug, Default)]
pub struct Losses {
    first: Option<MeasuredLoss>,
    /// Those that are not made as the first.
    others: HashMap<String, MeasuredLoss>,
}

impl Losses {
    /// By the settings of a plan.
    pub fn of_plan(plan: &Plan) -> Self {
        let mut losses = Losses::default();
        let mut last = None;
        for run in &plan.runs {
            if last != Some(&run.variant) {
                losses.add(&run.variant, run.settings.measured_loss());
                last = Some(&run.variant);
            }
        }
        losses
    }

    /// By the settings that runs kept.
    pub fn of_subject(subject: &Subject) -> Self {
        let mut losses = Losses::default();
        let mut known = None;
        for (row, folder) in subject.rows.iter().zip(&subject.folders) {
            if known == Some(&row.variant) {
                continue;
            }
            if let Ok(settings) = Settings::of_run(folder) {
                losses.add(&row.variant, settings.measured_loss());
                known = Some(&row.variant);
            }
        }
        losses
    }

    fn add(&mut self, variant: &str, loss: MeasuredLoss) {
        match &self.first {
            None => self.first = Some(loss),
            Some(first) if *first != loss => {
                self.others.insert(variant.to_string(), loss);
            }
            Some(_) => {}
        }
    }

    fn of(&self, variant: &str) -> Option<&MeasuredLoss> {
        self.others.get(variant).or(self.first.as_ref())
    }

    /// Whether a metric is the same kind of number in two variants.
    pub fn are_alike(&self, one: &str, other: &str, metric: &Metric) -> bool {
        let both = self.of(one).zip(self.of(other));
        both.is_none_or(|(one, other)| one.differing(other, metric).is_empty())
    }

    /// The settings that make a metric another kind of number in some variants; none where all can be compared.
    pub fn differing(&self, metric: &Metric) -> Vec<&'static str> {
        let Some(first) = &self.first else {
            return Vec::new();
        };
        let others = self.others.values();
        let names = others.flat_map(|other| other.differing(first, metric));
        BTreeSet::from_iter(names).into_iter().collect()
    }

    /// What a reader of the losses of these variants should know, in a sentence without its period.
    pub fn warning<'a>(&self, variants: impl IntoIterator<Item = &'a str>) -> Option<String> {
        let mut losses = variants.into_iter().filter_map(|variant| self.of(variant));
        let first = losses.next()?;
        let names = losses.flat_map(|other| other.differing(first, &LOSS.metric));
        let names = Vec::from_iter(BTreeSet::from_iter(names));
        (!names.is_empty()).then(|| {
            let differ = differ(&names);
            format!("losses of these variants cannot be compared with each other: {differ}")
        })
    }
}
