//! The drop folder over a real stack in a temporary folder, with a clock that moves when the test says so.

use super::*;
use std::io::Write;
use tempfile::TempDir;
use walkaround_conformance::ManualClock;
use walkaround_domain::{InspectionRequest, PhotoRef};
use walkaround_local::{LocalStack, Options};
use walkaround_messages::{Intake, parse_intake};
use walkaround_pipeline::shutdown::{ShutdownTrigger, shutdown_signal};
use walkaround_ports::BlobAddress;
use walkaround_settings::Settings;

const SETTLE: Duration = Duration::from_secs(5);

struct Bench {
    home: TempDir,
    drop: DropFolder,
    stack: Stack,
    clock: Arc<ManualClock>,
    stop: (ShutdownTrigger, ShutdownSignal),
}

impl Bench {
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::new());
        let stack = Stack {
            settings: Arc::new(Settings::from_lookup(&|_| None).unwrap()),
            local: LocalStack::open(&home.path().join("root"), Options::default(), clock.clone()).unwrap(),
            clock: clock.clone(),
        };
        let folder = home.path().join("drop");
        fs::create_dir(&folder).unwrap();
        let drop = DropFolder::open(&folder, &stack).unwrap();
        assert_eq!(drop.settle, SETTLE, "the default of the setting");
        Self {
            home,
            drop,
            stack,
            clock,
            stop: shutdown_signal(),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.home.path().join("drop").join(name)
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    fn append(&self, name: &str, bytes: &[u8]) {
        let mut file = fs::OpenOptions::new().append(true).open(self.path(name)).unwrap();
        file.write_all(bytes).unwrap();
    }

    async fn check(&mut self) -> usize {
        self.drop.check(&self.stop.1).await
    }

    /// Looks once a second for so long; how many were taken.
    async fn scans(&mut self, seconds: u64) -> usize {
        let mut taken = self.check().await;
        for _ in 0..seconds {
            self.clock.advance(Duration::from_secs(1));
            taken += self.check().await;
        }
        taken
    }

    /// Everything that was sent so far, with the bytes that each request names.
    async fn sent(&self) -> Vec<(InspectionRequest, Vec<u8>)> {
        let intake = self.stack.local.queue(INTAKE).unwrap();
        let mut all = Vec::new();
        loop {
            let deliveries = intake
                .receive(10, Duration::from_secs(3600), Duration::ZERO)
                .await
                .unwrap();
            if deliveries.is_empty() {
                return all;
            }
            for delivery in deliveries {
                let mut intakes = parse_intake(&delivery.body, &delivery.attributes).unwrap();
                let Some(Intake::Inspect(request)) = intakes.pop() else {
                    panic!("no request")
                };
                let PhotoRef::S3 { bucket, key, .. } = request.photo.clone() else {
                    panic!("not in the stack")
                };
                let at = BlobAddress { bucket, key };
                let bytes = self.stack.local.blobs().get(&at, 1 << 20).await.unwrap();
                all.push((request, bytes));
            }
        }
    }
}

/// The frame of a JPEG: a thumbnail with an end of its own in a segment, a scan, and its end.
fn jpeg(content: &str) -> Vec<u8> {
    let mut bytes = b"\xFF\xD8\xFF\xE1\x00\x06\xFF\xD8\xFF\xD9\xFF\xDA\x00\x02".to_vec();
    bytes.extend(content.as_bytes());
    bytes.extend(b"\xFF\xD9");
    bytes
}

#[tokio::test]
async fn a_misspelt_drop_folder_is_refused_and_not_made() {
    let bench = Bench::new();
    let misspelt = bench.home.path().join("dorp");
    let file = bench.path("a.jpg");
    fs::write(&file, "a file").unwrap();
    for (folder, words) in [(&misspelt, "No such file"), (&file, "not a directory")] {
        let Err(Failure::Usage(refused)) = DropFolder::open(folder, &bench.stack) else {
            panic!("{} is taken", folder.display());
        };
        assert!(
            refused.contains(&folder.display().to_string()) && refused.contains(words),
            "{refused}"
        );
    }
    assert!(!misspelt.exists());
}

