//! Bundles of the local stack: folders beside the one that it uses.

use crate::failure::Failure;
use std::path::{Path, PathBuf};
use walkaround_bootstrap::canary::ConfiguredBundle;
use walkaround_client::StackClient;
use walkaround_domain::BundleId;
use walkaround_domain::rollout::Rollout;
use walkaround_inference::{VerifiedBundle, read_manifest};
use walkaround_pipeline::rollout::read_configured;

/// Most folders that are looked into.
const FOLDERS_MAX: usize = 1000;

/// Name and version of the bundle in a folder; none where it has none that can be read.
pub(super) fn bundle_in(folder: &Path) -> Option<BundleId> {
    let manifest = read_manifest(folder).ok()?;
    Some(BundleId::new(manifest.name, manifest.version))
}

/// The bundle that the stack was started with, on the local stack; where it never was, the one of the settings.
///
/// # Errors
/// Its folder has none; the stack does not answer.
pub(super) async fn configured(stack: &dyn StackClient) -> Result<ConfiguredBundle, Failure> {
    match read_configured(&*stack.state()?).await? {
        Some((bundle, folder)) => Ok(ConfiguredBundle {
            bundle,
            folder: PathBuf::from(folder),
        }),
        None => ConfiguredBundle::of(&stack.settings().bundle),
    }
}

/// The bundle that answers, on the local stack: the configured one, or the one that was activated instead.
///
/// # Errors
/// As [`configured`].
pub(super) async fn answering(
    stack: &dyn StackClient,
    rollout: &Rollout,
) -> Result<ConfiguredBundle, Failure> {
    Ok(configured(stack).await?.answering(rollout))
}

/// The folder of a bundle: the one that is named, or one beside the bundle that the stack uses. Its digests are checked.
///
/// # Errors
/// Usage: there is none, or it has another bundle. Otherwise what is wrong with it.
pub(super) fn folder_of(bundle: &BundleId, named: Option<&Path>, used: &Path) -> Result<PathBuf, Failure> {
    let folder = match named {
        Some(folder) => match bundle_in(folder) {
            Some(there) if there == *bundle => folder.to_path_buf(),
            Some(there) => {
                return Err(Failure::usage(format!(
                    "{} has {there}, not {bundle}",
                    folder.display()
                )));
            }
            None => return Err(Failure::usage(format!("{} has no bundle", folder.display()))),
        },
        None => beside(bundle, used)?,
    };
    VerifiedBundle::load(&folder)?;
    Ok(folder.canonicalize().unwrap_or(folder))
}

fn beside(bundle: &BundleId, used: &Path) -> Result<PathBuf, Failure> {
    let used = used.canonicalize().unwrap_or_else(|_| used.to_path_buf());
    let parent = used.parent().unwrap_or(&used);
    let mut folders: Vec<PathBuf> = parent
        .read_dir()
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .take(FOLDERS_MAX)
        .collect();
    folders.sort();
    let found = folders
        .into_iter()
        .find(|folder| bundle_in(folder).as_ref() == Some(bundle));
    found.ok_or_else(|| {
        Failure::usage(format!(
            "no folder in {} has {bundle}: name its folder with --bundle",
            parent.display()
        ))
    })
}
