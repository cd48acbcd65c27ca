//! Which samples of a dataset an experiment uses; works on labels alone.

use rand::seq::index;

use super::fields::{Classes, DataFields, Pick, Subset, Validation};
use super::format::Labels;
use super::left_out::some;
use crate::error::{Flaw, count, list, thousands};
use crate::rng::{Purpose, Seed};

/// Samples of the chosen classes: their places in the file, and their labels numbered anew.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Pool {
    pub places: Vec<usize>,
    pub labels: Vec<u32>,
}

impl Pool {
    /// Ids that are no class of the dataset have no samples.
    pub fn of(labels: &[u32], classes: &Classes) -> Self {
        let Classes::Only(ids) = classes else {
            return Pool {
                places: (0..labels.len()).collect(),
                labels: labels.to_vec(),
            };
        };
        let chosen = |(place, label): (usize, &u32)| {
            let number = ids.iter().position(|&id| id == *label as usize)?;
            Some((place, number as u32))
        };
        let (places, labels) = labels.iter().enumerate().filter_map(chosen).unzip();
        Pool { places, labels }
    }

    /// The samples with one of these labels.
    pub fn keep(mut self, labels: &[u32]) -> Self {
        let kept = self.labels.iter().map(|label| labels.contains(label));
        let kept: Vec<bool> = kept.collect();
        let mut of_places = kept.iter();
        self.places.retain(|_| of_places.next() == Some(&true));
        let mut of_labels = kept.iter();
        self.labels.retain(|_| of_labels.next() == Some(&true));
        self
    }

    /// The samples that are left to train on, and those for validation: of a count the last ones, of a share
    /// the last ones of each class in proportion, and of folds those of the seed's.
    pub fn split(self, validation: Validation, seed: Seed) -> (Pool, Pool) {
        let count = self.held(validation).min(self.len());
        match validation {
            Validation::Count(_) => self.split_last(count),
            Validation::Fraction(_) => self.split_stratified(count),
            Validation::Folds(folds) => self.split_fold(folds, (seed.0 % folds as u64) as usize),
        }
    }

    /// How many samples a validation set takes, be there as many or not.
    pub fn held(&self, validation: Validation) -> usize {
        validation.of(&self.all_sizes())
    }

    /// How often each class stands among the labels, up to the highest that is there.
    fn all_sizes(&self) -> Vec<usize> {
        let highest = self.labels.iter().max();
        self.sizes(highest.map_or(0, |&label| label as usize + 1))
    }

    fn split_last(mut self, count: usize) -> (Pool, Pool) {
        let at = self.len() - count;
        let end = Pool {
            places: self.places.split_off(at),
            labels: self.labels.split_off(at),
        };
        (self, end)
    }

    /// `fold` counts from the end, from 0.
    fn split_fold(self, folds: usize, fold: usize) -> (Pool, Pool) {
        let sizes = self.all_sizes();
        let mut seen = vec![0; sizes.len()];
        self.part(|label| {
            let held = sizes[label] / folds;
            let start = sizes[label] - held * (fold + 1);
            let place = seen[label];
            seen[label] += 1;
            (start..start + held).contains(&place)
        })
    }

    fn split_stratified(self, count: usize) -> (Pool, Pool) {
        let sizes = self.all_sizes();
        let mut left: Vec<usize> = proportional(count, &sizes);
        for (left, size) in left.iter_mut().zip(sizes) {
            // So many of the class come first.
            *left = size - *left;
        }
        self.part(|label| {
            let left = &mut left[label];
            let is_held = *left == 0;
            *left = left.saturating_sub(1);
            is_held
        })
    }

