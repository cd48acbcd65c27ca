//! Datasets as the catalogue gives them, right and wrong ones.

use super::*;
use crate::data::fields::{Pick, Subset, Validation};
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
    let mean = (sum(&splits.train.pixels.reals()) + sum(&held.pixels.reals())) / pixels as f64;
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
        ", expected sha256 0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7\n"
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
    assert_eq!(
        held.pixels.reals()[..8],
        [0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0]
    );
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
    for (set, tested) in [("emnist-letters", 2), ("emnist-digits", 4)] {
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
        write(
            &format!("{set}-test-labels-idx1-ubyte"),
            idx(&[1], &[tested]),
        );
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
    assert_eq!(*splits.train.image(0), upright);
    assert_eq!(splits.class_names, ["0", "1", "2"]);
    let (facts, _) = catalogue.check(&of(Some("digits"))).unwrap();
    let note = "no image of the classes `3` and `4` is for training";
    assert!(
        facts.notes.iter().any(|found| found == note),
        "{:?}",
        facts.notes
    );
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
fn emnist_letters_are_upright_and_called_by_their_letters() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("emnist");
    fs::create_dir(&folder).unwrap();
    let write = |part: &str, count: u32, labels: &[u8]| {
        let mut pixels = vec![0; 784 * count as usize];
        pixels[1] = 255;
        let name = |kind: &str| folder.join(format!("emnist-letters-{part}-{kind}-ubyte.gz"));
        let images = gzip(&idx(&[count, 28, 28], &pixels));
        fs::write(name("images-idx3"), images).unwrap();
        let labels: Vec<u8> = labels
            .iter()
            .copied()
            .cycle()
            .take(count as usize)
            .collect();
        fs::write(name("labels-idx1"), gzip(&idx(&[count], &labels))).unwrap();
    };
    write("train", 124_800, &[26, 1]);
    write("test", 20_800, &[2]);
    let letters = DataFields {
        train: Subset::Of {
            count: 2,
            pick: Pick::First,
        },
        ..DataFields::new(DatasetSpec::Named(
            registry::find("emnist-letters").unwrap(),
        ))
    };
    let load = || Catalogue::new(Folders::only(dir.path())).load(&letters, Seed(0));
    let splits = load().unwrap();
    assert_eq!(splits.train.labels, [25, 0]);
    assert_eq!(splits.class_names[25], "z");
    let lit = splits.train.image(0).iter().position(|&pixel| pixel > 0.0);
    assert_eq!(lit, Some(28));

    write("test", 20_800, &[27]);
    let path = folder.join("emnist-letters-test-labels-idx1-ubyte.gz");
    let error = |says: &str| {
        format!(
            "error: `emnist-letters-test-labels-idx1-ubyte.gz` {says}\n  {}\n  \
             hint: `burnlab data fetch emnist-letters` puts a fresh copy in its place",
            path.display()
        )
    };
    assert_eq!(
        load().unwrap_err().to_string(),
        error("holds the label 27 at byte 8 (label 1 of 20,800), expected 1 to 26")
    );
    write("test", 20_799, &[1]);
    let shorter = error(
        "is not the file that `emnist-letters` consists of: its content has 16,306,432 bytes, \
         expected 16,307,216 bytes",
    );
    let shorter = shorter.replace("labels-idx1", "images-idx3");
    assert_eq!(load().unwrap_err().to_string(), shorter);
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
    write("qmnist-train-labels-idx2-int", labels(&[0, 258]));
    write("qmnist-test-images-idx3-ubyte", idx(&[1, 1, 2], &[5, 6]));
    write("qmnist-test-labels-idx2-int.gz", gzip(&labels(&[3])));
    let fields = DataFields::new(DatasetSpec::Idx(IdxFields::at(dir.path())));
    let catalogue = Catalogue::new(Folders::only(dir.path()));
    let splits = catalogue.load(&fields, Seed(0)).unwrap();
    assert_eq!(
        (splits.train.labels, splits.test.labels),
        (vec![0, 258], vec![3])
    );
    assert_eq!(splits.class_names.len(), 259);
    write("qmnist-train-labels-idx2-int", labels(&[0, 1_000_000]));
    assert!(
        load_error(dir.path(), &fields)
            .contains("holds the label 1000000 at byte 24 (label 2 of 2), expected 0 to 999999")
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
fn a_dataset_is_read_whole_before_anything_is_trained() {
    let dir = tempfile::tempdir().unwrap();
    let cache = tempfile::tempdir().unwrap();
    let fields = small(dir.path());
    let images = dir.path().join("train-images-idx3-ubyte");
    let prepare = || {
        let folders = Folders::only(dir.path()).with_kept(cache.path());
        Catalogue::new(folders).prepare(&fields.dataset, &|_, _| {})
    };
    let notes = || {
        let kept = fs::read_dir(cache.path().join("digests"))
            .unwrap()
            .flatten();
        let is_note = |file: &fs::DirEntry| file.path().extension() == Some("read".as_ref());
        kept.filter(is_note).count()
    };
    // Files that may still be written are read each time.
    prepare().unwrap();
    assert_eq!(notes(), 0);
    std::thread::sleep(std::time::Duration::from_millis(2100));
    prepare().unwrap();
    prepare().unwrap();
    assert_eq!(notes(), 1);
    let whole = fs::read(&images).unwrap();
    fs::write(&images, &whole[..whole.len() - 1]).unwrap();
    let error = prepare().unwrap_err();
    assert_eq!(error.kind, Kind::Data);
    let expected = "error: `train-images-idx3-ubyte` ends at byte 27 of 28 (image 3 of 3)";
    assert!(error.to_string().starts_with(expected), "{error}");
    fs::write(&images, whole).unwrap();
    prepare().unwrap();
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
    catalogue.prepare(spec, &progress).unwrap();
    assert_eq!(count(), 1020);
    // Other processes take what is kept.
    let other = Catalogue::new(folders());
    other.prepare(spec, &progress).unwrap();
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
        changed.load(&fields, Seed(0)).unwrap().train.pixels.reals()[0],
        9.0 / 255.0
    );
}

#[test]
fn images_of_a_folder_are_called_by_their_files() {
    let dir = tempfile::tempdir().unwrap();
    let mut value = 0;
    for class in ["a", "b", "c"] {
        fs::create_dir(dir.path().join(class)).unwrap();
        for index in 0..10 {
            let image = image::GrayImage::from_pixel(1, 1, image::Luma([value]));
            let name = format!("{class}/{index}.png");
            image.save(dir.path().join(name)).unwrap();
            value += 1;
        }
    }
    let fields = DataFields {
        train: Subset::Of {
            count: 6,
            pick: Pick::Random,
        },
        validation: Validation::Folds(4),
        classes: Classes::Only(vec![2, 0]),
        ..DataFields::new(DatasetSpec::Folder(FolderFields::at(dir.path())))
    };
    let catalogue = Catalogue::new(Folders::only(dir.path()));
    let splits = catalogue.load(&fields, Seed(3)).unwrap();
    let names = catalogue.names(&fields, Seed(3)).unwrap().unwrap();
    let named = |samples: &Samples, names: &[String]| {
        let values = names.iter().map(|name| {
            let image = image::open(dir.path().join(name)).unwrap();
            f32::from(image.into_luma8().into_raw()[0]) / 255.0
        });
        assert_eq!(*samples.pixels.reals(), values.collect::<Vec<f32>>());
        names.len()
    };
    let validation = splits.validation.as_ref().unwrap();
    assert_eq!(named(&splits.train, &names.train), 6);
    assert_eq!(named(validation, &names.validation), 4);
    assert_eq!(named(&splits.test, &names.test), 4);
    assert_eq!(catalogue.names(&mnist(), Seed(0)).unwrap_or(None), None);
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
    assert_eq!(*splits.train.pixels.reals(), expected);
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
