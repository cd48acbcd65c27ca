//! Folders as people have them.

use super::*;
use image::{GrayImage, Luma, Rgb, RgbImage};

fn gray(path: PathBuf, height: u32, value: u8) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    GrayImage::from_pixel(4, height, Luma([value]))
        .save(path)
        .unwrap();
}

fn discovered(path: &Path) -> Tree {
    Tree::discover(&FolderFields::at(path)).unwrap()
}

/// The values, which have 8 bits.
fn eight(part: &Part) -> &[u8] {
    match &part.pixels {
        Values::Eight(values) => values,
        other => panic!("{other:?}"),
    }
}

fn zoo() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for index in 0..10 {
        gray(dir.path().join(format!("dog/{index}.png")), 3, 100 + index);
    }
    for index in 0..5 {
        gray(dir.path().join(format!("ant/{index}.png")), 3, index);
    }
    fs::write(dir.path().join("ant/notes.txt"), "no image").unwrap();
    dir
}

#[test]
fn classes_are_folders_and_every_fifth_image_tests() {
    let dir = zoo();
    let tree = discovered(dir.path());
    assert_eq!(tree.classes(), ["ant", "dog"]);
    let outline = tree.outline().unwrap();
    assert_eq!(outline.shape, ImageShape::new(1, 3, 4));
    assert_eq!((outline.train, outline.test), (12, 3));
    let raw = tree.read(&|_, _| {}).unwrap();
    assert_eq!(raw.train.labels, [1, 0, 1, 1, 0, 1, 1, 0, 1, 1, 0, 1]);
    let values: Vec<u8> = eight(&raw.test).chunks(12).map(|image| image[0]).collect();
    assert_eq!(values, [104, 4, 109]);
    assert_eq!(
        raw.checksums[0].sha256,
        tree.read(&|_, _| {}).unwrap().checksums[0].sha256
    );
}

#[test]
fn the_share_to_test_on_is_chosen() {
    let dir = zoo();
    let tests = |share: f64| {
        let fields = table(dir.path(), &format!("test = {share}"));
        let layout = Tree::discover(&fields).unwrap().layout;
        let name =
            |(path, _): &Sample| path.strip_prefix(dir.path()).unwrap().display().to_string();
        let names: Vec<String> = layout.test.iter().map(name).collect();
        assert_eq!(layout.train.len() + names.len(), 15);
        names.join(" ")
    };
    assert_eq!(tests(0.2), "dog/4.png ant/4.png dog/9.png");
    assert_eq!(tests(0.1), "ant/4.png dog/9.png");
    assert_eq!(
        tests(0.4),
        "dog/2.png ant/2.png dog/4.png dog/7.png ant/4.png dog/9.png"
    );
    assert_eq!(tests(0.99).split(' ').count(), 13);
}

#[test]
fn a_share_to_test_on_is_refused_where_images_for_it_are_there() {
    let dir = tempfile::tempdir().unwrap();
    gray(dir.path().join("train/a/x.png"), 2, 1);
    gray(dir.path().join("test/a/y.png"), 2, 2);
    let error = Tree::discover(&table(dir.path(), "test = 0.1")).unwrap_err();
    let message = "`test` is the share to test on of a folder that does not say which images are for testing; this one does";
    assert_eq!(error.problems[0].message, message);
}

#[test]
fn train_and_test_folders_are_kept_apart() {
    let dir = tempfile::tempdir().unwrap();
    for (index, class) in ["a", "b"].into_iter().enumerate() {
        gray(
            dir.path().join(format!("train/{class}/x.png")),
            2,
            index as u8,
        );
        gray(
            dir.path().join(format!("val/{class}/y.png")),
            2,
            10 + index as u8,
        );
    }
    let raw = discovered(dir.path()).read(&|_, _| {}).unwrap();
    assert_eq!(raw.train.labels, [0, 1]);
    assert_eq!(eight(&raw.test)[..9], [10, 10, 10, 10, 10, 10, 10, 10, 11]);
    fs::remove_dir_all(dir.path().join("val")).unwrap();
    assert_eq!(
        Tree::discover(&FolderFields::at(dir.path()))
            .unwrap_err()
            .to_string(),
        format!(
            "error: a folder `train` is there, but none named `test`, `testing`, `valid`, `val` and `validation`\n  {}",
            dir.path().display()
        )
    );
}