    /// The samples that are not held and those that are, by their labels, one after the other.
    fn part(self, mut is_held: impl FnMut(usize) -> bool) -> (Pool, Pool) {
        let labels = self.labels.iter();
        let held: Vec<bool> = labels.map(|&label| is_held(label as usize)).collect();
        let part = |wanted: bool| {
            let all = self.places.iter().zip(&self.labels).zip(&held);
            let some = all.filter(|(_, held)| **held == wanted);
            let (places, labels) = some.map(|((place, label), _)| (*place, *label)).unzip();
            Pool { places, labels }
        };
        (part(false), part(true))
    }

    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// The samples of a subset, in file order. At most what there is.
    pub fn pick(&self, subset: Subset, classes: usize, seed: Seed) -> Pool {
        let kept: Vec<usize> = match subset {
            Subset::All => return self.clone(),
            Subset::Share(_) => {
                let wanted = subset.of(self.len());
                self.first_of_each(proportional(wanted, &self.all_sizes()))
            }
            Subset::Of { count, pick } => match pick {
                Pick::First => (0..count.min(self.len())).collect(),
                Pick::Random => {
                    let mut rng = seed.stream(Purpose::Subset, &[]);
                    let drawn = index::sample(&mut rng, self.len(), count.min(self.len()));
                    let mut drawn = drawn.into_vec();
                    drawn.sort_unstable();
                    drawn
                }
                Pick::Stratified => self.first_of_each(self.shares(count, classes)),
            },
        };
        Pool {
            places: kept.iter().map(|&at| self.places[at]).collect(),
            labels: kept.iter().map(|&at| self.labels[at]).collect(),
        }
    }

    /// The first ones of each class, so many of it, by their number among the samples.
    fn first_of_each(&self, mut left: Vec<usize>) -> Vec<usize> {
        let takes = |&at: &usize| {
            let left = &mut left[self.labels[at] as usize];
            let take = *left > 0;
            *left -= usize::from(take);
            take
        };
        (0..self.len()).filter(takes).collect()
    }

    /// Samples each class gives to a stratified subset: equally many of each class that has samples.
    fn shares(&self, count: usize, classes: usize) -> Vec<usize> {
        let sizes = self.sizes(classes);
        let present = sizes.iter().filter(|&&size| size > 0).count().max(1);
        let mut extra = count % present;
        sizes
            .iter()
            .map(|&size| {
                let more = usize::from(size > 0 && extra > 0);
                extra -= more;
                if size > 0 { count / present + more } else { 0 }
            })
            .collect()
    }

    /// The largest stratified subset: the smallest class sets the share, and what is left over reaches
    /// the lowest classes as far as that one.
    fn most_stratified(&self, classes: usize) -> usize {
        let mut sizes = self.sizes(classes);
        sizes.retain(|&size| size > 0);
        let least = sizes.iter().copied().min().unwrap_or(0);
        let before = sizes.iter().take_while(|&&size| size > least).count();
        least * sizes.len() + before
    }

    /// Samples of each class.
    pub fn sizes(&self, classes: usize) -> Vec<usize> {
        sizes(&self.labels, classes)
    }
}

/// The samples of a run.
pub(super) struct Pools {
    /// Those to train on.
    pub train: Pool,
    /// Those for validation that are taken from training.
    pub taken: Pool,
    /// Those that the dataset itself keeps for validation, where they are used.
    pub own: Pool,
    /// Those to test on.
    pub test: Pool,
}

impl Pools {
    /// `classes` is the number of those that are chosen. The seed matters where a subset is picked at random, or a fold held out.
    pub fn of(fields: &DataFields, labels: &Labels, classes: usize, seed: Seed) -> Self {
        let trained = fields.trained(classes);
        let all = |labels: &[u32]| Pool::of(labels, &fields.classes);
        let (rest, taken) = all(&labels.train)
            .keep(&trained)
            .split(fields.validation, seed);
        Pools {
            train: rest.pick(fields.train, classes, seed),
            taken,
            own: match fields.has_own_validation() {
                true => all(&labels.validation).keep(&trained),
                false => Pool::default(),
            },
            test: all(&labels.test),
        }
    }
}

/// A count in parts as these sizes are to each other, no part larger than its size; what does not divide
/// goes where most of a whole is missing, of equals to the first.
fn proportional(count: usize, sizes: &[usize]) -> Vec<usize> {
    let all = sizes.iter().sum::<usize>().max(1) as u128;
    let product = |size: &usize| *size as u128 * count as u128;
    let mut parts: Vec<usize> = sizes
        .iter()
        .map(|size| (product(size) / all) as usize)
        .collect();
    let mut order: Vec<usize> = (0..sizes.len()).collect();
    order.sort_by_key(|&at| std::cmp::Reverse(product(&sizes[at]) % all));
    let missing = count - parts.iter().sum::<usize>();
    for &at in &order[..missing] {
        parts[at] += 1;
    }
    parts
}

