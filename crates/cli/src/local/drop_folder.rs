//! The drop folder: photos put there, or in folders below it, are taken into the stack and submitted.
//!
//! A file is whole when nothing of it has changed for a while ([`scan`]); one that ends too early gets longer. It is read,
//! and must be the same file afterwards. It is copied into the stack's photos bucket under its digest (the same photo
//! dropped twice is the same inspection), its request is sent, and only then it is moved to `accepted/`, where nothing is
//! replaced: a crash in between does it again, harmlessly. Who goes on writing to a file that was taken is noticed for a
//! while after, and the file is taken once more.

mod scan;
#[cfg(test)]
mod tests;

use super::health::DropFolderState;
use crate::failure::{Failure, with_causes};
use anyhow::{Context, anyhow};
use scan::{ACCEPTED, FileState, REFUSED, Scan};
use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tracing::{info, warn};
use walkaround_client::{PhotoStore, Stack};
use walkaround_domain::photo_end::ends_early;
use walkaround_local::INTAKE;
use walkaround_messages::request_json;
use walkaround_pipeline::shutdown::ShutdownSignal;
use walkaround_ports::{Clock, OutMessage, Queue};

/// Time between two checks.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// A file that failed is left alone for so long.
const FAILED_WAIT: Duration = Duration::from_secs(60);
/// A file that ends too early waits so many times as long as others, for whoever still writes it.
const CUT_WAITS: u32 = 12;
/// How long a taken file is watched for changes.
const WATCHED_AFTER: Duration = Duration::from_secs(600);
/// Largest number of taken files that are watched for changes.
const WATCHED_MAX: usize = 10_000;
/// Most files of one name in a folder of taken ones.
const SAME_NAME_MAX: u32 = 100_000;

pub(crate) struct DropFolder {
    folder: PathBuf,
    /// Number of the file system that it was on when it was opened.
    filesystem: u64,
    /// At the last look.
    is_away: bool,
    intake: Arc<dyn Queue>,
    photos: PhotoStore,
    clock: Arc<dyn Clock>,
    /// How long nothing of a file must have changed.
    settle: Duration,
    scan: Scan,
    /// Taken lately: where each is now, how it was when it was read, and until when it is watched.
    taken: VecDeque<Taken>,
}

struct Taken {
    path: PathBuf,
    /// As it was submitted.
    state: FileState,
    /// As it was at the last look, and since when.
    seen: FileState,
    since: Duration,
    /// What was read of it then ends too early.
    cut: bool,
    until: Duration,
}

/// What became of a file at one look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Taken,
    Refused,
    /// It changes, or may still: at another look.
    Later,
}

/// What became of a file that changed after it was taken.
#[derive(Debug, Clone, Copy)]
enum Again {
    /// It was submitted as it was then.
    Sent(FileState),
    /// It changed while it was read.
    Changes,
    /// It ends too early.
    Cut,
}

/// Whether a scan of `outer` comes to files of `inner`. Hidden folders are passed by.
fn holds_photos_of(outer: &Path, inner: &Path) -> bool {
    let resolved = |path: &Path| {
        path.canonicalize()
            .or_else(|_| std::path::absolute(path))
            .unwrap_or_default()
    };
    let (outer, inner) = (resolved(outer), resolved(inner));
    let is_hidden = |part: Component<'_>| part.as_os_str().as_encoded_bytes().starts_with(b".");
    inner
        .strip_prefix(outer)
        .is_ok_and(|between| !between.components().any(is_hidden))
}

impl DropFolder {
    /// # Errors
    /// Usage: there is no such folder (a misspelt one would be made, and nobody would ever put a photo there), or it holds the
    /// stack's own root or lies in it: the stack would take its own files for photos.
    pub(crate) fn open(folder: &Path, stack: &Stack) -> Result<Self, Failure> {
        let filesystem = fs::metadata(folder)
            .and_then(|meta| match meta.is_dir() {
                true => Ok(meta.dev()),
                false => Err(ErrorKind::NotADirectory.into()),
            })
            .map_err(|error| {
                Failure::usage(format!(
                    "the drop folder {}: {error}; make it, or correct --drop or WALKAROUND_DROP_FOLDER",
                    folder.display()
                ))
            })?;
        let root = stack.local.root();
        if holds_photos_of(folder, root) || holds_photos_of(root, folder) {
            return Err(Failure::usage(format!(
                "the drop folder {} and the root {} overlap, as one lies in the other; name another folder for one \
                 of them",
                folder.display(),
                root.display()
            )));
        }
        for kind in [ACCEPTED, REFUSED] {
            let folder = folder.join(kind);
            fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
        }
        Ok(Self {
            folder: folder.to_path_buf(),
            filesystem,
            is_away: false,
            intake: stack.local.queue(INTAKE)?,
            photos: stack.photo_store(),
            clock: Arc::clone(&stack.clock),
            settle: stack.settings.drop_settle,
            scan: Scan::default(),
            taken: VecDeque::new(),
        })
    }

