//! The drop folder: photos put there are taken into the stack and submitted.
//!
//! A file counts as complete when two looks see the same size and time. It is copied into the stack's
//! photos bucket under its digest (the same photo dropped twice is the same inspection), its request is
//! sent, and only then it is moved to `accepted/`: a crash in between does it again, harmlessly.

use super::stack::Stack;
use crate::client::photo_store::PhotoStore;
use crate::failure::Failure;
use crate::inspect::inputs::is_picture_name;
use anyhow::{Context, anyhow};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tracing::{info, warn};
use walkaround_embedded::INTAKE;
use walkaround_messages::request_json;
use walkaround_pipeline::stop::Stop;
use walkaround_ports::{Clock, OutMessage, Queue};

/// Time between two looks.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Most files taken at one look.
const FILES_MAX: usize = 1000;

pub(crate) struct DropFolder {
    folder: PathBuf,
    intake: Arc<dyn Queue>,
    photos: PhotoStore,
    clock: Arc<dyn Clock>,
    seen: HashMap<PathBuf, (u64, Option<SystemTime>)>,
}

impl DropFolder {
    pub(crate) fn open(folder: &Path, stack: &Stack) -> Result<Self, Failure> {
        for kind in ["accepted", "refused"] {
            let folder = folder.join(kind);
            std::fs::create_dir_all(&folder)
                .with_context(|| format!("cannot create {}", folder.display()))?;
        }
        Ok(Self {
            folder: folder.to_path_buf(),
            intake: stack.embedded.queue(INTAKE)?,
            photos: stack.photo_store(),
            clock: Arc::clone(&stack.clock),
            seen: HashMap::new(),
        })
    }

    /// Looks until told to stop.
    pub(crate) async fn watch(mut self, mut stop: Stop) {
        info!(folder = %self.folder.display(), "watching for photos");
        while !stop.is_set() {
            match self.complete_files() {
                Ok(files) => {
                    for file in files {
                        if let Err(error) = self.take(&file).await {
                            warn!(file = %file.display(), error = format!("{error:#}"), "not taken, trying again");
                        }
                    }
                }
                Err(error) => warn!(%error, "the drop folder cannot be read"),
            }
            tokio::select! {
                biased;
                () = stop.wait() => {}
                () = self.clock.sleep(LOOK_EVERY) => {}
            }
        }
    }

    fn complete_files(&mut self) -> std::io::Result<Vec<PathBuf>> {
        let mut now = HashMap::new();
        let mut complete = Vec::new();
        for entry in std::fs::read_dir(&self.folder)?.take(FILES_MAX) {
            let entry = entry?;
            let meta = entry.metadata()?;
            let path = entry.path();
            if meta.is_file() && is_picture_name(&path) {
                let state = (meta.len(), meta.modified().ok());
                if self.seen.get(&path) == Some(&state) {
                    complete.push(path.clone());
                }
                now.insert(path, state);
            }
        }
        self.seen = now;
        Ok(complete)
    }

    async fn take(&mut self, file: &Path) -> anyhow::Result<()> {
        if file.metadata()?.len() > self.photos.bytes_max {
            warn!(file = %file.display(), "over the size limit, moved to refused/");
            return self.put_away(file, "refused");
        }
        let request = self.photos.take_in(file).await?;
        let message = OutMessage {
            body: request_json(&request),
            ..OutMessage::default()
        };
        match self.intake.send(vec![message]).await?.pop() {
            Some(Ok(())) => {}
            Some(Err(error)) => return Err(error.into()),
            None => return Err(anyhow!("the queue gave no answer")),
        }
        info!(file = %file.display(), inspection = %request.id, "taken from the drop folder");
        self.put_away(file, "accepted")
    }

    fn put_away(&self, file: &Path, where_to: &str) -> anyhow::Result<()> {
        let name = file.file_name().context("a file has a name")?;
        let to = self.folder.join(where_to).join(name);
        std::fs::rename(file, &to).with_context(|| format!("cannot move to {}", to.display()))
    }
}
