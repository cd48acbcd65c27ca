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
use super::format::{Checksum, Labels, Outline, Part, Progress, Raw};
use super::generated::shares;
use super::image_form::Bits;
use super::source::Source;
use super::subset::{Pool, class_flaws, missing_notes, sizes, split_flaws};
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
    /// Whether the dataset is not on this machine and all this is only what is known of it by name.
    pub absent: bool,
    /// What a reader of files and table may not expect, a sentence each.
    pub notes: Vec<String>,
}

/// Images and their classes.
#[derive(Debug, Clone, PartialEq)]
pub struct Samples {
    /// Of one image.
    pub shape: ImageShape,
    /// From 0 to 1, `[samples, channels, height, width]`.
    pub pixels: Vec<f32>,
    /// `[samples]`, indices into the class names.
    pub labels: Vec<u32>,
}

impl Samples {
    /// Number of images.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there are no samples.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// Images of each class.
    pub fn counts(&self, classes: usize) -> Vec<usize> {
        sizes(&self.labels, classes)
    }

    /// Pixels of one image, `[channels, height, width]`; panics if there is no such image.
    pub fn image(&self, index: usize) -> &[f32] {
        let size = self.shape.len();
        &self.pixels[index * size..(index + 1) * size]
    }
}

/// What a run works on.
#[derive(Debug, Clone, PartialEq)]
pub struct Splits {
    /// What is trained on, generated images included.
    pub train: Samples,
    /// None if the experiment keeps none back.
    pub validation: Option<Samples>,
    /// What is measured after training.
    pub test: Samples,
    /// Names of the classes; a label is an index into them.
    pub class_names: Vec<String>,
    /// Labels that training and validation keep, ascending: all, or those of `train_classes`.
    pub trained: Vec<u32>,
    /// How many of 16 bits the images' values use; none of images of 8 bits.
    pub bits: Option<Bits>,
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
                name: source.name,
                folder: source.folder,
            })
        })
    }

    /// The class of every training sample, in file order, before classes are chosen.
    pub fn labels(&self, spec: &DatasetSpec) -> Result<Vec<u32>> {
        Ok(self.all_labels(spec)?.train.clone())
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
        let taken = fields.validation.of(train.len()).min(train.len());
        facts.validation = taken + own.len();
        // Of images that are made up, nobody asks which classes are tested.
        let is_real = !facts.absent && !matches!(fields.dataset, DatasetSpec::Fake(_));
        if flaws.is_empty() && is_real {
            let test = Pool::of(&labels.test, &fields.classes);
            let missing = missing_notes(fields, &train, [&own, &test], &facts.classes);
            facts.notes.extend(missing);
        }
        let unused = labels.validation.len();
        if unused > 0 && !fields.has_own_validation() {
            facts.notes.push(format!(
                "the {} that the dataset keeps for validation are not used: `validation` takes some of training",
                count(unused, "image")
            ));
        }
        facts.train = train.len() - taken;
        if let Subset::Of { count, .. } = fields.train {
            facts.train = facts.train.min(count);
        }
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
        let all = Pool::of(&labels.train, &fields.classes).keep(&trained);
        let (rest, _) = all.split(fields.validation);
        let train = rest.pick(fields.train, facts.classes.len(), seed);
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
        let trained = fields.trained(facts.classes.len());
        let all = Pool::of(&raw.train.labels, &fields.classes).keep(&trained);
        let (rest, held) = all.split(fields.validation);
        let train = rest.pick(fields.train, facts.classes.len(), seed);
        let test = Pool::of(&raw.test.labels, &fields.classes);
        let own = raw
            .validation
            .as_ref()
            .filter(|_| fields.has_own_validation());
        let own = own.map(|part| {
            let pool = Pool::of(&part.labels, &fields.classes).keep(&trained);
            samples(raw.shape, part, pool)
        });
        let taken = || samples(raw.shape, &raw.train, held.clone());
        Ok(Splits {
            train: samples(raw.shape, &raw.train, train),
            validation: own.or_else(|| (held.len() > 0).then(taken)),
            test: samples(raw.shape, &raw.test, test),
            class_names: facts.classes,
            trained,
            bits: raw.train.pixels.bits(),
        })
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

    /// Decodes the images of a large folder and keeps them for other processes, unless that was done before; how
    /// many of all are decoded is told.
    ///
    /// # Errors
    /// An image cannot be read.
    pub fn decode(&self, spec: &DatasetSpec, progress: Progress) -> Result<()> {
        match self.kept_decoded(spec)? {
            Some(path) if !path.exists() => self.read(spec, Some(&path), progress).map(|_| ()),
            _ => Ok(()),
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

fn samples(shape: ImageShape, part: &Part, pool: Pool) -> Samples {
    let size = shape.len();
    let mut pixels = Vec::with_capacity(pool.len() * size);
    for &place in &pool.places {
        part.pixels
            .append(place * size..(place + 1) * size, &mut pixels);
    }
    Samples {
        shape,
        pixels,
        labels: pool.labels,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::fields::{Pick, Validation};
    use crate::data::folder::FolderFields;
    use crate::data::idx::IdxFields;
    use crate::data::registry;
    use crate::tagged::OrNone;
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use std::fs;
    use std::io::Write;

    fn mnist() -> DataFields {
        DataFields::new(DatasetSpec::Named(registry::find("mnist").unwrap()))
    }

    fn committed() -> Catalogue {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("data");
        Catalogue::new(Folders::only(root))
    }

    /// A copy of the committed files that may be damaged, and the folders to find it in.
    fn copy() -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("mnist");
        fs::create_dir(&folder).unwrap();
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/mnist");
        for file in registry::find("mnist").unwrap().files() {
            let name = format!("{}.gz", file.name);
            fs::copy(from.join(&name), folder.join(&name)).unwrap();
        }
        (dir, folder)
    }

    fn load_error(root: &Path, fields: &DataFields) -> String {
        let catalogue = Catalogue::new(Folders::only(root));
        let error = catalogue.load(fields, Seed(0)).unwrap_err();
        assert_eq!(error.kind, Kind::Data);
        error.to_string()
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn gunzip(path: &Path) -> Vec<u8> {
        let mut bytes = Vec::new();
        let file = fs::File::open(path).unwrap();
        std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(file), &mut bytes).unwrap();
        bytes
    }

    fn idx(sizes: &[u32], bytes: &[u8]) -> Vec<u8> {
        let mut file = vec![0, 0, 8, sizes.len() as u8];
        file.extend(sizes.iter().flat_map(|size| size.to_be_bytes()));
        file.extend(bytes);
        file
    }

    /// An IDX dataset of three 2x2 images for training and one for testing.
    fn small(folder: &Path) -> DataFields {
        let images: Vec<u8> = (0..12).collect();
        let write = |name: &str, bytes: Vec<u8>| fs::write(folder.join(name), bytes).unwrap();
        write("train-images-idx3-ubyte", idx(&[3, 2, 2], &images));
        write("train-labels.idx1-ubyte", idx(&[3], &[0, 2, 1]));
        write(
            "t10k-images-idx3-ubyte.gz",
            gzip(&idx(&[1, 2, 2], &images[..4])),
        );
        write("t10k-labels-idx1-ubyte.gz", gzip(&idx(&[1], &[2])));
        DataFields::new(DatasetSpec::Idx(IdxFields::at(folder)))
    }

    #[test]
    fn mnist_is_what_it_should_be() {
        let catalogue = committed();
        let facts = catalogue.describe(&mnist().dataset).unwrap();
        assert_eq!(facts.shape, ImageShape::new(1, 28, 28));
        assert_eq!(
            (facts.train, facts.test, facts.classes.len()),
            (60_000, 10_000, 10)
        );

        let fields = DataFields {
            validation: Validation::Count(5000),
            ..mnist()
        };
        let splits = catalogue.load(&fields, Seed(0)).unwrap();
        assert_eq!(splits.train.len(), 55_000);
        assert_eq!(splits.train.labels[..10], [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]);
        let held = splits.validation.unwrap();
        assert_eq!(held.len(), 5000);
        let sum = |pixels: &[f32]| pixels.iter().map(|&pixel| f64::from(pixel)).sum::<f64>();
        let pixels = splits.train.pixels.len() + held.pixels.len();
        let mean = (sum(&splits.train.pixels) + sum(&held.pixels)) / pixels as f64;
        assert!((mean - 0.1307).abs() < 1e-4, "{mean}");
        assert_eq!(splits.test.len(), 10_000);
        assert_eq!(catalogue.checksums(&fields).unwrap().len(), 4);

        // The second load reuses what the first one read.
        let only = DataFields {
            train: Subset::Of {
                count: 6,
                pick: Pick::Stratified,
            },
            classes: Classes::Only(vec![7, 0]),
            ..mnist()
        };
        let splits = catalogue.load(&only, Seed(0)).unwrap();
        assert_eq!(splits.class_names, ["7", "0"]);
        assert_eq!(splits.train.labels, [1, 0, 1, 0, 1, 0]);
        assert_eq!(splits.test.len(), 1028 + 980);
        assert_eq!(splits.train.image(0).len(), 784);
    }

    #[test]
    fn checking_says_what_loading_would_give() {
        let catalogue = committed();
        let fields = DataFields {
            train: Subset::Of {
                count: 1000,
                pick: Pick::First,
            },
            validation: Validation::Fraction(0.1),
            classes: Classes::Only(vec![0, 1]),
            ..mnist()
        };
        let (facts, flaws) = catalogue.check(&fields).unwrap();
        assert_eq!(flaws, []);
        assert_eq!(
            (facts.train, facts.validation, facts.test),
            (1000, 1267, 2115)
        );
        assert_eq!(facts.classes, ["0", "1"]);

        let few = DataFields {
            train: Subset::Of {
                count: 5,
                pick: Pick::First,
            },
            ..mnist()
        };
        let (_, flaws) = catalogue.check(&few).unwrap();
        assert_eq!(
            flaws,
            [Flaw::new(
                "train",
                "classes `2`, `3`, `6`, `7` and `8` have no sample among the first 5"
            )
            .hint("take more samples, or { count = 10, pick = \"stratified\" }")]
        );
        assert_eq!(
            catalogue.load(&few, Seed(0)).unwrap_err().to_string(),
            "error: `data.train`: classes `2`, `3`, `6`, `7` and `8` have no sample among the first 5\n  \
             hint: take more samples, or { count = 10, pick = \"stratified\" }"
        );
    }

    #[test]
    fn classes_to_train_on_are_not_those_to_be_tested_on() {
        let catalogue = committed();
        let fields = DataFields {
            train: Subset::Of {
                count: 50,
                pick: Pick::First,
            },
            validation: Validation::Count(20),
            classes: Classes::Only(vec![7, 0, 1]),
            train_classes: Classes::Only(vec![0]),
            ..mnist()
        };
        let (facts, flaws) = catalogue.check(&fields).unwrap();
        assert_eq!(flaws, []);
        assert_eq!((facts.train, facts.validation), (50, 20));
        assert_eq!(facts.test, 1028 + 980 + 1135);
        assert_eq!(facts.classes, ["7", "0", "1"]);
        let splits = catalogue.load(&fields, Seed(0)).unwrap();
        assert_eq!(splits.train.labels, [1; 50]);
        assert_eq!(splits.validation.unwrap().labels, [1; 20]);
        assert_eq!(splits.test.counts(3), [1028, 980, 1135]);
        assert_eq!(splits.trained, [1]);
        let counts = catalogue.counts(&fields, Seed(0)).unwrap();
        assert_eq!(counts, Some(vec![0, 50, 0]));
    }

    #[test]
    fn generated_images_count_among_those_to_train_on() {
        let catalogue = committed();
        let with = |text: &str| DataFields {
            train: Subset::Of {
                count: 50,
                pick: Pick::First,
            },
            classes: Classes::Only(vec![0, 1, 2]),
            generated: OrNone(Some(toml::from_str(text).unwrap())),
            ..mnist()
        };
        let (facts, _) = catalogue.check(&with("run = {}")).unwrap();
        assert_eq!((facts.train, facts.generated), (100, 50));
        let fields = with("run = {}\ncount = 7");
        let (facts, _) = catalogue.check(&fields).unwrap();
        assert_eq!((facts.train, facts.generated), (57, 7));
        let real = catalogue.load(&fields, Seed(0)).unwrap().train.counts(3);
        let all = [real[0] + 3, real[1] + 2, real[2] + 2];
        let counts = catalogue.counts(&fields, Seed(0)).unwrap();
        assert_eq!(counts, Some(all.to_vec()));
        let (_, flaws) = catalogue.check(&with("run = {}\nruns = {}")).unwrap();
        assert_eq!(flaws[0].key, "generated.runs");
    }

    #[test]
    fn a_truncated_gzip_file_says_where_it_ends() {
        let (dir, folder) = copy();
        let path = folder.join("t10k-labels-idx1-ubyte.gz");
        let whole = fs::read(&path).unwrap();
        fs::write(&path, &whole[..1000]).unwrap();
        let text = load_error(dir.path(), &mnist());
        let kept = {
            let mut bytes = Vec::new();
            let mut decoder = flate2::read::GzDecoder::new(&whole[..1000]);
            std::io::Read::read_to_end(&mut decoder, &mut bytes).unwrap_err();
            bytes.len()
        };
        assert_eq!(
            text,
            format!(
                "error: `t10k-labels-idx1-ubyte.gz` ends at byte {} of 10,008 (label {} of 10,000)\n  {}\n  \
                 hint: `burnlab data fetch mnist` puts a fresh copy in its place",
                crate::error::thousands(kept),
                crate::error::thousands(kept - 7),
                path.display()
            )
        );
        // Without its checksum only.
        fs::write(&path, &whole[..whole.len() - 3]).unwrap();
        assert!(load_error(dir.path(), &mnist()).contains("ends within its gzip checksum"));
    }

    #[test]
    fn a_corrupt_gzip_file_is_named() {
        let (dir, folder) = copy();
        let path = folder.join("train-labels-idx1-ubyte.gz");
        let mut bytes = fs::read(&path).unwrap();
        let last = bytes.len() - 6;
        bytes[last] ^= 1;
        fs::write(&path, &bytes).unwrap();
        assert_eq!(
            load_error(dir.path(), &mnist()),
            format!(
                "error: `train-labels-idx1-ubyte.gz` is corrupt: corrupt gzip stream does not have a \
                 matching checksum\n  {}\n  hint: `burnlab data fetch mnist` puts a fresh copy in its place",
                path.display()
            )
        );
    }

    #[test]
    fn a_truncated_plain_file_says_where_it_ends() {
        let (dir, folder) = copy();
        let packed = folder.join("t10k-images-idx3-ubyte.gz");
        let path = folder.join("t10k-images.idx3-ubyte");
        fs::write(&path, &gunzip(&packed)[..1234]).unwrap();
        fs::remove_file(&packed).unwrap();
        assert_eq!(
            load_error(dir.path(), &mnist()),
            format!(
                "error: `t10k-images.idx3-ubyte` ends at byte 1,234 of 7,840,016 (image 2 of 10,000)\n  {}\n  \
                 hint: `burnlab data fetch mnist` puts a fresh copy in its place",
                path.display()
            )
        );
    }

    #[test]
    fn a_changed_pixel_is_seen_by_the_checksum() {
        let (dir, folder) = copy();
        let path = folder.join("t10k-images-idx3-ubyte.gz");
        let mut bytes = gunzip(&path);
        bytes[5000] ^= 1;
        fs::write(&path, gzip(&bytes)).unwrap();
        let text = load_error(dir.path(), &mnist());
        assert!(
            text.starts_with(
                "error: `t10k-images-idx3-ubyte.gz` is not the file that `mnist` consists of: \
                 its content has sha256 "
            ),
            "{text}"
        );
        assert!(text.contains(
            ", expected 0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7\n"
        ));
    }

    #[test]
    fn a_label_out_of_range_is_named_with_its_byte() {
        let (dir, folder) = copy();
        let path = folder.join("train-labels-idx1-ubyte.gz");
        let mut bytes = gunzip(&path);
        bytes[8 + 4] = 12;
        fs::write(&path, gzip(&bytes)).unwrap();
        assert_eq!(
            load_error(dir.path(), &mnist()),
            format!(
                "error: `train-labels-idx1-ubyte.gz` holds the label 12 at byte 12 (label 5 of 60,000), \
                 expected 0 to 9\n  {}\n  hint: `burnlab data fetch mnist` puts a fresh copy in its place",
                path.display()
            )
        );
    }

    #[test]
    fn a_folder_of_idx_files_needs_no_name() {
        let dir = tempfile::tempdir().unwrap();
        let fields = small(dir.path());
        let catalogue = Catalogue::new(Folders::only("none"));
        let splits = catalogue.load(&fields, Seed(0)).unwrap();
        assert_eq!(splits.class_names, ["0", "1", "2"]);
        assert_eq!(splits.train.labels, [0, 2, 1]);
        assert_eq!(splits.train.image(1)[0], 4.0 / 255.0);
        assert_eq!(
            catalogue.checksums(&fields).unwrap()[1].0,
            "train-labels-idx1-ubyte"
        );

        let color: Vec<u8> = (0..36).collect();
        let path = dir.path().join("train-images-idx3-ubyte");
        fs::write(&path, idx(&[3, 3, 2, 2], &color)).unwrap();
        assert_eq!(
            load_error(dir.path(), &fields),
            format!(
                "error: `t10k-images-idx3-ubyte.gz` holds images of 1x2x2, but \
                 `train-images-idx3-ubyte` of 3x2x2\n  {}/t10k-images-idx3-ubyte.gz",
                dir.path().display()
            )
        );
    }

    #[test]
    fn files_that_are_not_idx_or_do_not_match_are_named() {
        let dir = tempfile::tempdir().unwrap();
        let fields = small(dir.path());
        let images = dir.path().join("train-images-idx3-ubyte");
        let labels = dir.path().join("train-labels.idx1-ubyte");
        let error = |path: &Path, bytes: &[u8], says: &str| {
            let before = fs::read(path).unwrap();
            fs::write(path, bytes).unwrap();
            let text = load_error(dir.path(), &fields);
            assert_eq!(text, format!("error: {says}\n  {}", path.display()));
            fs::write(path, before).unwrap();
        };
        error(
            &images,
            b"hello, world",
            "`train-images-idx3-ubyte` starts with the bytes 68 65 6c 6c, expected 00 00 08 03 as \
             IDX files of images do",
        );
        error(
            &images,
            &idx(&[3, 2, 2], &[0; 12])[..9],
            "`train-images-idx3-ubyte` ends at byte 9 of 16 (in its header)",
        );
        error(
            &images,
            &idx(&[u32::MAX; 4], &[]),
            "`train-images-idx3-ubyte` says in its header that it holds 4,294,967,295 images of \
             4294967295x4294967295x4294967295",
        );
        error(
            &images,
            &idx(&[3, 2, 2], &[0; 13]),
            "`train-images-idx3-ubyte` goes on after byte 28, where its header says it ends",
        );
        error(
            &labels,
            &idx(&[2], &[0, 1]),
            "`train-labels.idx1-ubyte` holds 2 labels, but `train-images-idx3-ubyte` holds 3 images",
        );
        fs::remove_file(&labels).unwrap();
        assert!(
            load_error(dir.path(), &fields)
                .starts_with("error: `train-labels-idx1-ubyte.gz` is missing\n")
        );
    }

    /// A folder of parts with as many images of each of two classes.
    fn parts(folder: &Path, counts: [(&str, usize); 3]) -> DataFields {
        for (part, count) in counts {
            for (class, value) in [("a", 0u8), ("b", 255)] {
                let folder = folder.join(part).join(class);
                fs::create_dir_all(&folder).unwrap();
                for index in 0..count {
                    let image = image::GrayImage::from_pixel(2, 2, image::Luma([value]));
                    image.save(folder.join(format!("{index}.png"))).unwrap();
                }
            }
        }
        DataFields::new(DatasetSpec::Folder(FolderFields::at(folder)))
    }

    #[test]
    fn a_folder_for_validation_is_the_validation_set_unless_the_table_takes_some_of_training() {
        let dir = tempfile::tempdir().unwrap();
        let fields = parts(dir.path(), [("train", 10), ("valid", 3), ("test", 2)]);
        let catalogue = Catalogue::new(Folders::only(dir.path()));
        let (facts, flaws) = catalogue.check(&fields).unwrap();
        assert_eq!((flaws, facts.notes), (Vec::new(), Vec::new()));
        assert_eq!((facts.train, facts.validation, facts.test), (20, 6, 4));
        let splits = catalogue.load(&fields, Seed(0)).unwrap();
        let held = splits.validation.unwrap();
        assert_eq!(held.labels, [0, 1, 0, 1, 0, 1]);
        assert_eq!(held.pixels[..8], [0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0]);
        assert_eq!((splits.train.len(), splits.test.len()), (20, 4));

        let only = DataFields {
            classes: Classes::Only(vec![1]),
            ..fields.clone()
        };
        let held = catalogue.load(&only, Seed(0)).unwrap().validation.unwrap();
        assert_eq!(held.labels, [0, 0, 0]);

        let taken = DataFields {
            validation: Validation::Fraction(0.2),
            ..fields
        };
        let (facts, _) = catalogue.check(&taken).unwrap();
        assert_eq!((facts.train, facts.validation, facts.test), (16, 4, 4));
        assert_eq!(
            facts.notes,
            [
                "the 6 images that the dataset keeps for validation are not used: `validation` takes some of training"
            ]
        );
        let splits = catalogue.load(&taken, Seed(0)).unwrap();
        assert_eq!(splits.validation.unwrap().len(), 4);
    }

    #[test]
    fn sets_are_read_under_the_names_that_they_are_published_with() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, bytes: Vec<u8>| fs::write(dir.path().join(name), bytes).unwrap();
        let images: Vec<u8> = (0..12).collect();
        for set in ["emnist-letters", "emnist-digits"] {
            write(
                &format!("{set}-train-images-idx3-ubyte.gz"),
                gzip(&idx(&[3, 2, 2], &images)),
            );
            write(
                &format!("{set}-train-labels-idx1-ubyte.gz"),
                gzip(&idx(&[3], &[1, 2, 1])),
            );
            write(
                &format!("{set}-test-images-idx3-ubyte"),
                idx(&[1, 2, 2], &images[..4]),
            );
            write(&format!("{set}-test-labels-idx1-ubyte"), idx(&[1], &[2]));
        }
        let catalogue = Catalogue::new(Folders::only(dir.path()));
        let of = |split: Option<&str>| {
            let fields = IdxFields {
                split: split.map(String::from),
                ..IdxFields::at(dir.path())
            };
            DataFields::new(DatasetSpec::Idx(fields))
        };
        let (facts, flaws) = catalogue.check(&of(Some("letters"))).unwrap();
        assert_eq!((flaws, facts.train, facts.test), (Vec::new(), 3, 1));
        assert_eq!(
            facts.notes[..2],
            [
                "the images are published with rows and columns exchanged; they are set upright",
                "the labels begin at 1: class `0` has no images"
            ]
        );
        let splits = catalogue.load(&of(Some("letters")), Seed(0)).unwrap();
        let upright = [0.0, 2.0, 1.0, 3.0].map(|value: f32| value / 255.0);
        assert_eq!(splits.train.image(0), upright);
        assert_eq!(splits.class_names, ["0", "1", "2"]);
        let refused = |split| {
            let error = catalogue.check(&of(split)).unwrap_err().to_string();
            error.replace(&format!("{}", dir.path().display()), "DIR")
        };
        assert_eq!(
            refused(None),
            "error: there are several sets of IDX files here: `emnist-digits` and `emnist-letters`\n  DIR\n  \
             hint: dataset = { idx = { path = \"DIR\", split = \"digits\" } }"
        );
        assert_eq!(
            refused(Some("balanced")),
            "error: there is no set `balanced` of IDX files here\n  DIR\n  \
             hint: those that are here: `emnist-digits` and `emnist-letters`"
        );
    }

    #[test]
    fn labels_may_be_rows_of_numbers() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, bytes: Vec<u8>| fs::write(dir.path().join(name), bytes).unwrap();
        let labels = |classes: &[u32]| {
            let numbers = classes.iter().flat_map(|&class| [class, 7, 9]);
            let mut file = idx(&[classes.len() as u32, 3], &[]);
            file[2] = 12;
            file.extend(numbers.flat_map(u32::to_be_bytes));
            file
        };
        write(
            "qmnist-train-images-idx3-ubyte",
            idx(&[2, 1, 2], &[1, 2, 3, 4]),
        );
        write("qmnist-train-labels-idx2-int", labels(&[0, 4]));
        write("qmnist-test-images-idx3-ubyte", idx(&[1, 1, 2], &[5, 6]));
        write("qmnist-test-labels-idx2-int.gz", gzip(&labels(&[3])));
        let fields = DataFields::new(DatasetSpec::Idx(IdxFields::at(dir.path())));
        let catalogue = Catalogue::new(Folders::only(dir.path()));
        let splits = catalogue.load(&fields, Seed(0)).unwrap();
        assert_eq!(
            (splits.train.labels, splits.test.labels),
            (vec![0, 4], vec![3])
        );
        let cut = labels(&[0, 4]);
        write(
            "qmnist-train-labels-idx2-int",
            cut[..cut.len() - 5].to_vec(),
        );
        assert!(
            load_error(dir.path(), &fields)
                .starts_with("error: `qmnist-train-labels-idx2-int` ends at byte")
        );
    }

    #[test]
    fn a_large_folder_is_decoded_once() {
        let dir = tempfile::tempdir().unwrap();
        let cache = tempfile::tempdir().unwrap();
        let folders = || Folders::only(dir.path()).with_kept(cache.path());
        let fields = parts(dir.path(), [("train", 400), ("valid", 60), ("test", 50)]);
        let spec = &fields.dataset;
        let told = std::sync::atomic::AtomicUsize::new(0);
        let progress = |_: usize, all: usize| {
            assert_eq!(all, 1020);
            told.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        };
        let count = || told.load(std::sync::atomic::Ordering::Relaxed);
        let catalogue = Catalogue::new(folders());
        catalogue.decode(spec, &progress).unwrap();
        assert_eq!(count(), 1020);
        // Other processes take what is kept.
        let other = Catalogue::new(folders());
        other.decode(spec, &progress).unwrap();
        assert_eq!(count(), 1020);
        let kept = other.kept_decoded(spec).unwrap().unwrap();
        assert!(kept.is_file());
        let splits = other.load(&fields, Seed(0)).unwrap();
        let plain = Catalogue::new(Folders::only(dir.path()));
        assert_eq!(plain.kept_decoded(spec).unwrap(), None);
        assert_eq!(splits, plain.load(&fields, Seed(0)).unwrap());
        assert_eq!(other.checksums(&fields), plain.checksums(&fields));
        // Changed images are others.
        let image = image::GrayImage::from_pixel(2, 2, image::Luma([9]));
        image.save(dir.path().join("train/a/0.png")).unwrap();
        let changed = Catalogue::new(folders());
        assert_ne!(changed.kept_decoded(spec).unwrap().unwrap(), kept);
        assert_eq!(
            changed.load(&fields, Seed(0)).unwrap().train.pixels[0],
            9.0 / 255.0
        );
    }

    #[test]
    fn values_of_16_bits_keep_their_depth() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("a");
        fs::create_dir(&folder).unwrap();
        for index in 0..5u16 {
            let image = image::ImageBuffer::from_pixel(1, 1, image::Luma([1000 + index]));
            image.save(folder.join(format!("{index}.png"))).unwrap();
        }
        let fields = DataFields::new(DatasetSpec::Folder(FolderFields::at(dir.path())));
        let catalogue = Catalogue::new(Folders::only(dir.path()));
        let splits = catalogue.load(&fields, Seed(0)).unwrap();
        let expected = [1000, 1001, 1002, 1003].map(|value| value as f32 / 1023.0);
        assert_eq!(splits.train.pixels, expected);
    }

    #[test]
    fn a_dataset_that_is_not_there_is_a_data_error() {
        let dir = tempfile::tempdir().unwrap();
        let fields = DataFields::new(DatasetSpec::Folder(FolderFields::at(
            dir.path().join("gone"),
        )));
        assert_eq!(
            load_error(dir.path(), &fields),
            format!(
                "error: cannot read the dataset's folder: no such file or directory\n  {}/gone",
                dir.path().display()
            )
        );
        assert!(
            load_error(dir.path(), &mnist())
                .starts_with("error: dataset `mnist` is not on this machine; looked in ")
        );
    }

    #[test]
    fn images_that_changed_since_their_digest_was_taken_are_not_given() {
        let dir = tempfile::tempdir().unwrap();
        let fields = small(dir.path());
        let catalogue = Catalogue::new(Folders::only(dir.path()));
        catalogue.digest(&fields.dataset).unwrap();
        let images = dir.path().join("train-images-idx3-ubyte");
        let mut bytes = fs::read(&images).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        fs::write(&images, bytes).unwrap();
        let error = catalogue.load(&fields, Seed(0)).unwrap_err();
        assert_eq!(
            error.problems[0].message,
            format!(
                "the images of `{}` changed while they were read",
                fields.dataset
            )
        );
    }

    #[test]
    fn many_checks_read_the_files_once() {
        let (dir, _) = copy();
        let catalogue = Catalogue::new(Folders::only(dir.path()));
        let idx = small(dir.path());
        catalogue.check(&mnist()).unwrap();
        catalogue.check(&idx).unwrap();
        dir.close().unwrap();
        assert_eq!(catalogue.check(&mnist()).unwrap().1, []);
        assert_eq!(catalogue.check(&idx).unwrap().1, []);
    }
}
