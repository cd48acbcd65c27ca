use std::fs;

use tensorboard_rs::masked_crc32c::masked_crc32c;

use super::*;

/// The events of a file, each record's length and checksums verified.
fn read(path: &Path) -> Vec<Event> {
    let bytes = fs::read(path).unwrap();
    let mut rest = bytes.as_slice();
    let mut events = Vec::new();
    while !rest.is_empty() {
        let length = u64::from_le_bytes(rest[..8].try_into().unwrap()) as usize;
        let (header, checksum) = (&rest[..8], &rest[8..12]);
        assert_eq!(masked_crc32c(header).to_le_bytes(), checksum);
        let (data, checksum) = (&rest[12..12 + length], &rest[12 + length..16 + length]);
        assert_eq!(masked_crc32c(data).to_le_bytes(), checksum);
        events.push(Event::parse_from_bytes(data).unwrap());
        rest = &rest[16 + length..];
    }
    events
}

/// A directory of one test's own, removed at its end.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let name = format!("burnlab-tensorboard-{name}-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let _ = fs::remove_dir_all(&path);
        Scratch(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn gradient(width: u32, height: u32, channels: u8) -> Picture {
    let mut pixels = Vec::new();
    for y in 0..height {
        for x in 0..width {
            let shades = [255 * x / width, 255 * y / height, 64];
            pixels.extend(shades.iter().take(channels.into()).map(|&s| s as u8));
        }
    }
    Picture {
        width,
        height,
        channels,
        pixels,
    }
}

#[test]
fn a_file_opens_with_its_version_and_reads_back() {
    let scratch = Scratch::new("reads-back");
    let mut writer = EventWriter::create(&scratch.0, Some(5)).unwrap();
    writer.scalar("loss", 5, 0.25).unwrap();
    writer.flush().unwrap();
    let events = read(writer.path());
    assert_eq!(events[0].get_file_version(), "brain.Event:2");
    let status = events[1].get_session_log().get_status();
    assert_eq!(status, SessionLog_SessionStatus::START);
    assert_eq!(events[1].get_step(), 5);
    let value = &events[2].get_summary().get_value()[0];
    assert_eq!((value.get_tag(), value.get_simple_value()), ("loss", 0.25));
    assert!(events[2].get_wall_time() > 1.7e9);
}

#[test]
fn names_of_one_directory_differ_and_sort_by_creation() {
    let scratch = Scratch::new("names");
    let names: Vec<PathBuf> = (0..20)
        .map(|_| EventWriter::create(&scratch.0, None).unwrap().path)
        .collect();
    assert!(names.is_sorted_by(|a, b| a < b));
    assert_eq!(fs::read_dir(&scratch.0).unwrap().count(), 20);
}

#[test]
fn pictures_of_one_tag_share_an_event() {
    let scratch = Scratch::new("pictures");
    let mut writer = EventWriter::create(&scratch.0, None).unwrap();
    let pictures = [gradient(7, 3, 3), gradient(7, 3, 3)];
    writer.images("filters", 1, &pictures).unwrap();
    writer.images("none", 1, &[]).unwrap();
    writer.flush().unwrap();
    let events = read(writer.path());
    assert_eq!(events.len(), 3);
    let tensor = events[2].get_summary().get_value()[0].get_tensor();
    assert_eq!(tensor.get_tensor_shape().get_dim()[0].get_size(), 4);
    assert_eq!(tensor.get_string_val()[..2], [b"7".to_vec(), b"3".to_vec()]);
    assert!(tensor.get_string_val()[3].starts_with(b"\x89PNG"));
}

#[test]
fn a_directory_that_cannot_be_made_is_an_error() {
    let scratch = Scratch::new("blocked");
    fs::create_dir_all(&scratch.0).unwrap();
    let file = scratch.0.join("file");
    fs::write(&file, "").unwrap();
    let inside = file.join("run");
    let error = EventWriter::create(&inside, None).err().unwrap();
    assert_eq!(error.kind, Kind::Data);
    assert_eq!(
        error.to_string(),
        format!(
            "error: cannot create the directory: not a directory\n  {}",
            inside.display()
        )
    );
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_an_error() {
    let path = PathBuf::from("/dev/full");
    let file = OpenOptions::new().write(true).open(&path).unwrap();
    let mut writer = EventWriter::start(BufWriter::new(file), path, None).unwrap();
    let error = writer.flush().unwrap_err();
    assert_eq!(error.kind, Kind::Data);
    assert_eq!(
        error.to_string(),
        "error: cannot write TensorBoard events: no space left on device\n  /dev/full"
    );
    // Also where the buffer runs over, not only at a flush.
    assert!((0..1000).any(|step| writer.scalar("loss", step, 0.5).is_err()));
}

/// Writes what the check against TensorBoard reads: `BURNLAB_TB_EXAMPLE` names the directory.
#[test]
fn an_example_of_everything_is_written() {
    let scratch = Scratch::new("example");
    let base = match std::env::var_os("BURNLAB_TB_EXAMPLE") {
        Some(path) => PathBuf::from(path),
        None => scratch.0.clone(),
    };
    let plain = base.join("plain/seed-0");
    write_run(&plain, "plain", None, 0..7, false);
    // Interrupted after epoch 6, resumed from the checkpoint of epoch 4.
    write_run(&plain, "plain", Some(5), 5..11, true);
    write_run(
        &base.join("augmented/seed-1"),
        "augmented",
        None,
        0..11,
        true,
    );
    assert_eq!(fs::read_dir(&plain).unwrap().count(), 2);
}

fn write_run(
    directory: &Path,
    variant: &str,
    resume_at: Option<i64>,
    epochs: std::ops::Range<i64>,
    ends: bool,
) {
    let mut writer = EventWriter::create(directory, resume_at).unwrap();
    let writer = &mut writer;
    writer.hparams(&example_parameters(variant)).unwrap();
    let text = format!(
        "# {variant}\n\n| key | value |\n| --- | --- |\n| `epochs` | 10 |\n\n\
         ```toml\n[train]\nepochs = 10\n```\n"
    );
    writer.text("spec", &text).unwrap();
    writer.graph(&example_graph()).unwrap();
    for epoch in epochs {
        let progress = epoch as f64 / 10.0;
        let loss = 2.3 * (-3.0 * progress).exp();
        writer.scalar("loss/train", epoch, loss).unwrap();
        writer
            .scalar("loss/validation", epoch, loss + 0.1 * progress)
            .unwrap();
        let accuracy = 1.0 - 0.9 * (-4.0 * progress).exp();
        writer.scalar("test_accuracy", epoch, accuracy).unwrap();
        write_histograms(writer, epoch);
        let picture = gradient(60 + 4 * epoch as u32, 24, 3);
        writer.image("reconstructions", epoch, &picture).unwrap();
        let filters: Vec<Picture> = (0..3).map(|_| gradient(9, 5, 1)).collect();
        writer.images("filters/conv2d_1", epoch, &filters).unwrap();
    }
    if ends {
        writer.hparams_end(true).unwrap();
    }
    writer.flush().unwrap();
}

fn write_histograms(writer: &mut EventWriter, epoch: i64) {
    // Sums of sines stand in for a bell curve that widens.
    let spread = 0.05 * (1.0 + epoch as f32 / 5.0);
    let weights: Vec<f32> = (0..4000)
        .map(|i| {
            let i = i as f32;
            spread * ((i * 12.9).sin() + (i * 78.2).sin() + (i * 37.7).sin())
        })
        .collect();
    let tags: [(&str, &[f32]); 4] = [
        ("network/conv2d_1/kernel", &weights),
        ("network/conv2d_1/bias", &[0.0; 32]),
        ("network/dense/bias", &[]),
        (
            "network/dense/kernel",
            &[f32::NAN, f32::INFINITY, -1.0, 0.5, 0.5],
        ),
    ];
    for (tag, values) in tags {
        writer
            .histogram(tag, epoch, &Histogram::of(values))
            .unwrap();
    }
}

fn example_parameters(variant: &str) -> Vec<(String, Parameter)> {
    let mut parameters = vec![
        ("variant".to_string(), Parameter::Text(variant.to_string())),
        (
            "train.learning_rate".to_string(),
            Parameter::Number(if variant == "plain" { 1e-3 } else { 1e-4 }),
        ),
        (
            "model.bias".to_string(),
            Parameter::Bool(variant == "plain"),
        ),
        ("train.epochs".to_string(), Parameter::Number(10.0)),
    ];
    if variant != "plain" {
        let recipe = Parameter::Text("rotate 10, zoom 0.8".to_string());
        parameters.push(("augment.copies".to_string(), recipe));
    }
    parameters
}

fn example_graph() -> Vec<GraphNode> {
    let layer = |name: &str, op: &str, inputs: &[&str], shape: &[i64]| GraphNode {
        name: name.to_string(),
        op: op.to_string(),
        inputs: inputs.iter().map(|i| i.to_string()).collect(),
        attributes: vec![("parameters".to_string(), "320".to_string())],
        output_shape: Some(shape.to_vec()),
    };
    vec![
        layer("input", "input", &[], &[-1, 1, 28, 28]),
        layer("conv2d_1/kernel", "parameter", &[], &[32, 1, 3, 3]),
        layer("conv2d_1/bias", "parameter", &[], &[32]),
        layer(
            "conv2d_1/conv2d",
            "conv2d",
            &["input", "conv2d_1/kernel", "conv2d_1/bias"],
            &[-1, 32, 28, 28],
        ),
        layer(
            "conv2d_1/relu",
            "relu",
            &["conv2d_1/conv2d"],
            &[-1, 32, 28, 28],
        ),
        layer("flatten", "flatten", &["conv2d_1/relu"], &[-1, 25088]),
        layer("dense/kernel", "parameter", &[], &[25088, 10]),
        layer(
            "dense/dense",
            "dense",
            &["flatten", "dense/kernel"],
            &[-1, 10],
        ),
        layer("loss", "cross_entropy", &["dense/dense"], &[]),
    ]
}
