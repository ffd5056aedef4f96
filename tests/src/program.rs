//! Running the program and reading what it says.

use crate::places;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use walkaround_messages::PhotoReport;

/// The program under test.
#[derive(Debug, Clone)]
pub struct Program {
    path: PathBuf,
}

/// What a run left behind.
#[derive(Debug, Clone)]
pub struct Ran {
    /// Exit code; -1 when a signal ended it.
    pub code: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Program {
    /// The program at `path`; tests call [`program!`](crate::program!).
    pub fn new(path: &str) -> Self {
        Self { path: path.into() }
    }

    /// Runs it with these arguments, outside the reach of the caller's own settings.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn run<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Ran {
        self.run_with_input(arguments, "")
    }

    /// [`Self::run`] with text on standard input.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn run_with_input<A: AsRef<OsStr>>(
        &self,
        arguments: impl IntoIterator<Item = A>,
        input: &str,
    ) -> Ran {
        let mut child = Command::new(&self.path)
            .args(arguments)
            .env_remove("WALKAROUND_BUNDLE")
            .env_remove("WALKAROUND_DEVICE")
            .env("WALKAROUND_ONNXRUNTIME", places::onnxruntime())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        // A program that ends without reading closes the pipe: that is no fault of the test.
        let _ = child
            .stdin
            .take()
            .map(|mut stdin| stdin.write_all(input.as_bytes()));
        let output = child.wait_with_output().expect("the program ends");
        Ran {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).expect("standard output is UTF-8"),
            stderr: String::from_utf8(output.stderr).expect("standard error is UTF-8"),
        }
    }

    /// `inspect --format json` with a bundle, the photos and more options.
    pub fn inspect(&self, bundle: &Path, photos: &[&Path], options: &[&str]) -> Ran {
        let mut arguments: Vec<&OsStr> = vec!["inspect".as_ref(), "--format".as_ref(), "json".as_ref()];
        arguments.extend(["--bundle".as_ref(), bundle.as_os_str()]);
        arguments.extend(options.iter().map(OsStr::new));
        arguments.extend(photos.iter().map(|path| path.as_os_str()));
        self.run(arguments)
    }

    /// The report on one photo.
    ///
    /// # Panics
    /// When the run does not succeed.
    pub fn report(&self, bundle: &Path, photo: &Path, options: &[&str]) -> PhotoReport {
        self.inspect(bundle, &[photo], options)
            .succeeded()
            .reports()
            .remove(0)
    }
}

impl Ran {
    /// Itself, when it ended with 0 and nothing on standard error.
    ///
    /// # Panics
    /// When it did not.
    pub fn succeeded(self) -> Self {
        assert!(self.code == 0 && self.stderr.is_empty(), "{self:?}");
        self
    }

    /// Its standard error, which must be one line, after exit code `code`.
    ///
    /// # Panics
    /// When it is not, or the exit code is another.
    pub fn one_line(&self, code: i32) -> &str {
        assert!(
            self.code == code && self.stderr.lines().count() == 1 && !self.stderr.contains("panicked"),
            "expected exit code {code} and one line: {self:?}"
        );
        self.stderr.trim_end()
    }

    /// The documents of `--format json`, one a line.
    ///
    /// # Panics
    /// When a line is no document.
    pub fn reports(&self) -> Vec<PhotoReport> {
        self.stdout
            .lines()
            .map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}")))
            .collect()
    }

    /// [`Self::reports`] by the file name of the photo.
    ///
    /// # Panics
    /// When a line is no document, or two photos have one name.
    pub fn reports_by_name(&self) -> BTreeMap<String, PhotoReport> {
        let reports = self.reports();
        let count = reports.len();
        let by_name: BTreeMap<String, PhotoReport> = reports
            .into_iter()
            .map(|report| (file_name(&report.photo), report))
            .collect();
        assert_eq!(by_name.len(), count, "two photos have one name");
        by_name
    }
}

fn file_name(path: &str) -> String {
    Path::new(path)
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}