/// Classes that are trained on and that validation or test lack, in a sentence for each of the two; `own` are the
/// images that the dataset itself keeps for validation.
pub(super) fn missing_notes(
    fields: &DataFields,
    train: &Pool,
    [own, test]: [&Pool; 2],
    names: &[String],
) -> Vec<String> {
    let (rest, taken) = train.clone().split(fields.validation, Seed(0));
    let held = if own.len() > 0 { own.clone() } else { taken };
    let trained = rest.sizes(names.len());
    let lacking = |what: &str, pool: &Pool| {
        let sizes = pool.sizes(names.len());
        let is_lacking = |class: &usize| trained[*class] > 0 && sizes[*class] == 0;
        let classes = (0..names.len()).filter(is_lacking);
        let mut classes: Vec<String> = classes.map(|class| names[class].clone()).collect();
        let (noun, verb) = match classes.len() {
            0 => return None,
            1 => ("class", "is"),
            _ => ("classes", "are"),
        };
        let some = some(&mut classes);
        Some(format!(
            "{noun} {some} {verb} trained on, but {what} has no image of {}",
            if verb == "is" { "it" } else { "them" }
        ))
    };
    let validation = (held.len() > 0).then(|| lacking("validation", &held));
    let test = lacking("the test set", test);
    validation.flatten().into_iter().chain(test).collect()
}

/// How often each class stands among the labels.
pub(super) fn sizes(labels: &[u32], classes: usize) -> Vec<usize> {
    let mut sizes = vec![0; classes];
    for &label in labels {
        sizes[label as usize] += 1;
    }
    sizes
}

/// What is wrong with the ids in `classes` and `train_classes`.
pub(super) fn class_flaws(name: &str, fields: &DataFields, names: &[String]) -> Vec<Flaw> {
    let mut flaws = id_flaws("classes", name, &fields.classes, names);
    flaws.extend(id_flaws(
        "train_classes",
        name,
        &fields.train_classes,
        names,
    ));
    if let (true, Classes::Only(ids)) = (flaws.is_empty(), &fields.train_classes) {
        let chosen = fields.ids(names.len());
        let at = ids.iter().position(|id| !chosen.contains(id));
        flaws.extend(at.map(|at| {
            let class = &names[ids[at]];
            let message = format!("class {} (`{class}`) is none of `classes`", ids[at]);
            Flaw::new(format!("train_classes.{at}"), message)
        }));
    }
    flaws
}

fn id_flaws(key: &str, name: &str, classes: &Classes, names: &[String]) -> Vec<Flaw> {
    let Classes::Only(ids) = classes else {
        return Vec::new();
    };
    let mut flaws = Vec::new();
    for (index, id) in ids.iter().enumerate() {
        let key = format!("{key}.{index}");
        if *id >= names.len() {
            let message = format!(
                "class {id} does not exist: `{name}` has {}, 0 to {}",
                match names.len() {
                    1 => "1 class".to_string(),
                    number => format!("{} classes", thousands(number)),
                },
                names.len().saturating_sub(1)
            );
            flaws.push(Flaw::new(key, message));
        } else if ids[..index].contains(id) {
            let message = format!("class {id} (`{}`) is listed twice", names[*id]);
            flaws.push(Flaw::new(key, message));
        }
    }
    flaws
}

/// What is wrong with `train`, `validation` and `generated`, given the samples of the chosen
/// classes.
pub(super) fn split_flaws(fields: &DataFields, pool: &Pool, names: &[String]) -> Vec<Flaw> {
    let mut flaws = Vec::new();
    let trained = fields.trained(names.len());
    let generated = fields.generated.as_ref();
    let generated = generated.and_then(|generated| generated.flaw(trained.len()));
    flaws.extend(generated.map(|flaw| flaw.under("generated")));
    let pool = &pool.clone().keep(&trained);
    let sizes = pool.sizes(names.len());
    for &label in &trained {
        let label = label as usize;
        if sizes[label] == 0 && has_chosen(fields) {
            let key = match &fields.train_classes {
                Classes::All => format!("classes.{label}"),
                Classes::Only(_) | Classes::Named(_) => "train_classes".to_string(),
            };
            let message = format!("class `{}` has no training samples", names[label]);
            flaws.push(Flaw::new(key, message));
        }
    }
    let validation = pool.held(fields.validation);
    if let Some(flaw) = validation_flaw(fields, pool.len(), validation) {
        flaws.push(flaw);
        return flaws;
    }
    let (rest, held) = pool.clone().split(fields.validation, Seed(0));
    flaws.extend(train_flaw(fields, &rest, held.len(), &sizes, names));
    flaws
}

