//! Draws by a hash: the same text is always drawn at the same place.

/// Where a text is drawn, from 0 (included) to 1. Draws of different purposes are independent.
pub fn drawn_at(purpose: &str, text: &str) -> f64 {
    // 53 bits are what an f64 holds exactly.
    (mixed(purpose, text) >> 11) as f64 / (1_u64 << 53) as f64
}

/// FNV-1a, and the finaliser of SplitMix64 behind it: texts that differ in their last digits end far apart.
fn mixed(purpose: &str, text: &str) -> u64 {
    let fold = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    let mut hash = purpose
        .bytes()
        .chain(text.bytes())
        .fold(0xcbf2_9ce4_8422_2325, fold);
    hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ (hash >> 31)
}
