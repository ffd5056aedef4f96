//! A stand-in for the ONNX Runtime library whose runs can be made to fail or to hang, in all processes that use it or
//! in one: a sick device, as a driver shows it. Built by the test with the C compiler (`onnx_proxy.c`).

use crate::places;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// What a run of a sick process does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sickness {
    /// It fails at once.
    Fail,
    /// It never returns.
    Hang,
}

/// The library in a folder of its own; gone when dropped.
pub struct OnnxProxy {
    folder: TempDir,
}

impl OnnxProxy {
    /// Builds the library. Its runs work until [`OnnxProxy::sicken`]; only processes with one of these words on their
    /// command line are ever sick, all of them when there are none.
    ///
    /// # Panics
    /// Without a C compiler (`cc`), or without the real library.
    pub fn build(words: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/onnx_proxy.c");
        let built = Command::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-Wall", "-o"])
            .arg(folder.path().join("libonnxruntime.so"))
            .arg(&source)
            .arg("-ldl")
            .output()
            .expect("a C compiler is there: apt-get install gcc");
        let said = String::from_utf8_lossy(&built.stderr);
        assert!(built.status.success(), "{}: {said}", source.display());
        let proxy = Self { folder };
        let real = places::onnxruntime()
            .canonicalize()
            .expect("the library is there");
        proxy.put("real", &real.display().to_string());
        proxy.put("who", &words.join("\n"));
        proxy
    }

    /// The library, for `WALKAROUND_ONNXRUNTIME`.
    pub fn library(&self) -> PathBuf {
        let folder = self.folder.path().canonicalize().expect("the folder is there");
        folder.join("libonnxruntime.so")
    }

    /// From now on runs fail or hang.
    pub fn sicken(&self, how: Sickness) {
        self.put(name(how), "");
    }

    /// From now on runs fail or hang in one process, the first that runs a network, and in no other.
    pub fn sicken_one(&self, how: Sickness) {
        self.put("once", "");
        self.sicken(how);
    }

    /// From now on runs work again, but for those that hang already.
    pub fn cure(&self) {
        for how in [Sickness::Fail, Sickness::Hang] {
            // It may never have been sick.
            let _ = std::fs::remove_file(self.folder.path().join(name(how)));
        }
    }

    /// The process that [`OnnxProxy::sicken_one`] hit, once it has.
    pub fn sick_process(&self) -> Option<u32> {
        let pid = std::fs::read_to_string(self.folder.path().join("chosen")).ok()?;
        pid.trim().parse().ok()
    }

    fn put(&self, name: &str, text: &str) {
        std::fs::write(self.folder.path().join(name), text).expect("a temporary folder can be written");
    }
}

const fn name(how: Sickness) -> &'static str {
    match how {
        Sickness::Fail => "fail",
        Sickness::Hang => "hang",
    }
}