    /// Scans until asked to stop; `state` is why nothing is taken, while the folder is away.
    pub(crate) async fn watch(mut self, state: DropFolderState, mut stop: ShutdownSignal) {
        info!(folder = %self.folder.display(), "watching for photos");
        while !stop.is_set() {
            let why = self.away();
            self.note_away(why.as_deref());
            state.set(why);
            if !self.is_away {
                self.check(&stop).await;
            }
            tokio::select! {
                biased;
                () = stop.wait() => {}
                () = self.clock.sleep(LOOK_EVERY) => {}
            }
        }
    }

    /// Why the folder cannot be watched: it is not there, cannot be read, or is the empty place of a file system that is not
    /// mounted. Someone who empties the folder itself leaves it on its file system.
    fn away(&mut self) -> Option<String> {
        let folder = &self.folder;
        let found = fs::read_dir(folder).and_then(|_| Ok(fs::metadata(folder)?.dev()));
        match found {
            Ok(filesystem) if filesystem == self.filesystem => None,
            Ok(filesystem) if [ACCEPTED, REFUSED].iter().any(|kind| folder.join(kind).is_dir()) => {
                // Mounted again.
                self.filesystem = filesystem;
                None
            }
            Ok(_) => Some(format!(
                "the drop folder {} is away: another file system is in its place, without {ACCEPTED}/; is it mounted?",
                folder.display()
            )),
            Err(error) => Some(format!("the drop folder {} is away: {error}", folder.display())),
        }
    }

    /// Logs that the folder has gone away or is back.
    fn note_away(&mut self, why: Option<&str>) {
        match (self.is_away, why) {
            (false, Some(why)) => warn!(
                why,
                "the drop folder is away, its photos are taken when it is back"
            ),
            (true, None) => info!(folder = %self.folder.display(), "the drop folder is back"),
            _ => {}
        }
        self.is_away = why.is_some();
    }

    /// Scans everything once; how many photos were taken.
    async fn check(&mut self, stop: &ShutdownSignal) -> usize {
        let now = self.clock.ticks();
        self.scan.scan(&self.folder, now);
        self.scan.say_left_out(now, self.settle);
        let mut taken = 0;
        for file in self.scan.settled(now, self.settle) {
            if stop.is_set() {
                return taken;
            }
            match self.take(&file).await {
                Ok(Fate::Taken) => taken += 1,
                Ok(Fate::Refused | Fate::Later) => {}
                Err(error) => {
                    warn!(file = %file.display(), error = with_causes(&error), "file not taken, trying again");
                    self.scan.leave(&file, now + FAILED_WAIT);
                }
            }
        }
        self.changed_since(now).await;
        taken
    }

    async fn take(&mut self, file: &Path) -> anyhow::Result<Fate> {
        if file.metadata()?.len() > self.photos.bytes_max {
            warn!(file = %file.display(), "file over the size limit, moved to refused/");
            self.put_away(file, REFUSED)?;
            return Ok(Fate::Refused);
        }
        let Some((bytes, state)) = self.read(file)? else {
            return Ok(Fate::Later);
        };
        let now = self.clock.ticks();
        let still = (self.settle * CUT_WAITS).saturating_sub(self.scan.unchanged_for(file, now));
        if still > Duration::ZERO && ends_early(&bytes) {
            // Not read again before, unless it changes.
            self.scan.leave(file, now + still);
            return Ok(Fate::Later);
        }
        self.submit(file, &bytes).await?;
        if FileState::of_path(file)? != state {
            warn!(file = %file.display(), "the file changed while it was taken: it is taken again when it is \
                                           complete");
            return Ok(Fate::Later);
        }
        let path = self.put_away(file, ACCEPTED)?;
        // The move itself is a change of the file's status.
        let state = FileState::of_path(&path)?;
        let now = self.clock.ticks();
        if self.taken.len() == WATCHED_MAX {
            self.taken.pop_front();
        }
        self.taken.push_back(Taken {
            path,
            state,
            seen: state,
            since: now,
            cut: false,
            until: now + WATCHED_AFTER,
        });
        Ok(Fate::Taken)
    }

