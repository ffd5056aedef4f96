//! Draws by a hash: a name is in a share or is not, on every machine and in every process alike.

/// Whether a name is drawn for a purpose. A larger share has all of a smaller one, and the draws of two purposes are
/// independent of each other.
pub fn is_drawn(purpose: &str, name: &str, share: f64) -> bool {
    drawn_at(purpose, name) < share
}

/// Where a name is drawn for a purpose, from 0 (included) to 1.
pub fn drawn_at(purpose: &str, name: &str) -> f64 {
    // 53 bits are what an f64 holds exactly.
    (mixed(purpose, name) >> 11) as f64 / (1_u64 << 53) as f64
}

/// FNV-1a, and the finaliser of SplitMix64 behind it: names that differ in their last digits end far apart.
fn mixed(purpose: &str, name: &str) -> u64 {
    let fold = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    // The purpose first: another start than the one that spreads records over partitions, so that a draw is independent of it.
    let text = purpose.bytes().chain([b':']).chain(name.bytes());
    let mut hash = text.fold(0xcbf2_9ce4_8422_2325, fold);
    hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ (hash >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_have_their_share_and_are_independent_of_each_other() {
        let drawn = |purpose: &str| -> Vec<bool> {
            (0..10_000)
                .map(|n| is_drawn(purpose, &format!("i-{n}"), 0.2))
                .collect()
        };
        let (a, b) = (drawn("audit"), drawn("shadow"));
        let count = |all: &[bool]| all.iter().filter(|drawn| **drawn).count();
        let both = a.iter().zip(&b).filter(|(a, b)| **a && **b).count();
        // Four standard deviations of the counts on each side.
        assert!((1840..=2160).contains(&count(&a)), "{}", count(&a));
        assert!((1840..=2160).contains(&count(&b)), "{}", count(&b));
        assert!((321..=479).contains(&both), "{both}");
    }

    #[test]
    fn a_larger_share_has_all_of_a_smaller_one() {
        for n in 0..1000 {
            let name = n.to_string();
            assert!(!is_drawn("shadow", &name, 0.1) || is_drawn("shadow", &name, 0.3));
            assert!(!is_drawn("shadow", &name, 0.0) && is_drawn("shadow", &name, 1.0));
        }
    }
}
