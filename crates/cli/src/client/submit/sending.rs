//! What becomes of each photo while they go out.

use crate::client::table::{print_document, print_notice};
use indicatif::ProgressBar;
use serde_json::json;
use std::io;
use walkaround_client::submit::{SendOutcome, SendProgress};

/// A bar, and beside it what is worth a line.
pub(super) struct Sending {
    pub bar: ProgressBar,
    /// Whether each photo's outcome is printed as a document.
    pub documents: bool,
}

impl SendProgress for Sending {
    fn photo(&self, photo: &str, outcome: SendOutcome<'_>) -> io::Result<()> {
        let (state, id, error) = match outcome {
            SendOutcome::Sent(id) => ("sent", Some(id.as_str()), None),
            SendOutcome::Known(id) => ("known", Some(id.as_str()), None),
            SendOutcome::Repeated(id) => ("repeated", Some(id.as_str()), None),
            SendOutcome::NotSent(why) => ("not_sent", None, Some(why)),
        };
        if let Some(why) = error {
            let line = format!("walkaround: {photo}: {why}");
            self.bar.suspend(|| print_notice(line))?;
        }
        if self.documents {
            let document = json!({"inspection_id": id, "photo": photo, "state": state, "error": error});
            self.bar.suspend(|| print_document(document))?;
        }
        Ok(())
    }

    fn advance(&self, photos: usize) {
        self.bar.inc(photos as u64);
    }
}
