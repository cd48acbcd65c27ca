//! Transposed 2-d convolution for the CPU, of the same pieces as the convolution.
//!
//! What a convolution does to get the gradient of its images is done forward here: matrix products, then
//! the windows folded into an image. Its own gradients need those windows unfolded again.

use rayon::prelude::*;

use super::convolution::{Plain, Sizes, Slopes, add_places, fill, in_parts, plain};

/// `[batch, filters, down, across]` to `[batch, channels, height, width]`; the sizes are those of the
/// convolution that leads back, and so is the weight, `[filters, channels / groups, rows, columns]`.
pub(super) fn forward(x: &Plain, weight: &Plain, bias: Option<&Plain>, sizes: Sizes) -> Plain {
    let (x, weight) = (x.to_contiguous(), weight.to_contiguous());
    let (inputs, filters): (&[f32], &[f32]) = (x.storage(), weight.storage());
    let bias = bias.map(|bias| bias.to_contiguous().storage::<f32>().to_vec());
    let mut images = vec![0.0; sizes.batch * sizes.image()];
    images
        .par_chunks_mut(sizes.image())
        .zip(inputs.par_chunks(sizes.output()))
        .for_each_init(
            || vec![0.0; sizes.depth() * sizes.places()],
            |windows, (image, input)| {
                if let Some(bias) = &bias {
                    fill(image, bias);
                }
                sizes.spread(filters, input, windows);
                sizes.fold(windows, image);
            },
        );
    let shape = [sizes.batch, sizes.channels, sizes.height, sizes.width];
    plain(images, &shape)
}

/// The gradients of [`forward`]'s inputs.
pub(super) fn backward(
    x: &Plain,
    weight: &Plain,
    of_output: &Plain,
    sizes: Sizes,
    with_x: bool,
) -> Slopes {
    let (x, weight, of_output) = (
        x.to_contiguous(),
        weight.to_contiguous(),
        of_output.to_contiguous(),
    );
    let filters: &[f32] = weight.storage();
    in_parts(
        x.storage(),
        of_output.storage(),
        sizes.batch,
        with_x,
        |inputs, of_images, of_inputs| part_backward(inputs, filters, of_images, of_inputs, sizes),
    )
}

/// Gradients of filters and bias over some samples; those of the samples are written, if there is room.
fn part_backward(
    inputs: &[f32],
    filters: &[f32],
    of_images: &[f32],
    of_inputs: &mut [f32],
    sizes: Sizes,
) -> (Vec<f32>, Vec<f32>) {
    let mut of_windows = vec![0.0; sizes.depth() * sizes.places()];
    let mut of_weight = vec![0.0; filters.len()];
    let mut of_bias = vec![0.0; sizes.channels];
    let mut of_inputs = of_inputs.chunks_exact_mut(sizes.output());
    let samples = inputs
        .chunks_exact(sizes.output())
        .zip(of_images.chunks_exact(sizes.image()));
    for (input, of_image) in samples {
        sizes.unfold(of_image, &mut of_windows);
        sizes.compare(input, &of_windows, &mut of_weight);
        add_places(&mut of_bias, of_image);
        if let Some(of_input) = of_inputs.next() {
            sizes.apply(filters, &of_windows, of_input);
        }
    }
    (of_weight, of_bias)
}
