//! The files of a data set in each format, written photo by photo.

use crate::whole_file::{WholeFile, write_whole};
use anyhow::Context;
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use walkaround_formats::{Format, Losses, ManifestEntry, Photo, Splits, coco, cvat, label_studio, yolo};

/// Folder of YOLO's label files: beside that of the photos, where its readers look.
const LABELS: &str = "labels";
/// Label Studio's configuration of labels.
const LABEL_STUDIO_CONFIG: &str = "config.xml";

/// Folders that the formats are written into, that of the data set first.
pub(super) const FOLDERS: [&str; 5] = [".", LABELS, "coco", "cvat", "label-studio"];

/// What was written.
pub(super) struct Written {
    /// What was lost, by format.
    pub(super) losses: BTreeMap<Format, Losses>,
    /// Every file.
    pub(super) files: BTreeSet<PathBuf>,
}

/// The file of a format for one part.
enum Output {
    Coco(coco::Writer<WholeFile>),
    Cvat(cvat::Writer<WholeFile>),
    LabelStudio(label_studio::Writer<WholeFile>),
    /// The list of its photos; the labels are files of their own.
    Yolo(WholeFile),
}

/// All files of a data set.
pub(super) struct Outputs {
    root: PathBuf,
    classes: Vec<String>,
    files: BTreeMap<(Format, String), Output>,
    written: Written,
}

impl Outputs {
    /// Begins the files of these formats. Those of an earlier run stay until each of them is whole.
    ///
    /// # Errors
    /// One line: a file cannot be written or removed.
    pub(super) fn begin(
        root: &Path,
        formats: &BTreeSet<Format>,
        splits: &Splits,
        classes: Vec<String>,
    ) -> anyhow::Result<Self> {
        let mut files = BTreeMap::new();
        let mut whole = BTreeSet::new();
        for format in formats {
            for split in splits.names() {
                let output = output(root, *format, split, &classes)?;
                files.insert((*format, split.to_owned()), output);
            }
        }
        if formats.contains(&Format::LabelStudio) {
            let config = label_studio::config(&classes);
            let path = folder(root, Format::LabelStudio)?.join(LABEL_STUDIO_CONFIG);
            write_whole(&path, config.as_bytes())?;
            whole.insert(path);
        }
        if formats.contains(&Format::Yolo) {
            fs::create_dir_all(root.join(LABELS))?;
            let config = yolo::config(&classes, splits);
            let path = root.join(yolo::CONFIG_FILE);
            write_whole(&path, config.as_bytes())?;
            whole.insert(path);
        }
        Ok(Self {
            root: root.to_path_buf(),
            classes,
            files,
            written: Written {
                losses: BTreeMap::new(),
                files: whole,
            },
        })
    }

    /// Adds a photo to the files of its part.
    ///
    /// # Errors
    /// One line: a file cannot be written.
    pub(super) fn add(&mut self, photo: &Photo) -> anyhow::Result<()> {
        let split = photo.entry.split.as_deref().unwrap_or_default();
        for ((format, part), output) in &mut self.files {
            if part != split {
                continue;
            }
            let lost = match output {
                Output::Coco(writer) => writer.add(photo)?,
                Output::Cvat(writer) => writer.add(photo)?,
                Output::LabelStudio(writer) => writer.add(photo)?,
                Output::Yolo(list) => {
                    let (text, lost) = yolo::labels(photo, &self.classes);
                    let label = self.root.join(LABELS).join(label_file(&photo.entry.photo_sha256));
                    write_whole(&label, text.as_bytes())?;
                    self.written.files.insert(label);
                    list.write(format!("./images/{}\n", photo.file_name()).as_bytes())?;
                    lost
                }
            };
            self.written.losses.entry(*format).or_default().extend(&lost);
        }
        Ok(())
    }

    /// Ends the files.
    ///
    /// # Errors
    /// One line: a file cannot be written.
    pub(super) fn finish(mut self) -> anyhow::Result<Written> {
        for ((format, part), output) in self.files {
            let file = match output {
                Output::Coco(writer) => writer.finish()?,
                Output::Cvat(writer) => writer.finish()?,
                Output::LabelStudio(writer) => writer.finish()?,
                Output::Yolo(list) => list,
            };
            file.commit()?;
            self.written.files.insert(path_of(&self.root, format, &part));
        }
        Ok(self.written)
    }
}

/// The name of the label file of a photo.
pub(super) fn label_file(photo: &str) -> String {
    format!("{photo}.txt")
}

/// The folder of label files beside a `data.yaml`.
pub(super) fn labels_beside(config: &Path) -> PathBuf {
    config.with_file_name(LABELS)
}

fn folder_of(root: &Path, format: Format) -> PathBuf {
    match format {
        // Its readers expect everything beside `images`.
        Format::Yolo => root.to_path_buf(),
        Format::Coco | Format::Cvat | Format::LabelStudio => root.join(format.as_str()),
    }
}

/// The file of a format for one part.
fn path_of(root: &Path, format: Format, split: &str) -> PathBuf {
    folder_of(root, format).join(file_name(format, split))
}

fn folder(root: &Path, format: Format) -> anyhow::Result<PathBuf> {
    let folder = folder_of(root, format);
    fs::create_dir_all(&folder).with_context(|| format!("cannot write {}", folder.display()))?;
    Ok(folder)
}

fn file_name(format: Format, split: &str) -> String {
    let extension = match format {
        Format::Coco | Format::LabelStudio => "json",
        Format::Cvat => "xml",
        Format::Yolo => "txt",
    };
    format!("{split}.{extension}")
}

fn output(root: &Path, format: Format, split: &str, classes: &[String]) -> anyhow::Result<Output> {
    folder(root, format)?;
    let file = WholeFile::create(&path_of(root, format, split))?;
    Ok(match format {
        Format::Coco => Output::Coco(coco::Writer::new(file, classes)?),
        Format::Cvat => Output::Cvat(cvat::Writer::new(file, classes)?),
        Format::LabelStudio => Output::LabelStudio(label_studio::Writer::new(file)?),
        Format::Yolo => Output::Yolo(file),
    })
}

/// Removes what an earlier run wrote in the formats and this one has not: what is left would be of other photos.
///
/// # Errors
/// One line: a file cannot be removed.
pub(super) fn remove_earlier(
    root: &Path,
    before: &[ManifestEntry],
    written: &BTreeSet<PathBuf>,
) -> anyhow::Result<()> {
    let splits: BTreeSet<&str> = before.iter().filter_map(|entry| entry.split.as_deref()).collect();
    let mut files = vec![
        root.join(yolo::CONFIG_FILE),
        folder_of(root, Format::LabelStudio).join(LABEL_STUDIO_CONFIG),
    ];
    for split in splits {
        files.extend(Format::ALL.map(|format| path_of(root, format, split)));
    }
    let labels = before.iter().map(|entry| label_file(&entry.photo_sha256));
    files.extend(labels.map(|name| root.join(LABELS).join(name)));
    for file in files {
        if !written.contains(&file) && file.is_file() {
            fs::remove_file(&file).with_context(|| format!("cannot remove {}", file.display()))?;
        }
    }
    Ok(())
}