/// Whether the training samples are only those of some of the dataset's classes.
fn has_chosen(fields: &DataFields) -> bool {
    !fields.classes.is_all() || !fields.train_classes.is_all()
}

fn validation_flaw(fields: &DataFields, samples: usize, validation: usize) -> Option<Flaw> {
    if validation >= samples {
        let message = format!(
            "validation takes {} of {}, which leaves none to train on",
            thousands(validation),
            count(samples, "sample")
        );
        return Some(Flaw::new("validation", message));
    }
    if validation == 0 && fields.validation != Default::default() {
        let message = match fields.validation {
            Validation::Folds(folds) => format!("no class has {folds} samples, one for each fold"),
            _ => format!("this fraction of {} is no sample", count(samples, "sample")),
        };
        return Some(Flaw::new("validation", message));
    }
    None
}

/// Where the number of training samples stands.
fn train_key(train: Subset) -> &'static str {
    match train {
        Subset::All
        | Subset::Share(_)
        | Subset::Of {
            pick: Pick::First, ..
        } => "train",
        Subset::Of { .. } => "train.count",
    }
}

/// `present`: samples of each class before any were held back for validation.
fn train_flaw(
    fields: &DataFields,
    rest: &Pool,
    validation: usize,
    present: &[usize],
    names: &[String],
) -> Option<Flaw> {
    let wanted = fields.train.of(rest.len());
    let key = train_key(fields.train);
    if wanted == 0 && matches!(fields.train, Subset::Share(_)) {
        let samples = count(rest.len(), "sample");
        return Some(Flaw::new(key, format!("this share of {samples} is none")));
    }
    if wanted == 0 {
        return Some(Flaw::new(key, "nothing to train on: 0 samples"));
    }
    if wanted > rest.len() {
        let classes = match has_chosen(fields) {
            false => "",
            true => " of these classes",
        };
        let held = match validation {
            0 => String::new(),
            held => format!(" beside the {} for validation", thousands(held)),
        };
        let message = format!(
            "training on {} is asked for, but there are {}{classes}{held}",
            count(wanted, "sample"),
            thousands(rest.len()),
        );
        return Some(Flaw::new(key, message));
    }
    let missing = |labels: &[u32]| missing(labels, present, names);
    if let Some(classes) = missing(&rest.labels) {
        let left = thousands(rest.len());
        let message = format!("{classes} no sample among the {left} that validation leaves");
        let hint = "take fewer samples for validation";
        return Some(Flaw::new("validation", message).hint(hint));
    }
    match fields.train {
        Subset::All
        | Subset::Of {
            pick: Pick::Random, ..
        } => None,
        Subset::Share(_) => {
            let picked = rest.pick(fields.train, names.len(), Seed(0));
            let classes = missing(&picked.labels)?;
            let message = format!("{classes} no sample in this share");
            Some(Flaw::new(key, message).hint("take a larger one"))
        }
        Subset::Of {
            pick: Pick::First, ..
        } => {
            let classes = missing(&rest.labels[..wanted])?;
            let message = format!("{classes} no sample among the first {}", thousands(wanted));
            let number = present.iter().filter(|&&size| size > 0).count();
            let hint = match wanted {
                1 => "1 is a count; `1.0`, or \"all\", is all of them".to_string(),
                _ => format!(
                    "take more samples, or {{ count = {}, pick = \"stratified\" }}",
                    wanted.max(number)
                ),
            };
            Some(Flaw::new(key, message).hint(hint))
        }
        Subset::Of {
            pick: Pick::Stratified,
            ..
        } => stratified_flaw(rest, wanted, names),
    }
}

/// Classes that stand nowhere among the labels, though the training set has some, as the start of a sentence: "class `a` has".
fn missing(labels: &[u32], present: &[usize], names: &[String]) -> Option<String> {
    let mut seen = vec![false; names.len()];
    for &label in labels {
        seen[label as usize] = true;
    }
    let missing = (0..names.len()).filter(|&class| !seen[class] && present[class] > 0);
    let missing: Vec<&String> = missing.map(|class| &names[class]).collect();
    match missing.len() {
        0 => None,
        1 => Some(format!("class {} has", list(&missing))),
        _ => Some(format!("classes {} have", list(&missing))),
    }
}

