//! Auto-encoders.

use super::*;

const VARIATIONAL: &str = "
    encoder = ['flatten', { gaussian_noise = { standard_deviation = 0.1 } }, 'concat_label',
               { dense = { units = 16, activation = 'relu' } }, { gaussian_code = { units = 3, beta = 0.5 } }]
    decoder = ['concat_label', { dense = { units = 784, activation = 'sigmoid' } }]";

#[test]
fn a_resumed_variational_auto_encoder_ends_with_the_same_weights() {
    let _alone = sole_use_of_graphs();
    let mut settings = autoencoder(
        VARIATIONAL,
        "loss = { binary_cross_entropy = { over_pixels = 'sum' } }",
    );
    settings.record.test = crate::config::WhenTested::EveryEpoch;
    let (measured, folder, _temporary) = same_when_resumed(&settings, 2);
    let test = measured.test;
    let (loss, kl) = (test.reconstruction.unwrap(), test.kl.unwrap());
    assert!((test.loss - (loss + 0.5 * kl)).abs() < 1e-3, "{test:?}");
    assert!((test.elbo.unwrap() + loss + kl).abs() < 1e-3, "{test:?}");
    assert_eq!(test.accuracy, None);
    let rows = folder.epochs();
    // Whatever is drawn for it, the same weights have one score.
    assert_eq!(rows[2].test, Some(test));
    assert!(rows[2].train.loss < rows[0].train.loss);
    assert!(rows.iter().all(|row| row.validation.unwrap().kl.is_some()));
}

#[test]
fn an_auto_encoder_with_all_its_penalties_learns_and_resumes() {
    let _alone = sole_use_of_graphs();
    let model = "contractive = 0.01
        encoder = ['flatten', { dense = { units = 12, activation = 'sigmoid', l2 = 1e-4,
                   activity = { kl = { target = 0.1, weight = 0.1 } } } }]
        decoder = [{ dense = { units = 784 } }]";
    let (measured, _, _temporary) = same_when_resumed(&autoencoder(model, "loss = 'huber'"), 1);
    let test = measured.test;
    assert!(test.loss > test.reconstruction.unwrap());
    assert_eq!((test.kl, test.elbo), (None, None));
}

#[test]
fn a_walk_back_is_led_through_as_often_as_it_says() {
    let _alone = sole_use_of_graphs();
    let trained_with = |walk_back: &str| {
        let model = format!(
            "{walk_back}
             encoder = ['flatten', {{ salt_and_pepper_noise = {{ rate = 0.2 }} }}, {{ dense = {{ units = 12, activation = 'tanh' }} }}]
             decoder = [{{ dense = {{ units = 784, activation = 'sigmoid' }} }}]"
        );
        let settings = autoencoder(&model, "loss = 'binary_cross_entropy'");
        let (measured, folder, temporary) = same_when_resumed(&settings, 2);
        drop(temporary);
        (measured.test.loss, folder)
    };
    let (once, _) = trained_with("walk_back = { steps = 1 }");
    let (plain, _) = trained_with("");
    let (often, _) = trained_with("walk_back = { steps = 3 }");
    assert_eq!(once.to_bits(), plain.to_bits());
    assert_ne!(once.to_bits(), often.to_bits());
}
