//! GANs.

use super::*;

#[test]
fn both_parts_of_a_gan_learn_and_a_resumed_one_ends_the_same() {
    let _alone = sole_use_of_graphs();
    let text = "[data]\ndataset = 'mnist'\ntrain = 60\nclasses = [0, 1]\n[augment]\n
        [model.gan]\nlatent = 4
        generator = [{ dense = { units = 784, activation = 'sigmoid' } }, { reshape = { shape = [1, 28, 28] } }]
        discriminator = ['flatten', { dense = { units = 8, activation = 'leaky_relu' } }, { dense = { units = 1, activation = 'sigmoid' } }]
        [train]\nepochs = 3\nbatch_size = 25\nloss = 'binary_cross_entropy'\nseeds = [0]
        optimizer = { adam = { learning_rate = 0.01 } }";
    let settings: Settings = toml::from_str(text).expect("the settings parse");
    let (measured, folder, _temporary) = same_when_resumed(&settings, 2);
    assert!(measured.test.discriminator_loss.unwrap() > 0.0);
    let mut short = settings.clone();
    short.train.epochs = Positive(1);
    let (_, first, _other) = trained(&short);
    let read = |folder: &RunFolder, name: &str| {
        let bytes = weights(folder);
        let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        tensors.tensor(name).unwrap().data().to_vec()
    };
    for name in ["generator.dense_1.weight", "discriminator.dense_1.weight"] {
        assert!(read(&first, name) != read(&folder, name), "{name}");
    }
    let rows = folder.epochs();
    assert!(rows[2].train.discriminator_loss.unwrap() < rows[0].train.discriminator_loss.unwrap());
}

/// A small GAN on 60 digits, whose discriminator ends with what the loss asks for.
fn gan(of_model: &str, verdict: &str, of_training: &str) -> Settings {
    let text = format!(
        "[data]\ndataset = 'mnist'\ntrain = 60\nclasses = [0, 1]\n[augment]\n
        [model.gan]\nlatent = 4\n{of_model}
        generator = [{{ dense = {{ units = 784, activation = 'sigmoid' }} }}, {{ reshape = {{ shape = [1, 28, 28] }} }}]
        discriminator = ['flatten', {{ dense = {{ units = 8, activation = 'leaky_relu' }} }}, {{ dense = {{ units = 1{verdict} }} }}]
        [train]\nepochs = 3\nbatch_size = 10\nseeds = [0]\n{of_training}"
    );
    toml::from_str(&text).expect("the settings parse")
}

#[test]
fn parts_of_a_gan_have_optimizers_of_their_own_and_a_resumed_one_ends_the_same() {
    let _alone = sole_use_of_graphs();
    let sigmoid = ", activation = 'sigmoid'";
    let with = |optimizer: &str| {
        let train = format!("loss = 'binary_cross_entropy'\noptimizer = {optimizer}");
        gan("", sigmoid, &train)
    };
    let adam = "{ adam = { learning_rate = 0.01 } }";
    let both = with(&format!("{{ generator = {adam}, discriminator = {adam} }}"));
    let (_, of_parts, _one) = same_when_resumed(&both, 2);
    let (_, of_all, _two) = same_when_resumed(&with(adam), 2);
    assert!(weights(&of_parts) == weights(&of_all));
    let rates = "{ generator = { sgd = { learning_rate = 0.5, momentum = 0.9 } }, discriminator = { adam = { learning_rate = 1e-3 } } }";
    let (_, apart, _three) = same_when_resumed(&with(rates), 1);
    assert!(weights(&apart) != weights(&of_all));
    assert_eq!(apart.epochs()[0].learning_rate, 0.5);
}

#[test]
fn a_wasserstein_gan_takes_its_steps_of_the_discriminator_and_bounds_its_weights() {
    let _alone = sole_use_of_graphs();
    let train = "loss = { wasserstein = { clip = 0.02 } }\noptimizer = { rmsprop = { learning_rate = 0.001 } }";
    let trained = |steps: &str| {
        let (measured, folder, temporary) = same_when_resumed(&gan(steps, "", train), 2);
        assert!(measured.test.discriminator_loss.unwrap() < 0.0);
        let all = tensors(&folder.file("weights.safetensors"));
        drop(temporary);
        all
    };
    let (four, six) = (
        trained("discriminator_steps = 4"),
        trained("discriminator_steps = 6"),
    );
    let largest = |bytes: &[u8]| {
        let (values, _) = bytes.as_chunks::<4>();
        let values = values.iter().map(|value| f32::from_le_bytes(*value).abs());
        values.fold(0.0, f32::max)
    };
    for (name, values) in &four {
        let (part, largest) = (name.split('.').next().unwrap(), largest(values));
        assert_eq!(
            largest <= 0.02,
            part == "discriminator",
            "{name}: {largest}"
        );
    }
    // An epoch has 6 steps, the training 18: 4 of the generator or 3.
    assert!(four["generator.dense_1.weight"] != six["generator.dense_1.weight"]);
}

#[test]
fn the_generator_of_a_gan_is_measured_in_epochs_without_its_turn_too() {
    let _alone = sole_use_of_graphs();
    let seldom = gan(
        "discriminator_steps = 100",
        "",
        "loss = 'hinge'\noptimizer = { adam = { learning_rate = 0.01 } }",
    );
    let (_, folder, _temporary) = same_when_resumed(&seldom, 1);
    let rows = folder.epochs();
    assert!(rows.iter().all(|row| row.train.loss != 0.0));
    // The discriminator learns, a generator that never has its turn does not.
    let of = |row: &EpochRow| row.train.discriminator_loss.unwrap();
    assert!(of(&rows[2]) < of(&rows[0]), "{rows:?}");
}

#[test]
fn what_is_drawn_for_measuring_belongs_to_the_image_and_not_to_the_batch() {
    let _alone = sole_use_of_graphs();
    let measured = |size: &str| {
        let train = format!(
            "loss = 'binary_cross_entropy'\noptimizer = {{ adam = {{ learning_rate = 0.01 }} }}
            evaluation_batch_size = {size}"
        );
        trained(&gan("", ", activation = 'sigmoid'", &train)).0.test
    };
    let (one, other) = (measured("'auto'"), measured("7"));
    // Thousands of 32-bit losses, added up in parts of another size.
    let close = |one: f64, other: f64| assert!((one - other).abs() < 1e-5, "{one} and {other}");
    close(one.loss, other.loss);
    close(
        one.discriminator_loss.unwrap(),
        other.discriminator_loss.unwrap(),
    );
}
