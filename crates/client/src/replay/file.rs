//! The file of a replay on disk: appended line by line, so that a killed replay goes on where it was.

use crate::shared_files::{lock, next_line};
use anyhow::Context;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, OpenOptions};
use std::io::{BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use walkaround_bootstrap::Failure;
use walkaround_evaluation::comparison::{REPLAY_SCHEMA, ReplayHeader, ReplayLine};

/// Longest line, in bytes: a photo with a thousand findings is far below.
const LINE_BYTES_MAX: usize = 64 << 20;

/// A file that a replay is written to. No other replay writes to it meanwhile.
pub struct ReplayFile {
    file: File,
    path: PathBuf,
    done: BTreeSet<String>,
    /// Those that failed before this run.
    failed: BTreeSet<String>,
}

impl ReplayFile {
    /// Begins a file, or goes on with one of the same replay. What was cut off by a kill is removed from its end.
    ///
    /// # Errors
    /// Usage: it is the file of another replay, or none of a replay. Otherwise it cannot be read or written, or another
    /// replay writes to it.
    pub fn open(path: &Path, header: &ReplayHeader) -> Result<Self, Failure> {
        let file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .open(path)
            .with_context(|| format!("cannot write {}", path.display()))?;
        lock(&file, path, "replay")?;
        let mut open = Self {
            file,
            path: path.to_path_buf(),
            done: BTreeSet::new(),
            failed: BTreeSet::new(),
        };
        match open.resume()? {
            None => open.write_line(&serde_json::to_vec(header)?)?,
            Some(before) if before == *header => {}
            Some(_) => {
                return Err(Failure::usage(format!(
                    "{} is of another replay (other photos, bundle or thresholds): name another file",
                    path.display()
                )));
            }
        }
        Ok(open)
    }

    /// Whether the photo of an inspection is done.
    pub fn has(&self, inspection: &str) -> bool {
        self.done.contains(inspection)
    }

    /// Whether the photo of an inspection failed when this replay was last run.
    pub fn failed_before(&self, inspection: &str) -> bool {
        self.failed.contains(inspection)
    }

    /// Photos that are done.
    pub fn done(&self) -> u64 {
        self.done.len() as u64
    }

    /// Adds a photo. After this it survives a kill of the process.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn add(&mut self, line: &ReplayLine) -> anyhow::Result<()> {
        self.write_line(&serde_json::to_vec(line)?)?;
        if !line.is_open() {
            self.done.insert(line.inspection_id().to_owned());
        }
        Ok(())
    }

    fn write_line(&mut self, json: &[u8]) -> anyhow::Result<()> {
        // One write, so that a kill leaves no line in two halves with another one in between.
        let line = [json, b"\n"].concat();
        let written = self.file.write_all(&line);
        written.with_context(|| format!("cannot write {}", self.path.display()))
    }

    /// The header and the photos that are there already; none in a new file. The end is cut off behind the last whole line.
    fn resume(&mut self) -> Result<Option<ReplayHeader>, Failure> {
        let mut lines = Lines::new(&self.file, &self.path)?;
        let header = lines.header()?;
        while let Some(line) = lines.next_line()? {
            let (id, open) = (line.inspection_id().to_owned(), line.is_open());
            if open {
                self.done.remove(&id);
                self.failed.insert(id);
            } else {
                self.failed.remove(&id);
                self.done.insert(id);
            }
        }
        let whole = lines.whole_bytes;
        self.file
            .set_len(whole)
            .with_context(|| format!("cannot write {}", self.path.display()))?;
        Ok(header)
    }
}

/// The header of a replay's file; none when there is no such file, or nothing in it yet.
///
/// # Errors
/// Usage: it is none of a replay. Otherwise it cannot be read.
pub fn read_header(path: &Path) -> Result<Option<ReplayHeader>, Failure> {
    if !path.exists() {
        return Ok(None);
    }
    Lines::new(open_to_read(path)?, path)?.header()
}

/// Reads a replay's file: the line of each photo that counts, in the order of the file.
pub struct ReplayReader {
    /// What was asked.
    pub header: ReplayHeader,
    lines: Lines<File>,
    /// The last line of each photo, by its number.
    last: BTreeMap<String, u64>,
}

impl ReplayReader {
    /// At the first photo.
    ///
    /// # Errors
    /// Usage: it is none of a replay. Otherwise it cannot be read.
    pub fn open(path: &Path) -> Result<Self, Failure> {
        let no_replay = || Failure::usage(format!("{} is no file of a replay", path.display()));
        if !path.is_file() {
            return Err(no_replay());
        }
        let mut last = BTreeMap::new();
        let mut lines = Lines::new(open_to_read(path)?, path)?;
        lines.header()?.ok_or_else(no_replay)?;
        while let Some(line) = lines.next_line()? {
            last.insert(line.inspection_id().to_owned(), lines.number);
        }
        let mut lines = Lines::new(open_to_read(path)?, path)?;
        let header = lines.header()?.ok_or_else(no_replay)?;
        Ok(Self { header, lines, last })
    }

    /// How many photos it has.
    pub fn photos(&self) -> u64 {
        self.last.len() as u64
    }

    /// The next photo; none at the end.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn next_photo(&mut self) -> anyhow::Result<Option<ReplayLine>> {
        while let Some(line) = self.lines.next_line()? {
            if self.last.get(line.inspection_id()) == Some(&self.lines.number) {
                return Ok(Some(line));
            }
        }
        Ok(None)
    }
}

fn open_to_read(path: &Path) -> Result<File, Failure> {
    Ok(File::open(path).with_context(|| format!("cannot read {}", path.display()))?)
}

