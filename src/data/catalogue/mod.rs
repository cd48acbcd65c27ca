//! The way in: describes, checks and loads datasets, and remembers what it read.
//!
//! A grid asks the same of one dataset thousands of times; headers and labels are read once.

use std::collections::HashMap;
use std::hash::Hash;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use sha2::{Digest, Sha256};

use super::dataset::Dataset;
use super::decoded;
use super::fields::{Classes, DataFields, DatasetSpec, Subset};
use super::folders::{Folders, Found};
use super::format::{Checksum, Labels, Outline, Parts, Progress, Raw};
use super::generated::shares;
use super::read_once::read_once;
use super::samples::{Samples, Splits};
use super::source::Source;
use super::subset::{Pool, Pools, class_flaws, missing_notes, sizes, split_flaws};
use crate::error::{Error, Flaw, Kind, Problem, Result, count};
use crate::hex::hex;
use crate::rng::Seed;
use crate::shape::ImageShape;

/// What a dataset, or the part of it that an experiment uses, consists of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// The dataset's name, or its folder as the experiment writes it.
    pub name: String,
    /// Empty where the images come from no files.
    pub folder: PathBuf,
    /// Of one image.
    pub shape: ImageShape,
    /// Number of training samples, the generated ones included.
    pub train: usize,
    /// Number of generated ones.
    pub generated: usize,
    /// Number of validation samples.
    pub validation: usize,
    /// Number of test samples.
    pub test: usize,
    /// Class names; a label is an index into them.
    pub classes: Vec<String>,
    /// Whether nothing tells the images' classes: all are of one.
    pub is_unlabeled: bool,
    /// Whether the dataset says itself which images are for testing.
    pub states_test: bool,
    /// Whether the dataset is not on this machine and all this is only what is known of it by name.
    pub absent: bool,
    /// What a reader of files and table may not expect, a sentence each.
    pub notes: Vec<String>,
}

/// Datasets by what the experiment calls them, each read once.
pub struct Catalogue {
    folders: Folders,
    outlines: Memory<DatasetSpec, Outlined>,
    labels: Memory<DatasetSpec, Labels>,
    digests: Memory<DatasetSpec, Option<String>>,
    /// Only the one loaded last, since pixels are large.
    loaded: Mutex<Option<(DatasetSpec, Arc<Raw>)>>,
}

/// A dataset's headers.
struct Outlined {
    name: String,
    folder: PathBuf,
    outline: Outline,
    classes: Vec<String>,
    is_unlabeled: bool,
    states_test: bool,
}

impl Catalogue {
    /// A catalogue that has looked at nothing yet.
    pub fn new(folders: Folders) -> Self {
        Catalogue {
            folders,
            outlines: Memory::default(),
            labels: Memory::default(),
            digests: Memory::default(),
            loaded: Mutex::default(),
        }
    }

    /// Where it looks for datasets.
    pub fn folders(&self) -> &Folders {
        &self.folders
    }

    /// The whole dataset, from headers (and labels where those alone give the classes).
    pub fn describe(&self, spec: &DatasetSpec) -> Result<Facts> {
        let outlined = self.outlined(spec)?;
        Ok(Facts {
            name: outlined.name.clone(),
            folder: outlined.folder.clone(),
            shape: outlined.outline.shape,
            train: outlined.outline.train,
            generated: 0,
            validation: outlined.outline.validation,
            test: outlined.outline.test,
            classes: outlined.classes.clone(),
            is_unlabeled: outlined.is_unlabeled,
            states_test: outlined.states_test,
            absent: false,
            notes: outlined.outline.notes.clone(),
        })
    }