#[test]
fn color_images_become_planes() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("a");
    fs::create_dir_all(&folder).unwrap();
    for index in 0..5 {
        let image = RgbImage::from_fn(2, 1, |x, _| Rgb([x as u8, 10 + x as u8, 20 + x as u8]));
        image.save(folder.join(format!("{index}.png"))).unwrap();
    }
    let raw = discovered(dir.path()).read(&|_, _| {}).unwrap();
    assert_eq!(raw.shape, ImageShape::new(3, 1, 2));
    assert_eq!(eight(&raw.test), [0, 1, 10, 11, 20, 21]);
}

#[test]
fn images_that_differ_are_both_named() {
    let dir = zoo();
    let odd = dir.path().join("dog/9.png");
    gray(odd.clone(), 5, 0);
    let tree = discovered(dir.path());
    assert_eq!(
        tree.outline().unwrap_err().to_string(),
        format!(
            "error: images differ in size (height x width): `dog/0.png` is 3x4, `dog/9.png` is 5x4\n  {}\n  hint: dataset = {{ folder = {{ path = \"DIR\", size = 64 }} }}",
            odd.display()
        )
    );
    gray(dir.path().join("dog/8.png"), 6, 0);
    let error = tree.outline().unwrap_err();
    assert_eq!(
        error.problems[0].hint.as_deref(),
        Some("dataset = { folder = { path = \"DIR\", size = 64 } }; so it is with 1 other image")
    );
    gray(dir.path().join("dog/8.png"), 3, 0);
    RgbImage::new(4, 3).save(&odd).unwrap();
    assert_eq!(
        tree.read(&|_, _| {}).unwrap_err().to_string(),
        format!(
            "error: images differ in color: `dog/0.png` is gray, `dog/9.png` is RGB\n  {}\n  hint: dataset = {{ folder = {{ path = \"DIR\", channels = \"rgb\" }} }}",
            odd.display()
        )
    );
}

#[test]
fn a_file_that_is_no_image_is_named() {
    let dir = zoo();
    let bad = dir.path().join("ant/2.png");
    fs::write(&bad, "hello").unwrap();
    let tree = discovered(dir.path());
    assert_eq!(
        tree.outline().unwrap_err().to_string(),
        format!(
            "error: cannot read image `2.png`: The image format could not be determined\n  {}",
            bad.display()
        )
    );
}

fn notes(dir: &tempfile::TempDir) -> Vec<String> {
    discovered(dir.path()).outline().unwrap().notes
}

#[test]
fn what_is_left_out_is_counted_and_named() {
    let dir = zoo();
    for name in ["b.heic", "a.heic", "d.heic", "c.HEIC", "e.psd", "README"] {
        fs::write(dir.path().join("dog").join(name), "no PNG").unwrap();
    }
    gray(dir.path().join("stray.png"), 3, 1);
    assert_eq!(
        notes(&dir),
        [
            "1 file left out (no image that is read): `dog/README`",
            "4 `.heic` files left out (no image that is read): `dog/a.heic`, `dog/b.heic`, \
             `dog/c.HEIC` and 1 more",
            "1 `.png` file left out (of no class, or no plain file): `stray.png`",
            "1 `.psd` file left out (no image that is read): `dog/e.psd`",
            "1 `.txt` file left out (no image that is read): `ant/notes.txt`",
        ]
    );
}

#[test]
fn what_systems_leave_behind_is_no_class_and_no_image() {
    let dir = zoo();
    fs::remove_file(dir.path().join("ant/notes.txt")).unwrap();
    for name in [
        "__MACOSX/ant/._0.png",
        "ant/._0.png",
        "ant/Thumbs.db",
        ".DS_Store",
    ] {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "junk").unwrap();
    }
    let tree = discovered(dir.path());
    assert_eq!(tree.classes(), ["ant", "dog"]);
    let outline = tree.outline().unwrap();
    assert_eq!((outline.train, outline.test), (12, 3));
    assert_eq!(
        outline.notes,
        [
            "4 items skipped that systems leave behind or hide: `.DS_Store`, `__MACOSX`, \
             `ant/._0.png` and 1 more"
        ]
    );
}

