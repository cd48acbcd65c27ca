//! What random numbers are distributed like, on every backend.

/// What random numbers are distributed like.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Distribution {
    /// 1 with this probability, else 0.
    Bernoulli(f64),
    /// From 0 to below 1.
    Uniform,
    /// Of mean 0 and deviation 1.
    Normal,
}