#[tokio::test]
async fn a_drop_folder_that_goes_away_is_said_and_taken_up_when_it_is_back() {
    let mut bench = Bench::new();
    assert_eq!(bench.drop.away(), None);
    let elsewhere = bench.home.path().join("elsewhere");
    fs::rename(bench.home.path().join("drop"), &elsewhere).unwrap();
    let why = bench.drop.away().unwrap();
    assert!(why.contains("drop is away"), "{why}");
    bench.drop.note_away(Some(&why));
    fs::write(elsewhere.join("a.jpg"), jpeg("a")).unwrap();
    fs::rename(&elsewhere, bench.home.path().join("drop")).unwrap();
    assert_eq!(bench.drop.away(), None);
    bench.drop.note_away(None);
    assert_eq!(bench.scans(SETTLE.as_secs() + 1).await, 1);
    // Another file system in its place, as when a mount is lost: told from one that is mounted again by what it holds.
    bench.drop.filesystem += 1;
    assert_eq!(bench.drop.away(), None, "it has accepted/");
    bench.drop.filesystem += 1;
    for kind in [ACCEPTED, REFUSED] {
        fs::remove_dir_all(bench.path(kind)).unwrap();
    }
    assert!(bench.drop.away().unwrap().contains("is it mounted?"));
    // Emptied by somebody, it is the same folder.
    bench.drop.filesystem = fs::metadata(bench.path("")).unwrap().dev();
    assert_eq!(bench.drop.away(), None);
}

#[tokio::test]
async fn a_file_that_is_written_slowly_is_taken_once_and_whole() {
    let mut bench = Bench::new();
    let photo = jpeg(&"x".repeat(4000));
    bench.write("a.jpg", &photo[..1000]);
    let mut taken = 0;
    for part in photo[1000..].chunks(1000) {
        // Slower than two checks, faster than the least age.
        taken += bench.scans(4).await;
        bench.append("a.jpg", part);
    }
    assert_eq!(taken, 0, "taken while it was written");
    assert_eq!(bench.scans(6).await, 1);
    let sent = bench.sent().await;
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].1, photo);
    assert_eq!(fs::read(bench.path("accepted/a.jpg")).unwrap(), photo);
    assert!(!bench.path("a.jpg").exists());
}

#[tokio::test]
async fn a_cut_file_waits_for_another_look_and_is_taken_as_it_is_in_the_end() {
    let mut bench = Bench::new();
    let photo = jpeg("pixels");
    // Its writer pauses for longer than the least age.
    bench.write("a.jpg", &photo[..photo.len() - 4]);
    assert_eq!(bench.scans(20).await, 0);
    bench.append("a.jpg", &photo[photo.len() - 4..]);
    assert_eq!(bench.scans(6).await, 1);
    assert_eq!(bench.sent().await[0].1, photo);
    // Some cameras write no end.
    bench.write("b.jpg", &photo[..photo.len() - 2]);
    assert_eq!(bench.scans(59).await, 0);
    assert_eq!(bench.scans(2).await, 1);
    // An empty file is no photo yet, and never one that was checked.
    bench.write("c.jpg", b"");
    assert_eq!(bench.scans(200).await, 0);
    assert!(bench.path("c.jpg").exists());
}

/// A JPEG whose index names a second picture behind the first (CIPA DC-007).
fn two_pictures(first: &str, second: &str) -> (Vec<u8>, Vec<u8>) {
    const INDEX_BYTES: usize = 4 + 8 + 2 + 12 + 4 + 2 * 16;
    let second = jpeg(second);
    let first = jpeg(first);
    let end_of_first = first.len() + 4 + INDEX_BYTES;
    let mut index = b"MPF\0MM\0*\0\0\0\x08\0\x01\xB0\x02\0\x07".to_vec();
    // Bytes and place of the entries, the next directory, and the entries: offsets count from the tenth byte.
    for number in [
        32,
        26,
        0,
        0,
        end_of_first,
        0,
        0,
        0,
        second.len(),
        end_of_first - 10,
        0,
    ] {
        index.extend(u32::try_from(number).unwrap().to_be_bytes());
    }
    let segment = [&[0xFF, 0xE2, 0, 2 + INDEX_BYTES as u8], &index[..]].concat();
    let first = [&first[..2], &segment, &first[2..]].concat();
    assert_eq!((index.len(), first.len()), (INDEX_BYTES, end_of_first));
    (first, second)
}