    /// All bytes of a file and how it was, unless it changed meanwhile.
    fn read(&self, file: &Path) -> anyhow::Result<Option<(Vec<u8>, FileState)>> {
        let mut opened = File::open(file)?;
        let before = FileState::of(&opened.metadata()?);
        let mut bytes = Vec::with_capacity(usize::try_from(before.bytes).unwrap_or_default());
        (&mut opened)
            .take(self.photos.bytes_max + 1)
            .read_to_end(&mut bytes)?;
        let after = FileState::of(&opened.metadata()?);
        let whole = before == after && bytes.len() as u64 == before.bytes;
        Ok(whole.then_some((bytes, before)))
    }

    async fn submit(&self, file: &Path, bytes: &[u8]) -> anyhow::Result<()> {
        let request = self.photos.take_in_bytes(file, bytes).await?;
        let message = OutMessage {
            body: request_json(&request),
            ..OutMessage::default()
        };
        match self.intake.send(vec![message]).await?.pop() {
            Some(Ok(())) => {}
            Some(Err(error)) => return Err(error.into()),
            None => return Err(anyhow!("the queue did not answer")),
        }
        info!(file = %file.display(), inspection = %request.id, "photo taken from the drop folder");
        Ok(())
    }

    /// Taken files that somebody went on writing to: what they are now is submitted as well, once it has settled.
    async fn changed_since(&mut self, now: Duration) {
        for mut taken in std::mem::take(&mut self.taken) {
            // Somebody took it away: nothing to look at.
            let Ok(state) = FileState::of_path(&taken.path) else {
                continue;
            };
            if state != taken.seen {
                (taken.seen, taken.since, taken.cut) = (state, now, false);
                // Its writer is at work.
                taken.until = now + WATCHED_AFTER.max(self.settle * (CUT_WAITS + 1));
            }
            let wait = self.settle * if taken.cut { CUT_WAITS } else { 1 };
            let waited = now.saturating_sub(taken.since);
            if taken.seen != taken.state && waited >= wait {
                let may_be_cut = waited >= self.settle * CUT_WAITS;
                match self.again(&taken.path, may_be_cut).await {
                    Ok(Again::Sent(state)) => taken.state = state,
                    Ok(Again::Changes) => {}
                    Ok(Again::Cut) => taken.cut = true,
                    Err(error) => {
                        warn!(file = %taken.path.display(), error = with_causes(&error), "the changed file was not \
                                                                                          taken");
                        taken.since = now + FAILED_WAIT;
                    }
                }
            }
            if now < taken.until {
                self.taken.push_back(taken);
            }
        }
    }

    /// Takes a file that is in `accepted/` already.
    async fn again(&self, file: &Path, may_be_cut: bool) -> anyhow::Result<Again> {
        let Some((bytes, state)) = self.read(file)? else {
            return Ok(Again::Changes);
        };
        if !may_be_cut && ends_early(&bytes) {
            return Ok(Again::Cut);
        }
        self.submit(file, &bytes).await?;
        Ok(Again::Sent(state))
    }

    /// Moves a file to `accepted/` or `refused/`, below the folders that it was in; where it is then. Another file of its
    /// name stays: this one gets a number.
    fn put_away(&self, file: &Path, where_to: &str) -> anyhow::Result<PathBuf> {
        let below = file.strip_prefix(&self.folder).unwrap_or(file);
        let wanted = self.folder.join(where_to).join(below);
        let folder = wanted.parent().context("a file is in a folder")?;
        fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
        for number in 1..=SAME_NAME_MAX {
            let to = numbered(&wanted, number);
            // Who makes the name has it: the move replaces an empty file of our own.
            match File::create_new(&to) {
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::AlreadyExists => continue,
                Err(error) => return Err(error).with_context(|| format!("cannot move to {}", to.display())),
            }
            if let Err(error) = fs::rename(file, &to) {
                let _ = fs::remove_file(&to);
                return Err(error).with_context(|| format!("cannot move to {}", to.display()));
            }
            return Ok(to);
        }
        Err(anyhow!(
            "over {SAME_NAME_MAX} files are named {}",
            wanted.display()
        ))
    }
}

/// `IMG_1.jpg` for 1, `IMG_1-2.jpg` for 2.
fn numbered(path: &Path, number: u32) -> PathBuf {
    if number == 1 {
        return path.to_path_buf();
    }
    let mut name = path.file_stem().unwrap_or_default().to_os_string();
    name.push(format!("-{number}"));
    if let Some(extension) = path.extension() {
        name.push(".");
        name.push(extension);
    }
    path.with_file_name(name)
}
