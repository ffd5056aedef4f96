//! What was left out of a folder or a listing: counted by reason, with some of the names.

use crate::Notice;
use std::collections::BTreeMap;

/// Most names shown for one reason.
const NAMES_MAX: usize = 5;

/// Why something was left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Why {
    /// Made by a NAS or an operating system: thumbnails, recycle bins.
    System,
    /// Its name begins with a dot.
    Hidden,
    /// No picture by its content, or in a bucket by its name.
    NoPicture,
    /// A link whose target is not there.
    BrokenLink,
    /// A link to what is taken under its own name.
    LinkToTaken,
    /// A FIFO, a socket or a device.
    Special,
    /// It may not be read.
    Unreadable,
    /// Below more folders than are gone into.
    TooDeep,
    /// A link, where none is followed.
    Link,
    /// A file of no bytes, where one may still be written.
    Empty,
}

impl Why {
    /// With one, and with several.
    const fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::System => (
                "file or folder that a NAS or an operating system made",
                "files and folders that a NAS or an operating system made",
            ),
            Self::Hidden => ("hidden file or folder", "hidden files and folders"),
            Self::NoPicture => ("file that is not a picture", "files that are not pictures"),
            Self::BrokenLink => ("broken link", "broken links"),
            Self::LinkToTaken => (
                "link to a photo that is taken under its own name",
                "links to photos that are taken under their own names",
            ),
            Self::Special => ("FIFO, socket or device", "FIFOs, sockets and devices"),
            Self::Unreadable => ("unreadable file or folder", "unreadable files and folders"),
            Self::TooDeep => ("folder nested too deeply", "folders nested too deeply"),
            Self::Link => (
                "link (links are not followed here)",
                "links (links are not followed here)",
            ),
            Self::Empty => ("empty file", "empty files"),
        }
    }
}

/// What was left out, by reason.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct LeftOut(BTreeMap<Why, (usize, Vec<String>)>);

impl LeftOut {
    /// Counts one.
    pub fn add(&mut self, why: Why, name: impl std::fmt::Display) {
        let (count, names) = self.0.entry(why).or_default();
        *count += 1;
        if names.len() < NAMES_MAX {
            names.push(name.to_string());
        }
    }

    /// A line a reason.
    pub fn lines(&self) -> impl Iterator<Item = String> {
        self.0.iter().map(|(why, (count, names))| {
            let (one, several) = why.words();
            let what = if *count == 1 { one } else { several };
            let more = if *count > names.len() { ", …" } else { "" };
            format!("left out {count} {what}: {}{more}", names.join(", "))
        })
    }

    /// Reports the lines.
    pub fn tell(&self, notice: Notice<'_>) -> std::io::Result<()> {
        self.lines().try_for_each(|line| notice(&line))
    }
}
