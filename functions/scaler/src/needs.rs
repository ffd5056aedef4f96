//! The scaler's recent needs as a document: pairs of a moment in milliseconds and a number of workers.

use serde_json::{Value, json};
use std::collections::VecDeque;
use walkaround_domain::Timestamp;

/// Most needs that are kept: one a minute for two hours.
const NEEDS_MAX: usize = 120;

/// The needs of a document; what cannot be read is left out: they only hold workers back from ending.
pub(crate) fn needs_of(text: &str) -> VecDeque<(Timestamp, u32)> {
    let pairs: Vec<Value> = serde_json::from_str(text).unwrap_or_default();
    let one = |pair: &Value| {
        let at = pair.get(0)?.as_u64()?;
        let need = u32::try_from(pair.get(1)?.as_u64()?).ok()?;
        Some((Timestamp(at), need))
    };
    pairs.iter().filter_map(one).collect()
}

/// The latest needs as a document.
pub(crate) fn text_of(needs: &VecDeque<(Timestamp, u32)>) -> String {
    let skip = needs.len().saturating_sub(NEEDS_MAX);
    let pairs: Vec<Value> = needs.iter().skip(skip).map(|(at, n)| json!([at.0, n])).collect();
    Value::from(pairs).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn needs_survive_their_document_and_only_the_latest_are_kept() {
        let needs: VecDeque<_> = (0..200u32)
            .map(|n| (Timestamp(u64::from(n) * 60_000), n))
            .collect();
        let kept = needs_of(&text_of(&needs));
        assert_eq!(kept.len(), NEEDS_MAX);
        assert_eq!(kept.back(), Some(&(Timestamp(199 * 60_000), 199)));
        assert!(needs_of("nonsense").is_empty());
        assert_eq!(
            needs_of(r#"[[5, 2], ["x"], 7]"#),
            VecDeque::from([(Timestamp(5), 2)])
        );
    }
}