    fn outlined(&self, spec: &DatasetSpec) -> Result<Arc<Outlined>> {
        self.outlines.get(spec, || {
            let source = Source::open(spec, &self.folders)?;
            Ok(Outlined {
                outline: source.outline()?,
                classes: match source.classes() {
                    Some(names) => names.to_vec(),
                    None => numbered(&*self.all_labels(spec)?),
                },
                is_unlabeled: source.is_unlabeled,
                states_test: source.states_test,
                name: source.name,
                folder: source.folder,
            })
        })
    }

    /// The class of every training sample, in file order, before classes are chosen.
    pub fn labels(&self, spec: &DatasetSpec) -> Result<Vec<u32>> {
        Ok(self.all_labels(spec)?.train.clone())
    }

    /// How many images of each class there are for training, validation and testing, before any are chosen.
    ///
    /// # Errors
    /// Data is missing or damaged.
    pub fn class_sizes(&self, spec: &DatasetSpec) -> Result<[Vec<usize>; 3]> {
        let classes = self.describe(spec)?.classes.len();
        let labels = self.all_labels(spec)?;
        let parts = [&labels.train, &labels.validation, &labels.test];
        Ok(parts.map(|labels| sizes(labels, classes)))
    }

    /// Every image of a folder that cannot be read, and those that are not of one shape; of other datasets nothing.
    ///
    /// # Errors
    /// There is no such dataset.
    pub fn faults(&self, spec: &DatasetSpec) -> Result<Vec<Problem>> {
        Ok(Source::open(spec, &self.folders)?.faults())
    }

    /// What `load` would give, and what is wrong with the table; keys are below `[data]`.
    ///
    /// Where there are flaws, the counts are as near as can be said; so are they for a dataset known by
    /// name that is not on this machine, whose classes are taken to be of one size.
    pub fn check(&self, fields: &DataFields) -> Result<(Facts, Vec<Flaw>)> {
        let (mut facts, labels) = match self.absent(&fields.dataset) {
            Some(dataset) => declared(dataset),
            None => (
                self.describe(&fields.dataset)?,
                self.all_labels(&fields.dataset)?,
            ),
        };
        let flaws = class_flaws(&facts.name, fields, &facts.classes);
        if !flaws.is_empty() {
            return Ok((facts, flaws));
        }
        let train = Pool::of(&labels.train, &fields.classes);
        facts.classes = chosen(&facts.classes, &fields.classes);
        let mut flaws: Vec<Flaw> = fields
            .scale
            .flaw(facts.shape.channels)
            .into_iter()
            .collect();
        flaws.extend(split_flaws(fields, &train, &facts.classes));
        let train = train.keep(&fields.trained(facts.classes.len()));
        facts.test = match &fields.classes {
            Classes::All => labels.test.len(),
            some => Pool::of(&labels.test, some).len(),
        };
        if facts.test == 0 {
            flaws.push(Flaw::new(
                "classes",
                "the test set has no image of these classes",
            ));
        }
        let own = match fields.has_own_validation() {
            true => Pool::of(&labels.validation, &fields.classes)
                .keep(&fields.trained(facts.classes.len())),
            false => Pool::default(),
        };
        let taken = train.held(fields.validation).min(train.len());
        facts.validation = taken + own.len();
        // Of images that are made up, nobody asks which classes are tested.
        let is_real = !facts.absent && !matches!(fields.dataset, DatasetSpec::Fake(_));
        if flaws.is_empty() && is_real {
            let test = Pool::of(&labels.test, &fields.classes);
            let missing = missing_notes(fields, &train, [&own, &test], &facts.classes);
            facts.notes.extend(missing);
        }
        let unused = labels.validation.len();
        if unused > 0 && fields.has_own_validation() && own.len() == 0 {
            facts.notes.push(
                "no image that the dataset keeps for validation is of these classes: there is no validation set"
                    .to_string(),
            );
        }
        if unused > 0 && !fields.has_own_validation() {
            facts.notes.push(format!(
                "the {} that the dataset keeps for validation are not used: `validation` takes some of training",
                count(unused, "image")
            ));
        }
        if let Subset::Of { count: 1, .. } = fields.train {
            facts
                .notes
                .push("`train = 1` is 1 image; `1.0` is all of them".to_string());
        }
        let rest = train.len() - taken;
        facts.train = fields.train.of(rest).min(rest);
        let generated = fields.generated.as_ref();
        facts.generated = generated.map_or(0, |generated| generated.count(facts.train));
        facts.train += facts.generated;
        Ok((facts, flaws))
    }

