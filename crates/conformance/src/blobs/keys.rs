//! Keys: odd ones, wrong ones, and their listing.

use super::under_test::{BlobsUnderTest, PLENTY, TYPE};
use crate::suite::{Outcome, ensure};
use walkaround_ports::{BlobAddress, PortErrorKind, PutOutcome};

/// Keys that a careless adapter takes for one another, or for something outside the store. Sorted by byte.
fn odd_keys() -> Vec<String> {
    let mut keys: Vec<String> = [
        "a",
        "a%",
        "a%2E",
        "a.",
        "a.jpg",
        "a.jpg/b",
        "a/",
        "a/.",
        "a/..",
        "a/../../b",
        "a//b",
        "a/b",
        "a/b/",
        "A",
        "A/B",
        "../escape",
        "../../escape",
        "..",
        ".",
        ".hidden",
        "/absolute",
        "/",
        "//",
        "%",
        "%-",
        "%2F",
        "a b+c&d=e?f#g:h;i\\j\"k'l<m>n|o*p",
        "写真/ü.jpg",
        "u\u{308}.jpg",
        "\u{fc}.jpg",
        "\u{1F697}",
        "tab\tkey",
        "con",
        "a~",
    ]
    .map(str::to_owned)
    .to_vec();
    // As long as can be: one part, and many; and two that differ only at the end.
    keys.push("x".repeat(1024));
    keys.push("x".repeat(1023) + "y");
    keys.push("写".repeat(341));
    keys.push("d/".repeat(511) + "e");
    keys.push(".".repeat(400));
    keys.sort();
    keys
}

pub(super) async fn odd_keys_are_kept_apart(t: BlobsUnderTest) -> Outcome {
    let keys = odd_keys();
    for key in &keys {
        let put = t.blobs.put_if_absent(&t.at(key), key.as_bytes(), TYPE).await?;
        ensure!(put == PutOutcome::Created, "`{key}`: {put:?}");
    }
    for key in &keys {
        let got = t.blobs.get(&t.at(key), PLENTY).await?;
        ensure!(
            got == key.as_bytes(),
            "`{key}` holds {:?}",
            String::from_utf8_lossy(&got)
        );
    }
    let listed = t.blobs.list(&t.at(""), None, 1000).await?;
    ensure!(listed == keys, "listed: {listed:?}");
    Ok(())
}

pub(super) async fn wrong_keys_are_invalid(t: BlobsUnderTest) -> Outcome {
    for key in [String::new(), "x".repeat(1025), "写".repeat(342)] {
        let shown: String = key.chars().take(10).collect();
        let kind = t
            .blobs
            .put_if_absent(&t.at(&key), b"x", TYPE)
            .await
            .err()
            .map(|e| e.kind);
        ensure!(
            kind == Some(PortErrorKind::Invalid),
            "`{shown}` of {} bytes: {kind:?}",
            key.len()
        );
    }
    Ok(())
}

pub(super) async fn buckets_are_apart(t: BlobsUnderTest) -> Outcome {
    let (one, key) = (t.at("key"), "key".to_owned());
    let other = BlobAddress {
        bucket: t.other_bucket.clone(),
        key,
    };
    t.blobs.put_if_absent(&one, b"one", TYPE).await?;
    let put = t.blobs.put_if_absent(&other, b"other", TYPE).await?;
    ensure!(put == PutOutcome::Created, "in the other bucket: {put:?}");
    ensure!(t.blobs.get(&one, PLENTY).await? == b"one", "they are one blob");
    let listed = t.blobs.list(&t.at(""), None, 10).await?;
    ensure!(listed == ["key"], "listed: {listed:?}");
    Ok(())
}

pub(super) async fn listing_has_order_prefix_and_pages(t: BlobsUnderTest) -> Outcome {
    let mut keys: Vec<String> = (0..23).map(|i| format!("p/{i}.jpg")).collect();
    keys.extend([
        "p".to_owned(),
        "p0".to_owned(),
        "P/1.jpg".to_owned(),
        "q/1.jpg".to_owned(),
    ]);
    for key in &keys {
        t.blobs.put_if_absent(&t.at(key), b"x", TYPE).await?;
    }
    keys.sort();
    let below: Vec<String> = keys.iter().filter(|k| k.starts_with("p/")).cloned().collect();
    let mut listed: Vec<String> = Vec::new();
    loop {
        let page = t
            .blobs
            .list(&t.at("p/"), listed.last().map(String::as_str), 5)
            .await?;
        ensure!(page.len() <= 5, "a page of {}", page.len());
        ensure!(
            listed.len() + page.len() <= below.len(),
            "more than there are: {page:?}"
        );
        if page.is_empty() {
            break;
        }
        listed.extend(page);
    }
    ensure!(listed == below, "below `p/`: {listed:?}");
    let all = t.blobs.list(&t.at(""), None, 1000).await?;
    ensure!(all == keys, "all: {all:?}");
    // `after` need not be a key, and may lie before the prefix.
    let after = t.blobs.list(&t.at("p/"), Some("a"), 2).await?;
    ensure!(after == below[..2], "after `a`: {after:?}");
    let none = t.blobs.list(&t.at("p/"), Some("p/zzz"), 2).await?;
    ensure!(none.is_empty(), "after `p/zzz`: {none:?}");
    Ok(())
}

pub(super) async fn page_has_its_bounds(t: BlobsUnderTest) -> Outcome {
    for max in [0, 1001] {
        let kind = t.blobs.list(&t.at(""), None, max).await.err().map(|e| e.kind);
        ensure!(kind == Some(PortErrorKind::Invalid), "a page of {max}: {kind:?}");
    }
    Ok(())
}
