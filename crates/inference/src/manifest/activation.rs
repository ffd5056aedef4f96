//! What turns raw outputs into probabilities.

/// What is applied to a raw output to make it a probability.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// Nothing: the graph ends in probabilities.
    None,
    /// The logistic function, element by element.
    Sigmoid,
    /// Softmax over the channels.
    Softmax,
}