    /// Training images of each class of a run, the generated ones included; `None` where the table has
    /// flaws.
    pub fn counts(&self, fields: &DataFields, seed: Seed) -> Result<Option<Vec<usize>>> {
        let (facts, flaws) = self.check(fields)?;
        if !flaws.is_empty() {
            return Ok(None);
        }
        let labels = self.all_labels(&fields.dataset)?;
        let trained = fields.trained(facts.classes.len());
        let train = Pools::of(fields, &labels, facts.classes.len(), seed).train;
        let mut counts = train.sizes(facts.classes.len());
        for (label, more) in trained.iter().zip(shares(facts.generated, trained.len())) {
            counts[*label as usize] += more;
        }
        Ok(Some(counts))
    }

    /// The images of a run without the generated ones. The seed matters only where the subset is picked at
    /// random.
    pub fn load(&self, fields: &DataFields, seed: Seed) -> Result<Splits> {
        let (facts, flaws) = self.check(fields)?;
        if !flaws.is_empty() {
            let problem = |flaw: Flaw| {
                Problem::new(format!("`data.{}`: {}", flaw.key, flaw.message)).maybe_hint(flaw.hint)
            };
            let problems = flaws.into_iter().map(problem).collect();
            return Err(Error::new(Kind::Usage, problems));
        }
        let raw = self.raw(&fields.dataset)?;
        let labels = self.all_labels(&fields.dataset)?;
        let pools = Pools::of(fields, &labels, facts.classes.len(), seed);
        let own = raw.validation.as_ref();
        let own = own.filter(|_| pools.own.len() > 0);
        let own = own.map(|part| Samples::of(raw.shape, part, pools.own));
        let taken = (pools.taken.len() > 0).then_some(pools.taken);
        let taken = || Some(Samples::of(raw.shape, &raw.train, taken?));
        Ok(Splits {
            validation: own.or_else(taken),
            train: Samples::of(raw.shape, &raw.train, pools.train),
            test: Samples::of(raw.shape, &raw.test, pools.test),
            trained: fields.trained(facts.classes.len()),
            class_names: facts.classes,
            bits: raw.train.pixels.bits(),
        })
    }

    /// What the images of [`load`](Self::load) are called: the files of a folder, seen from it. `None` where images have no files of
    /// their own.
    pub fn names(&self, fields: &DataFields, seed: Seed) -> Result<Option<Parts<String>>> {
        let Some(all) = Source::open(&fields.dataset, &self.folders)?.names() else {
            return Ok(None);
        };
        let labels = self.all_labels(&fields.dataset)?;
        let classes = self.check(fields)?.0.classes.len();
        let pools = Pools::of(fields, &labels, classes, seed);
        let of = |names: &[String], pool: &Pool| -> Vec<String> {
            pool.places
                .iter()
                .map(|&place| names[place].clone())
                .collect()
        };
        Ok(Some(Parts {
            validation: match pools.own.len() {
                0 => of(&all.train, &pools.taken),
                _ => of(&all.validation, &pools.own),
            },
            train: of(&all.train, &pools.train),
            test: of(&all.test, &pools.test),
        }))
    }

    /// Files that [`load`](Self::load) reads, each with the sha256 of its unpacked content; one for
    /// all images of a folder.
    pub fn checksums(&self, fields: &DataFields) -> Result<Vec<(String, String)>> {
        let raw = self.raw(&fields.dataset)?;
        let checksum = |read: &Checksum| (read.name.clone(), read.sha256.clone());
        Ok(raw.checksums.iter().map(checksum).collect())
    }

