//! Numbers from a seed, the same on every machine and with every version.

/// SplitMix64 (Steele, Lea, Flood, 2014).
#[derive(Debug, Clone)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// From 0 to 1, 1 excluded.
    pub(crate) fn share(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Less than `bound`.
    pub(crate) fn below(&mut self, bound: u32) -> u32 {
        // The product's upper half: less than `bound`, and no bias that a plan would show.
        (((self.next() >> 32) * u64::from(bound)) >> 32) as u32
    }

    /// Time until the next of events that happen `rate` times in a unit of time on average; none at a rate of 0.
    pub(crate) fn wait(&mut self, rate: f64) -> Option<f64> {
        (rate > 0.0).then(|| -(1.0 - self.share()).ln() / rate)
    }
}
