//! Numbers of formulas that kernels of every kind have in them.

/// How close to 0 or 1 a probability may come before its logarithm is taken, as Keras' `epsilon`.
pub const LEAST_PROBABILITY: f32 = 1e-7;

/// The density of a standard normal distribution at 0, `1 / sqrt(2 pi)`.
pub(super) const NORMAL_PEAK: f32 = 0.398_942_3;