    /// The SHA-256 of all files of a dataset that people fill; `None` of one that its name or its fields
    /// stand for. Asked again, it is what it was the first time.
    pub fn digest(&self, spec: &DatasetSpec) -> Result<Option<String>> {
        if !matches!(spec, DatasetSpec::Idx(_) | DatasetSpec::Folder(_)) {
            return Ok(None);
        }
        let digest = self.digests.get(spec, || {
            self.digest_of(spec, &Source::open(spec, &self.folders)?)
        })?;
        Ok(digest.as_ref().clone())
    }

    /// The digest as the files are now.
    fn digest_of(&self, spec: &DatasetSpec, source: &Source) -> Result<Option<String>> {
        let digest = source.digest(self.folders.digests().as_deref())?;
        let Some(digest) = digest else {
            return Ok(None);
        };
        Ok(Some(match self.outlined(spec)?.outline.is_read_anew {
            true => hex(&Sha256::digest(format!("{digest} turned, deep"))),
            false => digest,
        }))
    }

    /// Puts ids in the place of classes that are named, in `classes` and `train_classes`; of folders that
    /// are called by numbers, a number is a name. What cannot be found is reported; keys are below `[data]`.
    pub fn name_classes(&self, fields: &mut DataFields) -> Result<Vec<Flaw>> {
        if fields.classes.is_all() && fields.train_classes.is_all() {
            return Ok(Vec::new());
        }
        let facts = match self.absent(&fields.dataset) {
            Some(dataset) => declared(dataset).0,
            None => self.describe(&fields.dataset)?,
        };
        let is_folder = matches!(fields.dataset, DatasetSpec::Folder(_));
        let mut flaws = Vec::new();
        for (key, classes) in [
            ("classes", &mut fields.classes),
            ("train_classes", &mut fields.train_classes),
        ] {
            flaws.extend(classes.look_up(key, &facts.name, &facts.classes, is_folder));
        }
        Ok(flaws)
    }

    /// The dataset if it is known by name and nowhere on this machine.
    fn absent(&self, spec: &DatasetSpec) -> Option<&'static Dataset> {
        match spec {
            DatasetSpec::Named(dataset) => {
                (self.folders.find(dataset) == Found::Nowhere).then_some(*dataset)
            }
            _ => None,
        }
    }

    fn all_labels(&self, spec: &DatasetSpec) -> Result<Arc<Labels>> {
        self.labels
            .get(spec, || Source::open(spec, &self.folders)?.labels())
    }

    /// Reads a dataset whole, unless that was done before on this machine, so that damage shows before anything is trained;
    /// the decoded images of a large folder are kept for other processes. How many of all images are decoded is told.
    ///
    /// # Errors
    /// A file is damaged, or an image cannot be read.
    pub fn prepare(&self, spec: &DatasetSpec, progress: Progress) -> Result<()> {
        if let Some(path) = self.kept_decoded(spec)? {
            return match path.exists() {
                true => Ok(()),
                false => self.read(spec, Some(&path), progress).map(|_| ()),
            };
        }
        let source = Source::open(spec, &self.folders)?;
        let (files, store) = (source.files(), self.folders.digests());
        // Whoever asks for the images next has them.
        let read = || self.raw(spec).map(|_| ());
        match files.is_empty() {
            true => Ok(()),
            false => read_once(&format!("{spec:?}"), &files, store.as_deref(), read),
        }
    }

    /// Where the decoded images of a dataset are kept; none where they are not.
    fn kept_decoded(&self, spec: &DatasetSpec) -> Result<Option<PathBuf>> {
        let (DatasetSpec::Folder(fields), Some(store)) = (spec, self.folders.decoded()) else {
            return Ok(None);
        };
        let outline = &self.outlined(spec)?.outline;
        let is_large = outline.train + outline.validation + outline.test > decoded::FEW;
        let digest = self.digest(spec)?.filter(|_| is_large);
        Ok(digest.map(|digest| decoded::place(&store, fields, &digest)))
    }

    fn raw(&self, spec: &DatasetSpec) -> Result<Arc<Raw>> {
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((known, raw)) = &*loaded
            && known == spec
        {
            return Ok(raw.clone());
        }
        // Frees the one before, so that two are never held at once.
        *loaded = None;
        let kept = self.kept_decoded(spec)?;
        let known = match (spec, &kept) {
            (DatasetSpec::Folder(fields), Some(path)) => decoded::read(path, &fields.path),
            _ => None,
        };
        let raw = match known {
            Some(raw) => raw,
            None => self.read(spec, kept.as_deref(), &|_, _| {})?,
        };
        let raw = Arc::new(raw);
        *loaded = Some((spec.clone(), raw.clone()));
        Ok(raw)
    }

    /// Reads all images and keeps them, decoded, where it is said.
    fn read(&self, spec: &DatasetSpec, kept: Option<&Path>, progress: Progress) -> Result<Raw> {
        let digest = self.digest(spec)?;
        let source = Source::open(spec, &self.folders)?;
        let raw = source.read(progress)?;
        // What was read goes by the digest that was taken before.
        if self.digest_of(spec, &source)? != digest {
            let message = format!(
                "the images of `{}` changed while they were read",
                source.name
            );
            let problem = Problem::new(message).at_file(&source.folder);
            return Err(Error::data(
                problem.hint("try again when nobody writes there"),
            ));
        }
        if let Some(path) = kept {
            decoded::write(path, &raw);
        }
        Ok(raw)
    }
}

