//! The two documents of the registry, as JSON, and the words that keys are made of.

use serde_json::{Value, json};
use walkaround_domain::{Timestamp, hex};
use walkaround_ports::{PortCall, PortError, PortErrorKind};

/// Most files of a bundle.
pub const FILES_MAX: usize = 100;
/// Name of the list of files.
pub(super) const FILES: &str = "files.json";

/// Versions before the active one that are remembered.
pub const HISTORY_MAX: usize = 20;
/// Longest name or version, in bytes.
const NAME_BYTES_MAX: usize = 64;

/// The active version of a bundle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Active {
    /// Which.
    pub version: String,
    /// SHA-256 of the version's list of files.
    pub files_sha256: [u8; 32],
    /// What was active before, the latest first; at most [`HISTORY_MAX`].
    pub history: Vec<String>,
    /// Since when it is.
    pub activated_at: Timestamp,
}

/// One file of a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileEntry {
    /// Name in the folder.
    pub name: String,
    /// SHA-256.
    pub sha256: [u8; 32],
    /// Size.
    pub bytes: u64,
}

/// The files of a version.
pub(super) struct Files(pub(super) Vec<FileEntry>);

impl Active {
    pub(super) fn to_text(&self) -> String {
        json!({
            "version": self.version,
            "files_sha256": hex(&self.files_sha256),
            "history": self.history,
            "activated_at_ms": self.activated_at.0,
        })
        .to_string()
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        let value: Value = serde_json::from_str(text).ok()?;
        let history = value.get("history")?.as_array()?;
        let history: Option<Vec<String>> = history.iter().take(HISTORY_MAX).map(word).collect();
        Some(Self {
            version: word(value.get("version")?)?,
            files_sha256: digest(value.get("files_sha256")?.as_str()?)?,
            history: history?,
            activated_at: Timestamp(value.get("activated_at_ms")?.as_u64()?),
        })
    }
}

impl Files {
    pub(super) fn to_text(&self) -> String {
        let one = |f: &FileEntry| json!({"name": f.name, "sha256": hex(&f.sha256), "bytes": f.bytes});
        json!({"files": self.0.iter().map(one).collect::<Vec<_>>()}).to_string()
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        let value: Value = serde_json::from_str(text).ok()?;
        let files = value.get("files")?.as_array()?;
        if files.len() > FILES_MAX {
            return None;
        }
        let one = |file: &Value| {
            Some(FileEntry {
                name: word(file.get("name")?)?,
                sha256: digest(file.get("sha256")?.as_str()?)?,
                bytes: file.get("bytes")?.as_u64()?,
            })
        };
        files.iter().map(one).collect::<Option<_>>().map(Self)
    }
}

/// Whether a word can be part of a key and a file name: nothing read from S3 leads out of its folder.
pub(super) fn plain(word: &str) -> bool {
    !word.is_empty()
        && !word.starts_with('.')
        && word
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
}

/// A name or version: it becomes part of a key and of a folder.
pub(super) fn check_word(word: &str, at: PortCall) -> Result<(), PortError> {
    let fits = (1..=NAME_BYTES_MAX).contains(&word.len()) && plain(word);
    if fits {
        return Ok(());
    }
    let detail = format!(
        "`{}` is not a valid name of a bundle or version: expected 1 to {NAME_BYTES_MAX} letters, digits, `.`, `_` \
         or `-`, not starting with `.`",
        word.chars().take(80).collect::<String>().escape_default()
    );
    Err(at.error(PortErrorKind::Invalid, detail))
}

/// A file of a bundle: it becomes part of a key and of a path.
pub(super) fn check_file(name: &str, at: PortCall) -> Result<(), PortError> {
    if plain(name) && name != FILES {
        return Ok(());
    }
    let detail = format!(
        "`{}`: not a valid name for a file of a bundle",
        name.escape_default()
    );
    Err(at.error(PortErrorKind::Invalid, detail))
}

fn word(value: &Value) -> Option<String> {
    value.as_str().filter(|w| plain(w)).map(str::to_owned)
}

fn digest(hex: &str) -> Option<[u8; 32]> {
    let mut sha256 = [0; 32];
    if hex.len() != 64 || !hex.is_ascii() {
        return None;
    }
    for (i, byte) in sha256.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).ok()?;
    }
    Some(sha256)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_survive_their_text_and_bad_ones_are_refused() {
        let active = Active {
            version: "2026.11.1".into(),
            files_sha256: [7; 32],
            history: vec!["2026.11.0".into()],
            activated_at: Timestamp(12),
        };
        assert_eq!(Active::parse(&active.to_text()), Some(active.clone()));
        for bad in [
            "",
            "{}",
            &active.to_text().replace("2026.11.1", "../x"),
            &active.to_text().replace("0707", "zz07"),
        ] {
            assert_eq!(Active::parse(bad), None, "{bad}");
        }
        let file = FileEntry {
            name: "gate.onnx".into(),
            sha256: [9; 32],
            bytes: 3,
        };
        let text = Files(vec![file.clone()]).to_text();
        assert_eq!(Files::parse(&text).map(|f| f.0), Some(vec![file]));
        assert!(Files::parse(&text.replace("gate.onnx", "/etc/passwd")).is_none());
    }
}