#[test]
fn images_in_folders_inside_a_class_are_its_images() {
    let dir = zoo();
    fs::remove_file(dir.path().join("ant/notes.txt")).unwrap();
    for index in 0..10 {
        gray(dir.path().join(format!("dog/puppies/{index}.png")), 3, 9);
    }
    let outline = discovered(dir.path()).outline().unwrap();
    assert_eq!((outline.train, outline.test), (20, 5));
    assert_eq!(
        outline.notes,
        ["10 images from folders inside class folders are used, too"]
    );
}

#[test]
fn a_part_that_is_not_used_is_named() {
    let dir = tempfile::tempdir().unwrap();
    for part in ["train", "test", "val", "extra", "valid"] {
        for index in 0..3 {
            gray(dir.path().join(format!("{part}/a/{index}.png")), 2, 0);
        }
    }
    assert_eq!(
        notes(&dir),
        [
            "the folder `extra` (3 images) is not used: it is no part that is known, or there is another of its \
             kind",
            "the folder `val` (3 images) is not used: it is no part that is known, or there is another of its \
             kind",
        ]
    );
}

#[test]
fn a_small_class_has_a_test_image_too_and_is_named() {
    let dir = zoo();
    fs::remove_file(dir.path().join("ant/notes.txt")).unwrap();
    for index in 0..3 {
        gray(dir.path().join(format!("yak/{index}.png")), 3, 200 + index);
    }
    gray(dir.path().join("zho/0.png"), 3, 1);
    let tree = discovered(dir.path());
    let raw = tree.read(&|_, _| {}).unwrap();
    let yaks = |part: &Part| part.labels.iter().filter(|&&label| label == 2).count();
    assert_eq!((yaks(&raw.train), yaks(&raw.test)), (2, 1));
    assert_eq!(
        tree.outline().unwrap().notes,
        ["class `yak` has only 3 images, of which 1 is for testing"]
    );
}

#[test]
fn folders_called_by_numbers_are_in_the_order_of_numbers() {
    let dir = tempfile::tempdir().unwrap();
    for class in ["10", "9", "1"] {
        for index in 0..5 {
            gray(dir.path().join(format!("{class}/{index}.png")), 2, 0);
        }
    }
    assert_eq!(discovered(dir.path()).classes(), ["1", "9", "10"]);
}

#[test]
fn values_of_16_bits_share_their_depth_and_transparency_is_reported() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("a");
    fs::create_dir_all(&folder).unwrap();
    for index in 0..5u16 {
        let image = image::ImageBuffer::from_pixel(2, 1, Luma([200 * (index + 1)]));
        image.save(folder.join(format!("{index}.png"))).unwrap();
    }
    let tree = discovered(dir.path());
    let raw = tree.read(&|_, _| {}).unwrap();
    // Of 10 bits, as the largest value is 1000.
    let train = vec![200, 200, 400, 400, 600, 600, 800, 800];
    assert_eq!(raw.train.pixels, Values::Sixteen(train, 1023));
    assert_eq!(raw.test.pixels, Values::Sixteen(vec![1000, 1000], 1023));
    let image = image::ImageBuffer::from_pixel(2, 1, image::LumaA([100u8, 51]));
    image.save(folder.join("5.png")).unwrap();
    assert_eq!(
        notes(&dir),
        [
            "5 images have 16 bits a value: they are scaled as the least of 8, 10, 12, 14 and 16 bits that \
             holds the largest value of all",
            "1 image has transparency, which is laid over black",
        ]
    );
    let raw = discovered(dir.path()).read(&|_, _| {}).unwrap();
    let Values::Sixteen(values, _) = raw.train.pixels else {
        panic!("8 bits");
    };
    // 20 of 255 in 10 bits.
    assert_eq!(values[8..], [80, 80]);
}