/// Values made once and kept.
struct Memory<K, V>(Mutex<HashMap<K, Arc<V>>>);

impl<K, V> Default for Memory<K, V> {
    fn default() -> Self {
        Memory(Mutex::default())
    }
}

impl<K: Hash + Eq + Clone, V> Memory<K, V> {
    fn get(&self, key: &K, make: impl FnOnce() -> Result<V>) -> Result<Arc<V>> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(value) = kept.get(key) {
            return Ok(value.clone());
        }
        let value = Arc::new(make()?);
        kept.insert(key.clone(), value.clone());
        Ok(value)
    }
}

/// What is known of a dataset without its files.
fn declared(dataset: &Dataset) -> (Facts, Arc<Labels>) {
    let classes = dataset.classes.len() as u32;
    let [train, test] = dataset.samples.map(|count| {
        (0..count as u32)
            .map(|index| index % classes)
            .collect::<Vec<_>>()
    });
    let facts = Facts {
        name: dataset.name.to_string(),
        folder: PathBuf::new(),
        shape: dataset.shape,
        train: train.len(),
        generated: 0,
        validation: 0,
        test: test.len(),
        classes: dataset
            .classes
            .iter()
            .map(|name| name.to_string())
            .collect(),
        is_unlabeled: false,
        states_test: true,
        absent: true,
        notes: Vec::new(),
    };
    let labels = Labels {
        train,
        validation: Vec::new(),
        test,
    };
    (facts, Arc::new(labels))
}

/// The numbers from 0 to the highest label, as names.
fn numbered(labels: &Labels) -> Vec<String> {
    let highest = labels.train.iter().chain(&labels.test).max();
    (0..=highest.copied().unwrap_or(0))
        .map(|class| class.to_string())
        .collect()
}

/// Names of the chosen classes, in the order listed.
fn chosen(names: &[String], classes: &Classes) -> Vec<String> {
    match classes {
        Classes::All => names.to_vec(),
        Classes::Only(ids) => ids
            .iter()
            .filter_map(|&id| names.get(id).cloned())
            .collect(),
        Classes::Named(_) => Vec::new(),
    }
}

#[cfg(test)]
mod tests;
