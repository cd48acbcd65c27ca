//! Datasets from files to pixels: what every run does before its first step.
//!
//! `cargo bench --bench loading`. The committed digits are packed; random images show the part without files.

use burnlab::data::{Catalogue, DataFields, Folders};
use burnlab::rng::Seed;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn loading(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("loading");
    group.sample_size(10);
    for (name, fields) in [
        ("mnist, 1000 of it", "dataset = \"mnist\"\ntrain = 1000"),
        ("mnist, all of it", "dataset = \"mnist\""),
        (
            "mnist, 1000 stratified",
            "dataset = \"mnist\"\ntrain = { count = 1000, pick = \"stratified\" }",
        ),
        (
            "random, 1000 of 3x32x32",
            "dataset = { fake = { shape = [3, 32, 32], classes = 10, train = 1000, test = 100 } }",
        ),
    ] {
        let fields: DataFields = toml::from_str(fields).expect("fields of data");
        // A new catalogue each time, as each remembers what it has read.
        let load = || {
            let catalogue = Catalogue::new(Folders::from_environment());
            catalogue.load(&fields, Seed(0)).expect("the data is there")
        };
        group.throughput(Throughput::Elements(load().train.len() as u64));
        group.bench_function(name, |bencher| bencher.iter(load));
    }
}

criterion_group!(benches, loading);
criterion_main!(benches);
