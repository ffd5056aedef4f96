//! `walkaround bundle compare`: two bundles on the same photos, from a replay or from what a shadow saw.

mod page;
mod print;

use crate::args::{CompareArgs, CompareFormat};
use crate::client::table::{print_document, print_line};
use crate::failure::Failure;
use std::process::ExitCode;
use walkaround_bootstrap::process::runtime;
use walkaround_client::comparison::{ShadowPhotos, reviews_of};
use walkaround_client::replay::ReplayReader;
use walkaround_client::{IfMissing, StackClient};
use walkaround_domain::BundleId;
use walkaround_evaluation::comparison::{ComparedPhoto, Comparison, ComparisonBuilder, ReplayLine};
use walkaround_messages::BundleDocument;

/// Photos of a replay whose reviews are looked up together.
const CHUNK: usize = 500;

pub(crate) fn run(args: &CompareArgs) -> Result<ExitCode, Failure> {
    runtime()?.block_on(async {
        let stack = walkaround_client::open(&(&args.stack).into(), IfMissing::Fail).await?;
        let comparison = compare(&*stack, args).await?;
        if comparison.photos == 0 {
            return Err(nothing(args));
        }
        match (args.format, &args.out) {
            (CompareFormat::Table, _) => print::tables(&comparison)?,
            (CompareFormat::Json, _) => comparison.to_json()?.lines().try_for_each(print_document)?,
            (CompareFormat::Html, Some(out)) => {
                let page = page::write(&*stack, &comparison, out).await?;
                print_line(page.display())?;
            }
            // The command line is refused before.
            (CompareFormat::Html, None) => {
                return Err(Failure::usage("--format html: name a folder with --out"));
            }
        }
        Ok(ExitCode::SUCCESS)
    })
}

fn nothing(args: &CompareArgs) -> Failure {
    let why = match &args.replay {
        Some(file) => format!("{} has no photo of these bundles", file.display()),
        None => "no photo of these days was seen by both: `walkaround bundle shadow` starts a shadow, and `walkaround replay` \
                 inspects photos of the past"
            .to_owned(),
    };
    Failure::Failed(anyhow::anyhow!(why))
}

async fn compare(stack: &dyn StackClient, args: &CompareArgs) -> Result<Comparison, Failure> {
    let mut taking = Taking {
        stack,
        old: args.old.as_ref(),
        builder: ComparisonBuilder::default(),
        waiting: Vec::new(),
    };
    match (&args.replay, &args.new) {
        (Some(file), new) => {
            let mut file = ReplayReader::open(file)?;
            if let Some(new) = new.as_ref().filter(|new| !is(&file.header.bundle, new)) {
                let there = &file.header.bundle;
                return Err(Failure::usage(format!(
                    "the replay is of {} {}, not of {new}",
                    there.name, there.version
                )));
            }
            taking.builder.set_thresholds(file.header.thresholds.clone());
            while let Some(line) = file.next_photo()? {
                match line {
                    ReplayLine::Compared(photo) => taking.take(*photo).await?,
                    other => {
                        if let Some((word, _)) = other.left_out() {
                            taking.builder.leave_out(word);
                        }
                    }
                }
            }
        }
        (None, Some(new)) => shadow(&mut taking, args, new).await?,
        (None, None) => {
            return Err(Failure::usage(
                "name two bundles, or the file of a replay with --replay",
            ));
        }
    }
    taking.flush().await?;
    Ok(taking.builder.finish())
}

async fn shadow(taking: &mut Taking<'_>, args: &CompareArgs, new: &BundleId) -> Result<(), Failure> {
    let window = args.window.window(taking.stack.clock().now());
    let window = window.map_err(Failure::usage)?;
    let mut photos = ShadowPhotos::new(taking.stack, new.clone(), window);
    let mut left = args.max;
    while left > 0 {
        let Some(page) = photos.next().await? else { break };
        for (word, count) in page.left_out {
            (0..count).for_each(|_| taking.builder.leave_out(word));
        }
        for photo in page.photos.into_iter().take(left as usize) {
            left -= 1;
            taking.take(photo).await?;
        }
    }
    Ok(())
}

fn is(document: &BundleDocument, bundle: &BundleId) -> bool {
    document.name == bundle.name && document.version == bundle.version
}

/// Takes photos in, and looks their reviews up, some at a time.
struct Taking<'a> {
    stack: &'a dyn StackClient,
    /// Only photos with this bundle on their record.
    old: Option<&'a BundleId>,
    builder: ComparisonBuilder,
    waiting: Vec<ComparedPhoto>,
}

impl Taking<'_> {
    async fn take(&mut self, photo: ComparedPhoto) -> Result<(), Failure> {
        if self.old.is_some_and(|old| !is(&photo.old.bundle, old)) {
            self.builder.leave_out("of another bundle");
            return Ok(());
        }
        self.waiting.push(photo);
        if self.waiting.len() >= CHUNK {
            self.flush().await?;
        }
        Ok(())
    }

    async fn flush(&mut self) -> Result<(), Failure> {
        let reviews = reviews_of(&self.stack.reviews()?, &self.waiting).await?;
        for (photo, review) in self.waiting.drain(..).zip(reviews) {
            self.builder.add(&photo, review.as_ref());
        }
        Ok(())
    }
}