/// Whole lines, from the beginning of a file on.
struct Lines<F> {
    reader: BufReader<F>,
    path: PathBuf,
    number: u64,
    /// Bytes of the whole lines so far.
    whole_bytes: u64,
}

impl<F: Read + Seek> Lines<F> {
    fn new(mut file: F, path: &Path) -> anyhow::Result<Self> {
        let at = || format!("cannot read {}", path.display());
        file.seek(SeekFrom::Start(0)).with_context(at)?;
        Ok(Self {
            reader: BufReader::new(file),
            path: path.to_path_buf(),
            number: 0,
            whole_bytes: 0,
        })
    }

    /// None in an empty file.
    fn header(&mut self) -> Result<Option<ReplayHeader>, Failure> {
        let Some(text) = self.text()? else {
            // Cut off within its first line, or never of a replay: only what is surely ours is written over.
            let ours = self.whole_bytes == 0 && self.is_empty_or_cut()?;
            return if ours { Ok(None) } else { Err(self.no_replay()) };
        };
        let header = serde_json::from_slice::<ReplayHeader>(&text);
        match header {
            Ok(header) if header.schema == REPLAY_SCHEMA => Ok(Some(header)),
            _ => Err(self.no_replay()),
        }
    }

    /// Whether the file has nothing, or the beginning of a header.
    fn is_empty_or_cut(&mut self) -> anyhow::Result<bool> {
        let file = self.reader.get_mut();
        file.seek(SeekFrom::Start(0))?;
        let mut text = Vec::new();
        file.take(64).read_to_end(&mut text)?;
        let begin = format!("{{\"schema\":\"{REPLAY_SCHEMA}\"");
        let shorter = text.len().min(begin.len());
        Ok(text[..shorter] == begin.as_bytes()[..shorter])
    }

    fn no_replay(&self) -> Failure {
        Failure::usage(format!("{} is no file of a replay", self.path.display()))
    }

    fn next_line(&mut self) -> anyhow::Result<Option<ReplayLine>> {
        let Some(text) = self.text()? else {
            return Ok(None);
        };
        let line = serde_json::from_slice(&text);
        line.map(Some).with_context(|| {
            format!(
                "{}, line {}: no photo of a replay",
                self.path.display(),
                self.number
            )
        })
    }

    /// The next whole line; none at the end, or before one that was cut off.
    fn text(&mut self) -> anyhow::Result<Option<Vec<u8>>> {
        let line = next_line(&mut self.reader, LINE_BYTES_MAX);
        let line = line.with_context(|| format!("{}, line {}", self.path.display(), self.number + 1))?;
        let Some(mut text) = line else {
            return Ok(None);
        };
        if text.pop() != Some(b'\n') {
            return Ok(None);
        }
        self.number += 1;
        self.whole_bytes += text.len() as u64 + 1;
        Ok(Some(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use walkaround_evaluation::comparison::AskedTime;
    use walkaround_evaluation::comparison::LeftOut;
    use walkaround_messages::BundleDocument;

    fn header(version: &str) -> ReplayHeader {
        ReplayHeader {
            schema: REPLAY_SCHEMA.to_owned(),
            bundle: BundleDocument {
                name: "demo".to_owned(),
                version: version.to_owned(),
            },
            manifest_sha256: "00".to_owned(),
            thresholds: BTreeMap::from([("gate".to_owned(), 0.3)]),
            since: "2026-11-01T00:00:00Z".to_owned(),
            until: "2026-11-08T00:00:00Z".to_owned(),
            asked: AskedTime::default(),
            classes: vec![],
            max: 10,
        }
    }

    fn out(id: &str) -> LeftOut {
        LeftOut {
            inspection_id: id.to_owned(),
            photo: String::new(),
            why: "because".to_owned(),
        }
    }

    #[test]
    fn a_file_goes_on_behind_its_last_whole_line_and_failures_are_open() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("replay.jsonl");
        let mut file = ReplayFile::open(&path, &header("2")).unwrap();
        file.add(&ReplayLine::Gone(out("a"))).unwrap();
        file.add(&ReplayLine::Failed(out("b"))).unwrap();
        drop(file);
        let whole = std::fs::read(&path).unwrap();
        let mut cut = whole.clone();
        cut.extend(br#"{"state":"gone","inspection_id":"c","#);
        std::fs::write(&path, &cut).unwrap();
        let file = ReplayFile::open(&path, &header("2")).unwrap();
        assert!(file.has("a") && !file.has("b") && !file.has("c"));
        assert_eq!(file.done(), 1);
        assert_eq!(std::fs::read(&path).unwrap(), whole);
    }

    #[test]
    fn a_file_of_something_else_or_in_use_is_not_written_to() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("replay.jsonl");
        let first = ReplayFile::open(&path, &header("2")).unwrap();
        let error = ReplayFile::open(&path, &header("2")).err().unwrap().to_string();
        assert!(error.contains("another replay writes to"), "{error}");
        drop(first);
        let error = ReplayFile::open(&path, &header("3")).err().unwrap().to_string();
        assert!(error.contains("is of another replay"), "{error}");
        for text in ["{}\n", "my notes\n", "my notes"] {
            std::fs::write(&path, text).unwrap();
            let error = ReplayFile::open(&path, &header("2")).err().unwrap().to_string();
            assert!(error.contains("is no file of a replay"), "{text}: {error}");
            assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
        }
        // Killed while the header was written.
        std::fs::write(&path, r#"{"schema":"walkaround.rep"#).unwrap();
        assert!(ReplayFile::open(&path, &header("2")).is_ok());
        assert_eq!(read_header(&path).unwrap(), Some(header("2")));
    }
}
