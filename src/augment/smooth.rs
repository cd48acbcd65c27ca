//! Planes smoothed by a Gaussian.

use super::resample::Border;

/// How many standard deviations the Gaussian reaches, as SciPy's.
const REACH: f64 = 4.0;

/// A plane `[height, width]` convolved with a Gaussian in both directions, the image mirrored beyond its border: as
/// `scipy.ndimage.gaussian_filter`. A deviation of 0 pixels changes nothing.
pub fn smooth(plane: &[f32], [height, width]: [usize; 2], deviation: f64) -> Vec<f32> {
    let kernel = kernel(deviation);
    let down = along(plane, [height, width], [width, 1], &kernel);
    along(&down, [width, height], [1, width], &kernel)
}

/// The weights from the middle on; they sum to 1 on both sides.
fn kernel(deviation: f64) -> Vec<f64> {
    let reach = (REACH * deviation + 0.5) as usize;
    if reach == 0 {
        return vec![1.0];
    }
    let weight = |at: usize| libm::exp(-0.5 * (at as f64 / deviation).powi(2));
    let weights: Vec<f64> = (0..=reach).map(weight).collect();
    let sum = 2.0 * weights.iter().sum::<f64>() - weights[0];
    weights.into_iter().map(|weight| weight / sum).collect()
}

/// Convolves along an axis of `size` values that are `step` apart, for each of `lines` lines `between` apart.
fn along(
    plane: &[f32],
    [size, lines]: [usize; 2],
    [step, between]: [usize; 2],
    kernel: &[f64],
) -> Vec<f32> {
    let mut smooth = vec![0.0; plane.len()];
    for line in 0..lines {
        let place = |at: usize| line * between + at * step;
        let value = |at: isize| {
            let at = Border::Reflect.pixel(at, size).unwrap_or(0);
            f64::from(plane[place(at)])
        };
        for at in 0..size {
            let around = (1..kernel.len()).map(|far| {
                let (at, far) = (at as isize, far as isize);
                kernel[far as usize] * (value(at - far) + value(at + far))
            });
            let sum = kernel[0] * value(at as isize) + around.sum::<f64>();
            smooth[place(at)] = sum as f32;
        }
    }
    smooth
}