#[tokio::test]
async fn a_file_of_two_pictures_is_not_whole_at_the_end_of_the_first() {
    let mut bench = Bench::new();
    let (first, second) = two_pictures("pixels", "the other eye's");
    // Its writer pauses between the pictures, and in the second.
    bench.write("a.mpo", &first);
    assert_eq!(bench.scans(20).await, 0);
    bench.append("a.mpo", &second[..10]);
    assert_eq!(bench.scans(20).await, 0);
    bench.append("a.mpo", &second[10..]);
    assert_eq!(bench.scans(6).await, 1);
    let sent = bench.sent().await;
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].1, [&first[..], &second].concat());
    // A tool that drops the second picture leaves the index.
    bench.write("b.jpg", &two_pictures("first alone", "second").0);
    assert_eq!(bench.scans(59).await, 0);
    assert_eq!(bench.scans(2).await, 1);
}

#[tokio::test]
async fn a_pause_in_the_middle_of_a_picture_of_any_kind_is_waited_for() {
    use image::ImageFormat;
    let picture = image::DynamicImage::new_rgb8(90, 70);
    for (name, format) in [
        ("a.jpg", ImageFormat::Jpeg),
        ("a.png", ImageFormat::Png),
        ("a.webp", ImageFormat::WebP),
        ("a.gif", ImageFormat::Gif),
        ("a.bmp", ImageFormat::Bmp),
        ("a.tif", ImageFormat::Tiff),
    ] {
        let mut bench = Bench::new();
        let mut photo = std::io::Cursor::new(Vec::new());
        picture.write_to(&mut photo, format).unwrap();
        let photo = photo.into_inner();
        let (first, rest) = photo.split_at(photo.len() / 2);
        bench.write(name, first);
        assert_eq!(bench.scans(20).await, 0, "{name}");
        bench.append(name, rest);
        assert_eq!(bench.scans(6).await, 1, "{name}");
        assert_eq!(bench.sent().await[0].1, photo, "{name}");
    }
}

#[tokio::test]
async fn what_is_written_to_a_file_after_it_was_taken_is_taken_too() {
    let mut bench = Bench::new();
    // Its writer has it open, whatever it is called by then.
    let photo = jpeg("half");
    bench.write("a.jpg", &photo);
    let mut writer = fs::OpenOptions::new()
        .append(true)
        .open(bench.path("a.jpg"))
        .unwrap();
    assert_eq!(bench.scans(6).await, 1);
    writer.write_all(b"the rest").unwrap();
    bench.scans(7).await;
    let sent = bench.sent().await;
    let whole = fs::read(bench.path("accepted/a.jpg")).unwrap();
    assert_eq!(
        sent.iter().map(|(_, bytes)| bytes).collect::<Vec<_>>(),
        [&photo, &whole]
    );
    assert_ne!(sent[0].0.id, sent[1].0.id, "other bytes are another inspection");
    bench.scans(20).await;
    assert!(bench.sent().await.is_empty(), "once each");
    // What it is now lacks its end: as long is waited as for any other.
    writer.set_len(6).unwrap();
    bench.scans(59).await;
    assert!(bench.sent().await.is_empty(), "its writer may be at work");
    bench.scans(7).await;
    assert_eq!(bench.sent().await.len(), 1);
}

#[tokio::test]
async fn every_photo_is_found_whatever_lies_beside_it() {
    let mut bench = Bench::new();
    for n in 0..1500 {
        bench.write(&format!("{n:04}.xmp"), b"sidecar");
    }
    for n in 0..20 {
        bench.write(&format!("photo-{n}.jpg"), &jpeg(&format!("{n}")));
    }
    assert_eq!(bench.scans(6).await, 20);
    assert_eq!(bench.sent().await.len(), 20);
}

#[tokio::test]
async fn photos_in_folders_below_are_taken_and_keep_their_folders() {
    let mut bench = Bench::new();
    for name in [
        "r-7/front/a.jpg",
        "r-7/back/a.jpg",
        "accepted/old.jpg",
        ".hidden/a.jpg",
        "r-7/accepted/b.jpg",
    ] {
        bench.write(name, &jpeg(name));
    }
    assert_eq!(bench.scans(6).await, 3);
    for name in ["r-7/front/a.jpg", "r-7/back/a.jpg", "r-7/accepted/b.jpg"] {
        assert_eq!(fs::read(bench.path("accepted").join(name)).unwrap(), jpeg(name));
    }
}