#[test]
fn an_image_cut_short_is_named_by_its_header_already() {
    let dir = zoo();
    let bad = dir.path().join("ant/2.jpg");
    let image = GrayImage::from_fn(4, 3, |x, y| Luma([(x * 40 + y) as u8]));
    image.save(&bad).unwrap();
    let whole = fs::read(&bad).unwrap();
    let tree = discovered(dir.path());
    assert!(tree.outline().is_ok());
    fs::write(&bad, &whole[..whole.len() - 5]).unwrap();
    let message = format!(
        "error: cannot read image `2.jpg`: the file is cut short\n  {}",
        bad.display()
    );
    assert_eq!(tree.outline().unwrap_err().to_string(), message);
    assert_eq!(tree.read(&|_, _| {}).unwrap_err().to_string(), message);
}

fn table(path: &Path, more: &str) -> FolderFields {
    let path = path.display();
    toml::from_str::<toml::Table>(&format!("f = {{ path = '{path}', {more} }}"))
        .map(|table| table["f"].clone().try_into().unwrap())
        .unwrap()
}

#[test]
fn parts_go_by_the_names_that_people_give_them() {
    for [train, valid, test] in [
        ["train", "valid", "test"],
        ["Training", "validation", "Testing"],
        ["TRAIN", "Val", "Test"],
    ] {
        let dir = tempfile::tempdir().unwrap();
        for (part, count) in [(train, 4), (valid, 2), (test, 1)] {
            for class in ["a", "b"] {
                for index in 0..count {
                    gray(dir.path().join(format!("{part}/{class}/{index}.png")), 2, 0);
                }
            }
        }
        let tree = discovered(dir.path());
        let outline = tree.outline().unwrap();
        assert_eq!((outline.train, outline.validation, outline.test), (8, 4, 2));
        assert_eq!(outline.notes, [""; 0]);
        let raw = tree.read(&|_, _| {}).unwrap();
        assert_eq!(raw.validation.unwrap().labels, [0, 1, 0, 1]);
        assert_eq!(tree.labels().unwrap().validation, [0, 1, 0, 1]);
    }
}

#[test]
fn a_folder_of_images_alone_has_no_classes() {
    let dir = tempfile::tempdir().unwrap();
    for index in 0..10 {
        gray(dir.path().join(format!("{index}.png")), 2, index);
    }
    let flat = discovered(dir.path());
    assert!(flat.is_unlabeled());
    let outline = flat.outline().unwrap();
    assert_eq!((outline.train, outline.test), (8, 2));
    assert_eq!(
        outline.notes,
        ["there are no class folders: the images have no classes"]
    );
    // Folders in it make it one of classes, unless it is said that there are none.
    gray(dir.path().join("2026/summer/10.png"), 2, 10);
    gray(dir.path().join("2026/summer/11.png"), 2, 11);
    assert_eq!(discovered(dir.path()).classes(), ["2026"]);
    let all = Tree::discover(&table(dir.path(), "labels = 'none'")).unwrap();
    assert!(all.is_unlabeled());
    let outline = all.outline().unwrap();
    assert_eq!((outline.train, outline.test), (10, 2));
    assert_eq!(outline.notes, [""; 0]);
}

#[test]
fn parts_of_images_alone_have_no_classes_either() {
    let dir = tempfile::tempdir().unwrap();
    for (part, count) in [("train", 4), ("test", 2)] {
        for index in 0..count {
            gray(dir.path().join(format!("{part}/{index}.png")), 2, index);
        }
    }
    let sizes = |tree: Tree| {
        assert!(tree.is_unlabeled());
        let outline = tree.outline().unwrap();
        (outline.train, outline.test)
    };
    assert_eq!(sizes(discovered(dir.path())), (4, 2));
    // Folders in the parts make classes, unless it is said that there are none; the parts stay apart.
    gray(dir.path().join("train/2026/4.png"), 2, 4);
    gray(dir.path().join("test/2025/2.png"), 2, 2);
    let none = Tree::discover(&table(dir.path(), "labels = 'none'")).unwrap();
    assert_eq!(sizes(none), (5, 3));
}

