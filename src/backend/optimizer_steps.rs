//! The numbers of optimizers' steps, and what follows from them, on every backend.

/// The numbers of a step of Adam (Kingma and Ba 2015, algorithm 1).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdamStep {
    /// Decay of the running mean of gradients.
    pub beta_1: f64,
    /// Decay of the running mean of squared gradients.
    pub beta_2: f64,
    /// Added to the root of the mean square.
    pub epsilon: f64,
    /// Times the weight, added to its gradient.
    pub coupled_decay: f64,
    /// Times the learning rate and the weight, taken from the weight.
    pub decoupled_decay: f64,
    /// Before any correction.
    pub learning_rate: f64,
    /// The step's number, from 1.
    pub number: usize,
}

impl AdamStep {
    /// What of a weight its own decay leaves.
    pub(super) fn kept(&self) -> f64 {
        1.0 - self.learning_rate * self.decoupled_decay
    }

    /// What the root of the mean square is divided by, and what the step is multiplied by: the means start at 0, and these
    /// undo the bias towards it.
    pub(super) fn corrections(&self) -> [f64; 2] {
        let number = self.number.min(i32::MAX as usize) as i32;
        let of_square = (1.0 - self.beta_2.powi(number)).sqrt();
        [
            of_square,
            self.learning_rate / (1.0 - self.beta_1.powi(number)),
        ]
    }
}

/// The numbers of a step of gradient descent: `v = momentum * v + gradient`, `weight -= learning_rate * v`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MomentumStep {
    /// Share of the velocity that is kept.
    pub momentum: f64,
    /// Whether the step is by `gradient + momentum * v` instead of `v`.
    pub nesterov: bool,
    /// Times the weight, added to its gradient.
    pub weight_decay: f64,
    /// What the velocity is multiplied by.
    pub learning_rate: f64,
}
