//! What is wrong with a plan's input. All of it is usage.

/// Why a plan cannot be made, in one line.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum PlanError {
    /// No `=`.
    #[error("{0}: expected NAME=VALUE")]
    Assignment(String),
    /// No assumption has the name.
    #[error("{0}: no such assumption; `--list` prints their names")]
    UnknownName(String),
    /// The value is not accepted.
    #[error("{name}: {text}, expected {least} to {most} ({unit})")]
    Value {
        /// Of the assumption.
        name: &'static str,
        /// What was given.
        text: String,
        /// Least value.
        least: f64,
        /// Greatest value.
        most: f64,
        /// Unit.
        unit: &'static str,
    },
    /// A line of arrivals cannot be read.
    #[error("line {line}: {fault}")]
    Arrivals {
        /// From 1.
        line: usize,
        /// What is wrong with it.
        fault: String,
    },
    /// A day has no photos, or too many.
    #[error("{photos} photos, expected 1 to {most}")]
    Photos {
        /// Of the day.
        photos: u64,
        /// Most.
        most: u64,
    },
    /// A period without GPUs cannot be read.
    #[error("{0}: expected FROM-TO in hours of the day, as 16-20")]
    Drought(String),
}