#[test]
fn a_file_of_labels_tells_classes_and_parts() {
    let dir = tempfile::tempdir().unwrap();
    for index in 0..12 {
        gray(dir.path().join(format!("images/{index}.png")), 2, index);
    }
    let write = |text: &str| fs::write(dir.path().join("labels.csv"), text).unwrap();
    let fields = table(dir.path(), "labels = 'labels.csv'");
    let lines = |range: std::ops::Range<usize>, end: &str| -> String {
        let line = |index| format!("images/{index}.png,{}{end}\n", [10, 9][index % 2]);
        range.map(line).collect()
    };
    // With a header of any words, without one, and with columns in another order.
    for text in [
        format!("id,breed\n{}", lines(0..10, "")),
        lines(0..10, ""),
        format!("\u{feff}Filename,Class\n{}", lines(0..10, "")),
    ] {
        write(&text);
        let tree = Tree::discover(&fields).unwrap();
        assert_eq!(tree.classes(), ["9", "10"]);
        let outline = tree.outline().unwrap();
        assert_eq!((outline.train, outline.test), (8, 2));
        assert_eq!(
            outline.notes,
            [
                "2 `.png` files left out (of no class, or no plain file): `images/10.png` and `images/11.png`"
            ]
        );
        assert!(
            tree.files()
                .contains(&dir.path().join("labels.csv").as_path())
        );
    }
    let more = lines(0..10, ",brown,7");
    write(&format!("file,label,color,age\n{more}"));
    let outline = Tree::discover(&fields).unwrap().outline().unwrap();
    assert_eq!(
        outline.notes[0],
        "columns `color` and `age` of `labels.csv` are not read"
    );
    let parts = [
        lines(0..6, ",train"),
        lines(6..8, ",valid"),
        lines(8..12, ",test"),
    ]
    .concat();
    write(&format!("file,label,split\n{parts}"));
    let outline = Tree::discover(&fields).unwrap().outline().unwrap();
    assert_eq!((outline.train, outline.validation, outline.test), (6, 2, 4));
}

#[test]
fn a_wrong_line_of_labels_is_shown() {
    let dir = tempfile::tempdir().unwrap();
    gray(dir.path().join("0.png"), 2, 0);
    fs::write(dir.path().join("1.txt"), "").unwrap();
    let path = dir.path().join("labels.csv");
    let fields = table(dir.path(), "labels = 'labels.csv'");
    let error = |text: &str| {
        fs::write(&path, text).unwrap();
        let error = Tree::discover(&fields).err().unwrap().to_string();
        error.replace(&format!("{}", path.display()), "labels.csv")
    };
    assert_eq!(
        error("file,label\n0.png,a\n1.png,b\n"),
        "error: there is no image `1.png`\n  labels.csv:3:1\n    3 | 1.png,b\n      | ^^^^^^^\n  \
         hint: files are named from the folder of images, with their endings"
    );
    // Whatever ends the lines, and however many of them are empty.
    for ends in [
        "file,label\r\n0.png,a\r\n1.png,b\r\n",
        "file,label\n\n1.png,b\n",
    ] {
        let shown = error(ends);
        assert!(
            shown.contains("labels.csv:3:1\n    3 | 1.png,b\n"),
            "{shown}"
        );
    }
    let message = |text: &str| error(text).lines().next().unwrap().to_string();
    assert_eq!(
        error("file,width,breed,set\n0.png,20,a,test\n"),
        "error: none of the columns is called as one of labels\n  labels.csv:1:1\n    \
         1 | file,width,breed,set\n      | ^^^^^^^^^^^^^^^^^^^^\n  hint: call it `label`, `class` or `category`"
    );
    assert_eq!(
        message("id,label,set\n0.png,a,test\n"),
        "error: none of the columns is called as one of files"
    );
    assert_eq!(
        message("breed,file\na,1.png\n"),
        "error: there is no image `1.png`"
    );
    assert_eq!(
        message("0.png,a,test\n"),
        "error: 3 columns need a first line that names them"
    );
    assert_eq!(
        message("1.png,a\n0.png,a\n"),
        "error: there is no image `1.png`"
    );
    assert!(
        error("file;label\n0.png;a\n")
            .ends_with("hint: columns are separated by commas, not by semicolons")
    );
    assert_eq!(
        message("file,label\n1.txt,a\n"),
        "error: `1.txt` is no image that can be read"
    );
    assert_eq!(
        message("file,label\n0.png,\n"),
        "error: the image `0.png` has no label"
    );
    assert_eq!(
        message("file,label\n0.png,a\n0.png,b\n"),
        "error: the image `0.png` is listed twice"
    );
    assert_eq!(
        message("file,label,split\n0.png,a,tset\n"),
        "error: expected train, validation or test, found `tset`"
    );
    assert_eq!(
        message("file,label,split\n0.png,a,\n"),
        "error: expected train, validation or test, found nothing"
    );
    assert_eq!(
        error("file,label,split\n0.png,a,train\n"),
        "error: no line is of the testing part\n  labels.csv\n  \
         hint: `test = 0.2` beside the folder's `path` takes a share of each class"
    );
    for index in 1..=20 {
        gray(dir.path().join(format!("{index}.png")), 2, 0);
    }
    let ages = |count: usize| -> String {
        let lines = (0..count).map(|index| format!("{index}.png,{index}.5\n"));
        std::iter::once("file,label\n".to_string())
            .chain(lines)
            .collect()
    };
    assert_eq!(
        message(&ages(21)),
        "error: the label `0.5` is a number that was measured, not a class"
    );
    assert_eq!(
        message(&ages(20)).split(" (").next(),
        Some("error: there are no images to test on")
    );
    assert_eq!(
        message("file,label\n0.png,a,b\n"),
        "error: this line has 3 fields, the first has 2"
    );
    assert_eq!(message(""), "error: the file of labels is empty");
    assert_eq!(
        message("0.png\n"),
        "error: expected a column of files and one of labels, found one column"
    );
}