fn stratified_flaw(rest: &Pool, wanted: usize, names: &[String]) -> Option<Flaw> {
    let sizes = rest.sizes(names.len());
    let classes = sizes.iter().filter(|&&size| size > 0).count();
    if wanted < classes {
        let message = format!("{} cannot cover {classes} classes", count(wanted, "sample"));
        return Some(Flaw::new("train.count", message));
    }
    let shares = rest.shares(wanted, names.len());
    let class = (0..names.len()).find(|&class| shares[class] > sizes[class])?;
    let message = format!(
        "{} in equal shares take {} of class `{}`, which has {}",
        count(wanted, "sample"),
        thousands(shares[class]),
        names[class],
        thousands(sizes[class])
    );
    let hint = format!(
        "at most {} can be stratified",
        thousands(rest.most_stratified(names.len()))
    );
    Some(Flaw::new("train.count", message).hint(hint))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::fields::DatasetSpec;
    use crate::data::registry;

    const LABELS: [u32; 12] = [2, 0, 1, 1, 0, 2, 0, 1, 2, 0, 1, 2];

    fn fields(train: Subset, validation: usize, classes: Classes) -> DataFields {
        DataFields {
            train,
            validation: Validation::Count(validation),
            classes,
            ..DataFields::new(DatasetSpec::Named(registry::DATASETS[0]))
        }
    }

    fn of(count: usize, pick: Pick) -> Subset {
        Subset::Of { count, pick }
    }

    fn names() -> Vec<String> {
        ["ant", "bee", "cat"].map(String::from).to_vec()
    }

    fn all() -> Pool {
        Pool::of(&LABELS, &Classes::All)
    }

    /// `key: message; hint` of every flaw.
    fn flaws(fields: &DataFields) -> Vec<String> {
        let pool = Pool::of(&LABELS, &fields.classes);
        let names = match &fields.classes {
            Classes::All => names(),
            Classes::Only(ids) => ids.iter().map(|&id| names()[id].clone()).collect(),
            Classes::Named(_) => unreachable!(),
        };
        let shown = |flaw: Flaw| {
            let hint = flaw
                .hint
                .map(|hint| format!("; {hint}"))
                .unwrap_or_default();
            format!("{}: {}{hint}", flaw.key, flaw.message)
        };
        split_flaws(fields, &pool, &names)
            .into_iter()
            .map(shown)
            .collect()
    }

    #[test]
    fn chosen_classes_are_numbered_in_the_order_listed() {
        let pool = Pool::of(&LABELS, &Classes::Only(vec![2, 0]));
        assert_eq!(pool.places, [0, 1, 4, 5, 6, 8, 9, 11]);
        assert_eq!(pool.labels, [0, 1, 1, 0, 1, 0, 1, 0]);
    }

    #[test]
    fn validation_is_the_end_and_the_subset_comes_from_the_rest() {
        let (rest, held) = all().split(Validation::Count(4), Seed(1));
        assert_eq!(held.places, [8, 9, 10, 11]);
        let first = rest.pick(of(3, Pick::First), 3, Seed(0));
        assert_eq!(first.places, [0, 1, 2]);
        assert_eq!(Validation::Fraction(0.25).of(&[7, 5]), 3);
    }

    #[test]
    fn every_seed_holds_out_another_fold_of_each_class() {
        let labels: Vec<u32> = [[0; 7].as_slice(), &[1; 3], &[0; 3], &[2; 2]].concat();
        let pool = Pool::of(&labels, &Classes::All);
        let folds = Validation::Folds(3);
        let held = |seed| {
            let (rest, held) = pool.clone().split(folds, Seed(seed));
            assert_eq!(held.len(), pool.held(folds));
            let mut both = [rest.places, held.places.clone()].concat();
            both.sort_unstable();
            assert_eq!(both, pool.places);
            held.places
        };
        assert_eq!(held(0), [9, 10, 11, 12]);
        assert_eq!(held(1), [4, 5, 6, 8]);
        assert_eq!(held(2), [1, 2, 3, 7]);
        assert_eq!(held(3), held(0));
        // The first of ten images, and a class of fewer than there are folds, always train.
        assert_eq!(held(5), held(2));
    }

    #[test]
    fn a_share_for_validation_is_the_last_of_each_class_in_proportion() {
        let sorted: Vec<u32> = [0; 10]
            .iter()
            .chain(&[1; 6])
            .chain(&[2; 4])
            .copied()
            .collect();
        let (rest, held) =
            Pool::of(&sorted, &Classes::All).split(Validation::Fraction(0.25), Seed(1));
        assert_eq!(held.sizes(3), [3, 1, 1]);
        assert_eq!(held.places, [7, 8, 9, 15, 19]);
        assert_eq!(rest.len(), 15);
        assert!(rest.places.is_sorted());
        assert_eq!(proportional(7, &[3, 0, 3, 1]), [3, 0, 3, 1]);
        assert_eq!(proportional(2, &[1, 1, 1]), [1, 1, 0]);
        assert_eq!(proportional(0, &[]), [0; 0]);
    }

    #[test]
    fn classes_that_are_not_validated_or_tested_are_named() {
        let notes = |validation, test: &[u32]| {
            let fields = DataFields {
                validation,
                ..fields(Subset::All, 0, Classes::All)
            };
            {
                let test = Pool::of(test, &Classes::All);
                missing_notes(&fields, &all(), [&Pool::default(), &test], &names())
            }
        };
        assert_eq!(notes(Validation::Count(0), &LABELS), [""; 0]);
        assert_eq!(notes(Validation::Fraction(0.25), &LABELS), [""; 0]);
        assert_eq!(
            notes(Validation::Count(1), &[1]),
            [
                "classes `ant` and `bee` are trained on, but validation has no image of them",
                "classes `ant` and `cat` are trained on, but the test set has no image of them",
            ]
        );
        assert_eq!(
            notes(Validation::Count(0), &[1, 0]),
            ["class `cat` is trained on, but the test set has no image of it"]
        );
    }

    #[test]
    fn stratified_takes_the_first_of_each_class_and_the_remainder_of_the_lowest() {
        let picked = all().pick(of(5, Pick::Stratified), 3, Seed(0));
        assert_eq!(picked.places, [0, 1, 2, 3, 4]);
        assert_eq!(picked.labels, [2, 0, 1, 1, 0]);
        let picked = all().pick(of(4, Pick::Stratified), 3, Seed(0));
        assert_eq!(picked.places, [0, 1, 2, 4]);
    }

    #[test]
    fn random_depends_on_the_seed_alone_and_keeps_file_order() {
        let draw = |seed| all().pick(of(6, Pick::Random), 3, Seed(seed)).places;
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
        assert_eq!(draw(1).len(), 6);
        assert!(draw(1).is_sorted());
    }

    #[test]
    fn a_share_takes_the_first_ones_of_each_class_in_proportion() {
        let uneven = Pool {
            places: (0..9).collect(),
            labels: vec![0, 0, 0, 0, 0, 0, 1, 1, 1],
        };
        assert_eq!(
            uneven.pick(Subset::Share(0.34), 2, Seed(0)).places,
            [0, 1, 6]
        );
        assert_eq!(
            uneven.pick(Subset::Share(0.66), 2, Seed(0)).places,
            [0, 1, 2, 3, 6, 7]
        );
    }

    #[test]
    fn a_sound_table_has_no_flaws() {
        for train in [
            Subset::All,
            Subset::Share(0.5),
            of(6, Pick::First),
            of(6, Pick::Stratified),
            of(1, Pick::Random),
        ] {
            assert_eq!(flaws(&fields(train, 3, Classes::All)), [""; 0]);
        }
    }

    #[test]
    fn flaws_say_how_many_samples_there_are() {
        let only = Classes::Only(vec![0, 1]);
        assert_eq!(
            flaws(&fields(of(7, Pick::First), 3, only)),
            [
                "train: training on 7 samples is asked for, but there are 5 of these classes \
              beside the 3 for validation"
            ]
        );
        assert_eq!(
            flaws(&fields(of(13, Pick::Random), 0, Classes::All)),
            ["train.count: training on 13 samples is asked for, but there are 12"]
        );
        assert_eq!(
            flaws(&fields(of(0, Pick::First), 0, Classes::All)),
            ["train: nothing to train on: 0 samples"]
        );
        assert_eq!(
            flaws(&fields(Subset::All, 12, Classes::All)),
            ["validation: validation takes 12 of 12 samples, which leaves none to train on"]
        );
        let mut tiny = fields(Subset::All, 0, Classes::All);
        tiny.validation = Validation::Fraction(0.01);
        assert_eq!(
            flaws(&tiny),
            ["validation: this fraction of 12 samples is no sample"]
        );
    }

    #[test]
    fn samples_are_counted_among_the_classes_to_train_on() {
        let some = |train, validation| DataFields {
            train_classes: Classes::Only(vec![0]),
            ..fields(train, validation, Classes::All)
        };
        assert_eq!(flaws(&some(of(3, Pick::First), 1)), [""; 0]);
        assert_eq!(flaws(&some(of(3, Pick::Stratified), 0)), [""; 0]);
        assert_eq!(
            flaws(&some(of(4, Pick::First), 1)),
            [
                "train: training on 4 samples is asked for, but there are 3 of these classes \
                 beside the 1 for validation"
            ]
        );
        let pool = all().keep(&[2]);
        assert_eq!((pool.places, pool.labels), (vec![0, 5, 8, 11], vec![2; 4]));
    }

    #[test]
    fn flaws_name_the_classes_a_subset_misses() {
        assert_eq!(
            flaws(&fields(of(2, Pick::First), 0, Classes::All)),
            ["train: class `bee` has no sample among the first 2; \
              take more samples, or { count = 3, pick = \"stratified\" }"]
        );
        assert_eq!(
            flaws(&fields(Subset::Share(0.1), 0, Classes::All)),
            ["train: classes `bee` and `cat` have no sample in this share; take a larger one"]
        );
        assert_eq!(
            flaws(&fields(Subset::Share(0.01), 0, Classes::All)),
            ["train: this share of 12 samples is none"]
        );
        assert_eq!(
            flaws(&fields(Subset::All, 11, Classes::All)),
            [
                "validation: classes `ant` and `bee` have no sample among the 1 that validation leaves; \
              take fewer samples for validation"
            ]
        );
        assert_eq!(
            flaws(&fields(of(2, Pick::Stratified), 0, Classes::All)),
            ["train.count: 2 samples cannot cover 3 classes"]
        );
        assert_eq!(
            flaws(&fields(of(9, Pick::Stratified), 5, Classes::All)),
            [
                "train.count: training on 9 samples is asked for, but there are 7 \
              beside the 5 for validation"
            ]
        );
    }

    #[test]
    fn a_share_larger_than_its_class_says_how_many_can_be_had() {
        assert_eq!(
            flaws(&fields(of(4, Pick::Stratified), 8, Classes::All)),
            [
                "train.count: 4 samples in equal shares take 2 of class `ant`, which has 1; \
                 at most 3 can be stratified"
            ]
        );
        let uneven = Pool {
            places: (0..5).collect(),
            labels: vec![0, 0, 1, 1, 2],
        };
        assert_eq!(uneven.most_stratified(3), 5);
    }

    #[test]
    fn classes_that_do_not_exist_or_come_twice_are_flaws() {
        let of = |classes, train_classes| DataFields {
            train_classes,
            ..fields(Subset::All, 0, classes)
        };
        let wrong = Classes::Only(vec![1, 12, 1]);
        let found = class_flaws("zoo", &of(wrong.clone(), Classes::All), &names());
        assert_eq!(
            found,
            [
                Flaw::new(
                    "classes.1",
                    "class 12 does not exist: `zoo` has 3 classes, 0 to 2"
                ),
                Flaw::new("classes.2", "class 1 (`bee`) is listed twice"),
            ]
        );
        let found = class_flaws("zoo", &of(Classes::All, wrong), &names());
        assert_eq!(found[1].key, "train_classes.2");
        let only = |ids: &[usize]| Classes::Only(ids.to_vec());
        assert_eq!(
            class_flaws("zoo", &of(only(&[2, 0]), only(&[0])), &names()),
            []
        );
        assert_eq!(
            class_flaws("zoo", &of(only(&[2, 0]), only(&[0, 1])), &names()),
            [Flaw::new(
                "train_classes.1",
                "class 1 (`bee`) is none of `classes`"
            )]
        );
    }
}
