//! Which bundles there are: the folders below `bundles/`.
//!
//! A listing answers keys, a thousand at a time; the next one starts behind the folder of the last key, so that a bundle
//! of many files costs one. What is no folder, or has a name that no bundle can have, was put there by somebody else.

use super::documents::check_word;
use super::{BundleRegistry, FOLDER};
use walkaround_ports::{BlobAddress, Blobs, PortCall, PortError};

/// Most bundles of one answer.
const NAMES_MAX: usize = 1000;
/// Most listings for one answer.
const LISTINGS_MAX: usize = 1000;
/// Keys of one listing.
const KEYS_MAX: usize = 1000;

/// The bundles of a registry.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BundleNames {
    /// Names, in S3's order; 1,000 at most.
    pub names: Vec<String>,
    /// There are more, or may be.
    pub more: bool,
}

impl BundleRegistry {
    /// The names of all bundles, those without a complete version too.
    ///
    /// # Errors
    /// As S3.
    pub async fn names(&self) -> Result<BundleNames, PortError> {
        let all = BlobAddress {
            bucket: self.bucket.clone(),
            key: FOLDER.to_owned(),
        };
        let mut found = BundleNames::default();
        let mut after: Option<String> = None;
        for _ in 0..LISTINGS_MAX {
            let page = self.blobs.list(&all, after.as_deref(), KEYS_MAX).await?;
            let Some(last) = page.last() else {
                return Ok(found);
            };
            after = Some(behind(last));
            for name in page.iter().filter_map(|key| folder(key)) {
                if check_word(name, PortCall::new("registry", "names")).is_err()
                    || found.names.last().is_some_and(|n| n == name)
                {
                    continue;
                }
                if found.names.len() == NAMES_MAX {
                    found.more = true;
                    return Ok(found);
                }
                found.names.push(name.to_owned());
            }
        }
        found.more = true;
        Ok(found)
    }
}

/// The folder below `bundles/` that a key is in; none for what lies beside the folders.
fn folder(key: &str) -> Option<&str> {
    Some(key.strip_prefix(FOLDER)?.split_once('/')?.0)
}

/// Where a listing goes on behind the whole folder of a key: `0` is the character after `/`.
fn behind(key: &str) -> String {
    folder(key).map_or_else(|| key.to_owned(), |name| format!("{FOLDER}{name}0"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listing_goes_on_behind_a_folder_and_before_every_other() {
        let after = behind("bundles/demo/versions/1/gate.onnx");
        for within in [
            "bundles/demo/current",
            "bundles/demo/~",
            "bundles/demo/\u{10ffff}",
        ] {
            assert!(within <= after.as_str(), "{within}");
        }
        for other in [
            "bundles/demo0/current",
            "bundles/demoa/current",
            "bundles/e/current",
        ] {
            assert!(other > after.as_str(), "{other}");
        }
        // Byte by byte, these come before the folder: what was listed so far has them.
        for before in ["bundles/demo-2/current", "bundles/demo.2/current"] {
            assert!(before < "bundles/demo/", "{before}");
        }
        assert_eq!(behind("bundles/loose"), "bundles/loose");
        assert_eq!(folder("bundles/"), None);
    }
}
