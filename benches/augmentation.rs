//! Image operations on 100 digits, one at a time, and the main job's copies of them.
//!
//! `cargo bench --bench augmentation`; operations work on one thread.

use burnlab::augment::{Augment, Image};
use burnlab::data::{Catalogue, DataFields, Folders};
use burnlab::rng::Seed;
use burnlab::shape::ImageShape;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const IMAGES: usize = 100;

fn digits() -> (ImageShape, Vec<f32>) {
    let fields: DataFields =
        toml::from_str(&format!("dataset = \"mnist\"\ntrain = {IMAGES}")).expect("fields of data");
    let catalogue = Catalogue::new(Folders::from_environment());
    let splits = catalogue
        .load(&fields, Seed(0))
        .expect("the committed digits");
    (splits.train.shape, splits.train.pixels.into_reals())
}

fn recipe(text: &str) -> Augment {
    toml::from_str(text).expect("a recipe")
}

fn operations(criterion: &mut Criterion) {
    let (shape, digits) = digits();
    let mut group = criterion.benchmark_group("operation");
    group.throughput(Throughput::Elements(IMAGES as u64));
    for (name, operation) in [
        ("rotate", "{ rotate = { degrees = [-10, 10] } }"),
        ("zoom", "{ zoom = { factor = [0.8, 1.2] } }"),
        ("shift", "{ shift = { x = [-4, 4], y = [-4, 4] } }"),
        ("shear", "{ shear = { degrees = [-10, 10] } }"),
        ("flip", "{ flip = { direction = \"horizontal\" } }"),
        ("contrast", "{ contrast = { factor = [0.8, 1.2] } }"),
        ("noise", "{ noise = { standard_deviation = 0.1 } }"),
        ("cutout", "{ cutout = { size = 8 } }"),
    ] {
        let augment = recipe(&format!("random = [{operation}]"));
        let flaws = augment.check(shape);
        assert!(flaws.is_empty(), "{name}: {flaws:?}");
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                for (index, pixels) in digits.chunks_exact(shape.len()).enumerate() {
                    let pixels = pixels.to_vec();
                    let mut image = Image { shape, pixels };
                    augment.random_into(&mut image, Seed(0), 1, index);
                    std::hint::black_box(&image);
                }
            });
        });
    }
}

fn copies(criterion: &mut Criterion) {
    let (shape, digits) = digits();
    let augment = recipe(
        "copies = [{ rotate = { degrees = 10 } }, { rotate = { degrees = -10 } }, { zoom = { factor = 0.8 } }]",
    );
    let mut group = criterion.benchmark_group("copies");
    group.throughput(Throughput::Elements((3 * IMAGES) as u64));
    group.bench_function("the main job's three", |bencher| {
        bencher.iter(|| augment.copies_of(&digits, shape, Seed(0)));
    });
}

criterion_group!(benches, operations, copies);
criterion_main!(benches);
