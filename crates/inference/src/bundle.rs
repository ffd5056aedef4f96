//! A bundle folder whose files are what its manifest says.
//!
//! Files are read once: the bytes that were hashed are the bytes that become sessions, so nothing can be
//! swapped in between.

use crate::error::BundleError;
use crate::manifest::{MANIFEST_FILE, Manifest, NetworkSpec, Role};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Largest manifest, in bytes.
pub const MANIFEST_BYTES_MAX: u64 = 1 << 20;
/// Largest ONNX file or file of weights, in bytes (the format itself ends at 2 GiB).
pub const NETWORK_BYTES_MAX: u64 = 2 << 30;
/// Largest self-test picture, in bytes.
pub const PICTURE_BYTES_MAX: u64 = 16 << 20;

/// One file of a bundle, in memory.
#[derive(Debug, Clone)]
pub struct BundleFile {
    /// Name inside the folder.
    pub name: String,
    /// SHA-256, lower-case hexadecimal.
    pub sha256: String,
    /// Content.
    pub bytes: Arc<[u8]>,
    /// The files of weights that a graph names.
    pub data: Vec<BundleFile>,
}

/// A manifest with the files it pins, every digest checked.
#[derive(Debug, Clone)]
pub struct VerifiedBundle {
    folder: PathBuf,
    manifest: Manifest,
    /// None for a segmenter that was not read yet.
    networks: Vec<Option<BundleFile>>,
    picture: Option<Arc<[u8]>>,
}

impl VerifiedBundle {
    /// Reads a bundle folder and checks every file against its digest.
    ///
    /// # Errors
    /// [`BundleError`]: a file that cannot be read, an invalid manifest, a digest that does not match.
    pub fn load(folder: &Path) -> Result<Self, BundleError> {
        Self::load_roles(folder, &|_| true)
    }

    /// As [`VerifiedBundle::load`], without the files of segmenters, which need not be in the folder.
    ///
    /// # Errors
    /// As [`VerifiedBundle::load`].
    pub fn load_without_segmenters(folder: &Path) -> Result<Self, BundleError> {
        Self::load_roles(folder, &|role| role != Role::Segmenter)
    }

    fn load_roles(folder: &Path, wanted: &dyn Fn(Role) -> bool) -> Result<Self, BundleError> {
        let manifest = read_manifest(folder)?;
        let file = |n: &NetworkSpec| {
            let wanted = wanted(n.role());
            wanted.then(|| network(folder, n)).transpose()
        };
        let networks = manifest
            .networks
            .iter()
            .map(file)
            .collect::<Result<Vec<_>, _>>()?;
        let picture = match &manifest.self_test {
            Some(test) => Some(read(&folder.join(&test.picture), PICTURE_BYTES_MAX)?.into()),
            None => None,
        };
        Ok(Self {
            folder: folder.to_path_buf(),
            manifest,
            networks,
            picture,
        })
    }

    /// The same files with other thresholds: [`Manifest::with_thresholds`].
    ///
    /// # Errors
    /// One line: no such class or gate, a value that is no probability.
    pub fn with_thresholds(&self, thresholds: &BTreeMap<String, f32>) -> Result<Self, String> {
        Ok(Self {
            manifest: self.manifest.clone().with_thresholds(thresholds)?,
            ..self.clone()
        })
    }

    /// Where it was read from.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Its manifest.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Its ONNX files, in the order of the manifest's networks; none for a segmenter that was not read.
    pub fn networks(&self) -> &[Option<BundleFile>] {
        &self.networks
    }

    /// Whether the files of all networks were read.
    pub fn is_whole(&self) -> bool {
        self.networks.iter().all(Option::is_some)
    }

    /// The encoded self-test picture, when there is one.
    pub fn self_test_picture(&self) -> Option<&[u8]> {
        self.picture.as_deref()
    }
}

/// The files of a bundle that only segmenters use, by its manifest, which has to be in the folder.
///
/// # Errors
/// [`BundleError`]: the manifest cannot be read, or is invalid.
pub fn segmenter_files(folder: &Path) -> Result<BTreeSet<String>, BundleError> {
    let manifest = read_manifest(folder)?;
    let files = |wanted: &dyn Fn(Role) -> bool| -> BTreeSet<String> {
        let networks = manifest.networks.iter().filter(|n| wanted(n.role()));
        let files = networks.flat_map(|n| n.data.iter().map(|d| &d.file).chain([&n.file]));
        files.cloned().collect()
    };
    let others = files(&|role| role != Role::Segmenter);
    Ok(&files(&|role| role == Role::Segmenter) - &others)
}

/// The manifest of the bundle in a folder; none of its files is read.
///
/// # Errors
/// [`BundleError`]: the manifest cannot be read, is too large, or is invalid.
pub fn read_manifest(folder: &Path) -> Result<Manifest, BundleError> {
    let path = folder.join(MANIFEST_FILE);
    let text = String::from_utf8(read(&path, MANIFEST_BYTES_MAX)?).map_err(|_| BundleError::Manifest {
        path: path.clone(),
        message: "not UTF-8 text".into(),
    })?;
    Manifest::parse(&text).map_err(|message| BundleError::Manifest { path, message })
}

/// A graph and its files of weights.
fn network(folder: &Path, spec: &NetworkSpec) -> Result<BundleFile, BundleError> {
    let data = spec.data.iter().map(|d| verify(folder, &d.file, &d.sha256));
    Ok(BundleFile {
        data: data.collect::<Result<_, _>>()?,
        ..verify(folder, &spec.file, &spec.sha256)?
    })
}

fn verify(folder: &Path, name: &str, expected: &str) -> Result<BundleFile, BundleError> {
    let path = folder.join(name);
    let bytes = read(&path, NETWORK_BYTES_MAX)?;
    let actual = hex_sha256(&bytes);
    if actual != expected {
        return Err(BundleError::Digest {
            path,
            expected: expected.to_owned(),
            actual,
        });
    }
    Ok(BundleFile {
        name: name.to_owned(),
        sha256: actual,
        bytes: bytes.into(),
        data: Vec::new(),
    })
}

/// SHA-256 as 64 lower-case hexadecimal digits.
pub fn hex_sha256(bytes: &[u8]) -> String {
    walkaround_domain::hex(&Sha256::digest(bytes))
}

pub(crate) fn read(path: &Path, limit: u64) -> Result<Vec<u8>, BundleError> {
    let io = |source| BundleError::Io {
        path: path.to_path_buf(),
        source,
    };
    // Asked of the path, before it is opened: to open a FIFO would wait for a writer.
    if !std::fs::metadata(path).map_err(io)?.is_file() {
        return Err(io(std::io::Error::other("it is not a regular file")));
    }
    let file = File::open(path).map_err(io)?;
    let length = file.metadata().map_err(io)?.len();
    if length > limit {
        return Err(BundleError::TooLarge {
            path: path.to_path_buf(),
            bytes: length,
            limit,
        });
    }
    let mut bytes = Vec::with_capacity(length as usize);
    // The limit holds even when the file grows while it is read.
    file.take(limit).read_to_end(&mut bytes).map_err(io)?;
    Ok(bytes)
}