#[tokio::test]
async fn what_a_nas_puts_beside_photos_stays_and_is_named_once() {
    let mut bench = Bench::new();
    for folder in ["@eaDir/a.jpg", "#recycle", "$RECYCLE.BIN", "@Recycle", "__MACOSX"] {
        bench.write(&format!("r-7/{folder}/SYNOPHOTO_THUMB_XL.jpg"), &jpeg(folder));
    }
    bench.write("r-7/a.jpg", &jpeg("a"));
    bench.write("r-7/._a.jpg", &jpeg("a"));
    bench.write("r-7/.hidden.jpg", &jpeg("a"));
    assert_eq!(bench.scans(6).await, 1);
    assert!(bench.path("r-7/@eaDir/a.jpg/SYNOPHOTO_THUMB_XL.jpg").exists());
    let said = [
        "left out 6 files and folders that a NAS or an operating system made: r-7/#recycle, r-7/$RECYCLE.BIN, \
         r-7/._a.jpg, r-7/@Recycle, r-7/@eaDir, …",
        "left out 1 hidden file or folder: r-7/.hidden.jpg",
    ];
    assert_eq!(bench.drop.scan.said(), said);
    bench.scans(20).await;
    let (now, settle) = (bench.clock.ticks(), bench.drop.settle);
    assert!(bench.drop.scan.say_left_out(now, settle).is_empty(), "said again");
}

#[tokio::test]
async fn content_decides_and_what_is_left_out_is_named() {
    let mut bench = Bench::new();
    bench.write("without-suffix", &jpeg("a"));
    bench.write("a.photo", &jpeg("b"));
    bench.write("notes", b"text and more");
    bench.write("half.part", &jpeg("c"));
    bench.write("empty.jpg", b"");
    std::os::unix::fs::symlink(bench.home.path(), bench.path("linked")).unwrap();
    assert_eq!(bench.scans(6).await, 2);
    assert!(bench.path("accepted/without-suffix").exists());
    let said = [
        "left out 2 files that are not pictures: half.part, notes",
        "left out 1 link (links are not followed here): linked",
        "left out 1 empty file: empty.jpg",
    ];
    assert_eq!(bench.drop.scan.said(), said);
    // What comes to be a picture is taken.
    bench.append("empty.jpg", &jpeg("d"));
    bench.write("notes", &jpeg("e"));
    assert_eq!(bench.scans(6).await, 2);
}

#[tokio::test]
async fn two_files_of_one_name_are_both_kept() {
    let mut bench = Bench::new();
    for content in ["first", "second", "third"] {
        bench.write("IMG_0001.jpg", &jpeg(content));
        assert_eq!(bench.scans(6).await, 1);
    }
    for (name, content) in [
        ("IMG_0001", "first"),
        ("IMG_0001-2", "second"),
        ("IMG_0001-3", "third"),
    ] {
        let path = bench.path(&format!("accepted/{name}.jpg"));
        assert_eq!(fs::read(path).unwrap(), jpeg(content));
    }
}

#[tokio::test]
async fn a_name_with_a_line_end_makes_a_request_that_is_taken() {
    let mut bench = Bench::new();
    bench.write("a\nERROR forged\u{1b}[2J.jpg", &jpeg("x"));
    assert_eq!(bench.scans(6).await, 1);
    let sent = bench.sent().await;
    assert!(
        sent[0].0.photo.to_string().ends_with("/a_ERROR forged_[2J.jpg"),
        "{}",
        sent[0].0.photo
    );
}

#[test]
fn a_drop_folder_and_a_root_do_not_lie_in_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    for name in ["root/blobs", "drop", ".walkaround"] {
        fs::create_dir_all(at(name)).unwrap();
    }
    std::os::unix::fs::symlink(at("root"), at("link")).unwrap();
    for (outer, inner, holds) in [
        ("root", "root/blobs", true),
        ("root", "link", true),
        ("link", "root/blobs", true),
        ("root", "root/not-there-yet", true),
        ("root", "drop", false),
        ("drop", "root", false),
    ] {
        assert_eq!(holds_photos_of(&at(outer), &at(inner)), holds, "{outer} {inner}");
    }
    assert!(holds_photos_of(folder.path(), &at("root")));
    assert!(
        !holds_photos_of(folder.path(), &at(".walkaround")),
        "hidden folders are passed by"
    );
}
