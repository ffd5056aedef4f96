//! How the sessions of an engine are made.

use crate::runtime::ActiveDevice;

/// How sessions are made.
#[derive(Debug, Clone, Copy)]
pub struct EngineOptions {
    /// Where networks run.
    pub device: ActiveDevice,
    /// Threads inside one network run (CPU only), at least 1.
    pub threads: usize,
}