#[test]
fn images_of_any_kind_are_brought_to_one_form() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("a");
    fs::create_dir_all(&folder).unwrap();
    let color = RgbImage::from_pixel(5, 7, Rgb([255, 0, 0]));
    for name in ["0.bmp", "1.tiff", "2.webp", "3.png", "4.gif"] {
        color.save(folder.join(name)).unwrap();
    }
    image::RgbaImage::from_pixel(3, 2, image::Rgba([9, 9, 9, 0]))
        .save(folder.join("5.png"))
        .unwrap();
    gray(folder.join("6.PNG"), 3, 200);
    let fields = table(
        dir.path(),
        "size = [2, 1], channels = 'gray', background = 1.0",
    );
    let tree = Tree::discover(&fields).unwrap();
    assert_eq!(tree.outline().unwrap().notes, [""; 0]);
    let raw = tree.read(&|_, _| {}).unwrap();
    assert_eq!(raw.shape, ImageShape::new(1, 2, 1));
    // Red is 76 in luma; what is transparent is white.
    assert_eq!(
        eight(&raw.train),
        [76, 76, 76, 76, 76, 76, 76, 76, 255, 255, 200, 200]
    );
    assert_eq!(eight(&raw.test), [76, 76]);
}

#[test]
fn a_white_background_of_deep_images_needs_their_bits() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("a");
    fs::create_dir_all(&folder).unwrap();
    for index in 0..5u16 {
        let image = image::ImageBuffer::from_pixel(2, 1, Luma([4095 * (index % 2)]));
        image.save(folder.join(format!("{index}.png"))).unwrap();
    }
    let padded = "size = 2, fit = 'pad', background = 1";
    let tree = Tree::discover(&table(dir.path(), padded)).unwrap();
    assert_eq!(
        tree.outline().unwrap_err().to_string(),
        format!(
            "error: a background that is not black needs `bits` where images have 16 bits a value\n  {}\n  \
             hint: bits = 16, or as many as are used",
            dir.path().display()
        )
    );
    let tree = Tree::discover(&table(dir.path(), &format!("{padded}, bits = 12"))).unwrap();
    assert_eq!(tree.outline().unwrap().notes, [""; 0]);
    let raw = tree.read(&|_, _| {}).unwrap();
    let test = vec![0, 0, 4095, 4095];
    assert_eq!(raw.test.pixels, Values::Sixteen(test, 4095));
}
