//! `walkaround bundle init`: which family an export is of, what its manifest says, what is marked as a guess, and the line
//! for an export that cannot be used.

#![allow(clippy::unwrap_used, reason = "the helpers of tests fail as tests do")]

use serde_json::Value;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use walkaround_inference::Manifest;
use walkaround_tests::places::{python, root};
use walkaround_tests::program;
use walkaround_tests::program::Ran;

/// Small graphs with the tensors of real exports.
fn exports() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let made = python()
        .arg(root().join("tests/bundles/make_exports.py"))
        .arg(folder.path())
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    folder
}

/// Runs it on one file of the folder; the bundle is `FILE.bundle` there.
fn init(folder: &Path, file: &str, options: &[&str]) -> (PathBuf, Ran) {
    let out = folder.join(format!("{file}.bundle"));
    let model = folder.join(file);
    let mut arguments: Vec<&OsStr> = vec!["bundle".as_ref(), "init".as_ref(), model.as_os_str()];
    arguments.extend(["--out".as_ref(), out.as_os_str()]);
    arguments.extend(options.iter().map(OsStr::new));
    let ran = program!().run(arguments);
    (out, ran)
}

fn manifest(bundle: &Path) -> String {
    std::fs::read_to_string(bundle.join("bundle.toml")).unwrap()
}

/// Export, options, lines that its manifest has (without marks), keys that are marked.
type Case = (
    &'static str,
    &'static [&'static str],
    &'static [&'static str],
    &'static [&'static str],
);

const NAMED: &[&str] = &["--classes", "background,scratch"];

#[rustfmt::skip]
const CASES: &[Case] = &[
    ("yolo_segment.onnx", &[], &[
        r#"resize = "letterbox""#, r#"filter = "linear""#, r#"channels = ["scratch", "broken_part"]"#, "overlap = 0.7",
        r#"output0 = ["cx", "cy", "w", "h", "classes", "coefficients"]"#, r#"tensor = "output1""#, "grid = 2048",
        r#"license = "AGPL-3.0""#,
    ], &["threshold"]),
    ("yolo_segment_nms.onnx", &[], &[
        r#"output0 = ["x0", "y0", "x1", "y1", "score", "class", "coefficients"]"#,
    ], &["threshold"]),
    ("yolo_detect.onnx", &[], &[r#"output0 = ["cx", "cy", "w", "h", "classes"]"#, "overlap = 0.7"], &["threshold"]),
    ("yolo_dynamic.onnx", &[], &["width = 64", "height = 64"], &["threshold"]),
    ("yolo_p2.onnx", &[], &[r#"output0 = ["cx", "cy", "w", "h", "classes"]"#], &["threshold"]),
    ("yolo_p6.onnx", &[], &[r#"output0 = ["cx", "cy", "w", "h", "classes"]"#], &["threshold"]),
    ("my model (1) \u{ac00}.onnx", &[], &[
        r#"file = "my_model__1.onnx""#, r#"channels = ["__", "dent"]"#,
    ], &["channels", "threshold"]),
    ("yolov5.onnx", &[], &[r#"output = ["cx", "cy", "w", "h", "object", "classes"]"#], &["threshold"]),
    ("yolo_bare.onnx", &[], &[
        r#"channels = ["class_0", "class_1", "class_2"]"#, r#"output0 = ["cx", "cy", "w", "h", "classes"]"#,
    ], &["resize", "filter", "scale", "channels", "activation", "threshold", "overlap"]),
    ("torchvision.onnx", NAMED, &[
        r#"channels = ["", "scratch"]"#, r#"boxes = ["x0", "y0", "x1", "y1"]"#, r#"scores = ["score"]"#,
        r#"labels = ["class"]"#, r#"tensor = "masks""#, r#"filter = "interpolate""#,
    ], &["filter", "scale", "threshold"]),
    ("detectron2.onnx", NAMED, &[r#"over = "box""#], &["filter", "scale", "threshold", "over"]),
    ("mmdeploy.onnx", NAMED, &[
        r#"dets = ["x0", "y0", "x1", "y1", "score"]"#, r#"labels = ["class"]"#,
    ], &["resize", "filter", "scale", "mean", "std", "threshold"]),
    ("rtdetr.onnx", NAMED, &["constants = { orig_target_sizes = [48, 48] }"], &["filter", "threshold"]),
    ("rfdetr.onnx", &["--classes", "scratch,dent"], &[
        r#"channels = ["scratch", "dent", ""]"#, r#"dets = ["cx", "cy", "w", "h"]"#, r#"labels = ["classes"]"#,
        r#"unit = "share""#, r#"per_row = "each""#, r#"activation = "sigmoid""#,
    ], &["filter", "scale", "mean", "std", "threshold"]),
    ("hf_rtdetr.onnx", &[], &[
        r#"channels = ["class_0", "class_1"]"#, r#"pred_boxes = ["cx", "cy", "w", "h"]"#, r#"filter = "pillow""#,
    ], &["scale", "channels", "activation", "threshold"]),
    ("mask2former.onnx", &["--classes", "scratch,dent"], &[
        r#"channels = ["scratch", "dent", ""]"#, r#"class_queries_logits = ["classes"]"#, r#"activation = "softmax""#,
        r#"per_row = "each""#, r#"tensor = "masks_queries_logits""#, "in_score = true",
    ], &["filter", "scale", "mean", "std", "threshold"]),
    ("segformer.onnx", &["--classes", "background,scratch,dent"], &[
        r#"channels = ["", "scratch", "dent"]"#, r#"decide = "argmax""#, r#"activation = "softmax""#,
        r#"filter = "pillow""#,
    ], &["scale", "mean", "std", "activation", "decide"]),
    ("saved/model.onnx", &[], &[
        r#"channels = ["", "scratch", "broken_part"]"#, "mean = [0.5, 0.5, 0.5]", "std = [0.25, 0.25, 0.25]",
        r#"decide = "argmax""#,
    ], &["activation", "decide"]),
    ("unet.onnx", &["--classes", "scratch,dent"], &[r#"channels = ["scratch", "dent"]"#], &[
        "threshold", "threshold", "scale", "mean", "std",
    ]),
    ("unet_one.onnx", &[], &[r#"channels = ["damage"]"#, r#"activation = "sigmoid""#], &[
        "threshold", "scale", "mean", "std", "channels",
    ]),
    ("keras.onnx", &["--classes", "background,a,b,c"], &[
        r#"layout = "nhwc""#, r#"element = "f16""#, r#"decide = "argmax""#,
    ], &["scale"]),
    ("bytes.onnx", &["--classes", "scratch"], &[r#"element = "u8""#], &["threshold", "activation"]),
    ("mmseg.onnx", NAMED, &[r#"form = "classes""#, r#"channels = ["", "scratch"]"#], &["scale", "mean", "std"]),
    ("free.onnx", &["--size", "64x32"], &["width = 64", "height = 32"], &[
        "threshold", "scale", "mean", "std", "activation", "channels",
    ]),
];

#[test]
fn exports_of_each_family_become_a_bundle_that_passes_the_check() {
    let folder = exports();
    for (file, options, lines, marked) in CASES {
        let options = [&options[..], &["--format", "json"]].concat();
        let (bundle, ran) = init(folder.path(), file, &options);
        assert_eq!(ran.code, 0, "{file}: {}", ran.stderr);
        let text = manifest(&bundle);
        Manifest::parse(&text).unwrap();
        for line in *lines {
            let is_there = text
                .lines()
                .any(|l| l.split("  # ").next().unwrap().trim_end() == *line);
            assert!(is_there, "{file}: no line `{line}`:\n{text}");
        }
        // What is told is what is marked, by line.
        let told: Value = serde_json::from_str(&ran.stdout).unwrap();
        let told = told["assumptions"].as_array().unwrap();
        let keys: Vec<&str> = told.iter().map(|a| a["key"].as_str().unwrap()).collect();
        assert_eq!(keys, *marked, "{file}");
        for assumption in told {
            let line = text
                .lines()
                .nth(assumption["line"].as_u64().unwrap() as usize - 1)
                .unwrap();
            let key = assumption["key"].as_str().unwrap();
            assert!(
                line.starts_with(key) && line.contains("# ASSUMED: "),
                "{file}: {line}"
            );
        }
        assert_eq!(text.matches("# ASSUMED: ").count(), told.len(), "{file}");
        let checked = program!().run(["bundle".as_ref(), "check".as_ref(), bundle.as_os_str()]);
        assert_eq!(checked.code, 0, "{file}: {}", checked.stderr);
    }
}

/// Export, options, words of the one line.
const REFUSED: &[(&str, &[&str], &[&str])] = &[
    ("torchvision.onnx", &[], &["--classes background,scratch"]),
    (
        "unet.onnx",
        &["--classes", "scratch"],
        &["2 classes", "1 is named"],
    ),
    ("bool_masks.onnx", NAMED, &["`masks`", "cast it"]),
    ("free.onnx", &[], &["--size 640x640"]),
    ("infinite.onnx", &[], &["`mask`", "inf"]),
    ("huge.onnx", &[], &["100000 x 100000", "at most 4096"]),
    ("grey.onnx", &[], &["three channels", "(1, 1, 32, 32)"]),
    ("nan.onnx", &[], &["`mask`", "NaN"]),
    ("two_inputs.onnx", &[], &["`pixel_mask`", "its only input"]),
    ("unknown.onnx", &[], &["x [1, 2, 3, 4, 5]", "docs/bundle.md"]),
    (
        "lost.onnx",
        &[],
        &["`lost.onnx.data`", "copy it beside", "external_data=False"],
    ),
    ("yolo_pose.onnx", &[], &["`pose`"]),
    ("yolo_other.onnx", &[], &["[1, 11, 86]", "yolo export"]),
    ("gate.onnx", &[], &["gate.onnx", "a bundle needs a segmenter"]),
    ("best.pt", &[], &["PyTorch checkpoint", "yolo export"]),
    ("notes.onnx", &[], &["no ONNX file"]),
];

#[test]
fn an_export_that_cannot_be_used_is_one_line_with_what_to_do() {
    let folder = exports();
    for (file, options, words) in REFUSED {
        let (bundle, ran) = init(folder.path(), file, options);
        let line = ran.one_line(1);
        for word in *words {
            assert!(line.contains(word), "{file}: no `{word}`: {line}");
        }
        assert!(!bundle.exists(), "{file}: nothing is left behind");
    }
}

/// The constant detector is sure of nothing.
fn a_picture_is_shown(bundle: &Path) {
    let picture = root().join("tests/bundles/seven/self_test.png");
    let shown = program!().run([
        "bundle".as_ref(),
        "check".as_ref(),
        bundle.as_os_str(),
        "--picture".as_ref(),
        picture.as_os_str(),
    ]);
    assert_eq!(shown.code, 0, "{}", shown.stderr);
    assert!(shown.stdout.contains("locator: no vehicle"), "{}", shown.stdout);
}

#[test]
fn several_files_make_one_bundle() {
    let folder = exports();
    let at = |file: &str| folder.path().join(file);
    // Two files of one name, as two trainings leave them.
    let other = folder.path().join("other");
    std::fs::create_dir(&other).unwrap();
    std::fs::copy(at("yolo_segment.onnx"), other.join("gate.onnx")).unwrap();
    let bundle = folder.path().join("fleet");
    let ran = program!().run([
        "bundle".as_ref(),
        "init".as_ref(),
        at("gate.onnx").as_os_str(),
        other.join("gate.onnx").as_os_str(),
        at("segformer.onnx").as_os_str(),
        "--gate".as_ref(),
        at("yolo_classify.onnx").as_os_str(),
        "--locator".as_ref(),
        at("yolo_cars.onnx").as_os_str(),
        "--classes".as_ref(),
        "segformer.onnx=background,scratch,rust".as_ref(),
        "--name".as_ref(),
        "fleet".as_ref(),
        "--out".as_ref(),
        bundle.as_os_str(),
    ]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let text = manifest(&bundle);
    let parsed = Manifest::parse(&text).unwrap();
    let networks: Vec<(String, &str)> = parsed
        .networks
        .iter()
        .map(|network| (network.file.clone(), network.role().as_str()))
        .collect();
    let expected = [
        ("yolo_cars.onnx", "locator"),
        ("gate.onnx", "gate"),
        ("yolo_classify.onnx", "gate"),
        ("gate-segmenter.onnx", "segmenter"),
        ("segformer.onnx", "segmenter"),
    ];
    assert_eq!(networks, expected.map(|(file, role)| (file.to_owned(), role)));
    let classes: Vec<&str> = parsed.classes.iter().map(|class| class.name.as_str()).collect();
    assert_eq!(classes, ["scratch", "broken_part", "rust"]);
    // The vehicles of the detector, the damage of the classifier.
    assert!(
        text.contains("positive = [2, 3]\n") && text.contains("positive = [1, 2]\n"),
        "{text}"
    );
    assert!(
        text.contains(r#"data = [{ file = "segformer.onnx.data", sha256 = ""#),
        "{text}"
    );
    assert!(
        ran.stdout.contains("bundle check") && ran.stdout.contains("--picture"),
        "{}",
        ran.stdout
    );
    a_picture_is_shown(&bundle);
}

#[test]
fn what_is_there_is_not_written_over() {
    let folder = exports();
    let (bundle, ran) = init(folder.path(), "yolo_detect.onnx", &[]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let before = manifest(&bundle);
    let (_, again) = init(folder.path(), "yolo_detect.onnx", &[]);
    let line = again.one_line(2);
    assert!(
        line.contains("is there already") && line.contains("--out"),
        "{line}"
    );
    assert_eq!(manifest(&bundle), before);
    // A file of the same name and other bytes stays, too.
    std::fs::remove_file(bundle.join("bundle.toml")).unwrap();
    std::fs::write(bundle.join("yolo_detect.onnx"), "mine").unwrap();
    let (_, other) = init(folder.path(), "yolo_detect.onnx", &[]);
    let line = other.one_line(1);
    assert!(line.contains("another file"), "{line}");
    assert_eq!(std::fs::read(bundle.join("yolo_detect.onnx")).unwrap(), b"mine");
}

#[test]
fn a_graph_that_fails_with_two_photos_is_one_line_and_nothing_of_the_runtimes_own() {
    let folder = exports();
    let (bundle, ran) = init(folder.path(), "baked.onnx", &["--classes", "scratch"]);
    let written = ran.one_line(1);
    assert!(written.contains("does not run as it is"), "{written}");
    let checked = program!().run(["bundle".as_ref(), "check".as_ref(), bundle.as_os_str()]);
    let line = checked.one_line(1);
    for word in [
        "network `baked`",
        "Reshape",
        "with two it does not",
        "a batch of 1",
    ] {
        assert!(line.contains(word), "no `{word}` in: {line}");
    }
}

/// The lines of `bundle check` that begin with a warning.
fn warnings(bundle: &Path) -> Vec<String> {
    let checked = program!().run(["bundle".as_ref(), "check".as_ref(), bundle.as_os_str()]);
    assert_eq!(checked.code, 0, "{}", checked.stderr);
    let lines = checked
        .stdout
        .lines()
        .filter(|line| line.starts_with("warning: "));
    lines.map(str::to_owned).collect()
}

#[test]
fn objects_that_the_manifest_does_not_read_are_warned_of() {
    let folder = exports();
    let (bundle, ran) = init(folder.path(), "yolo_segment.onnx", &[]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_eq!(warnings(&bundle), Vec::<String>::new());
    // Without its masks: boxes only.
    let file = bundle.join("bundle.toml");
    let text = manifest(&bundle);
    let (output, _) = text.split_once("[networks.output.masks]").unwrap();
    let columns = format!("\"classes\"{}]", ", \"\"".repeat(32));
    std::fs::write(&file, output.replace("\"classes\", \"coefficients\"]", &columns)).unwrap();
    let told = warnings(&bundle);
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(
        told[0].contains("`output1`") && told[0].contains("boxes only"),
        "{told:?}"
    );
    // Its prototypes as if they were maps of classes.
    let (head, _) = text.split_once("form = \"instances\"").unwrap();
    let channels = format!("[\"scratch\", \"broken_part\"{}]", ", \"\"".repeat(30));
    let maps = format!("tensor = \"output1\"\nchannels = {channels}\n");
    std::fs::write(&file, format!("{head}{maps}")).unwrap();
    let told = warnings(&bundle);
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(
        told[0].contains("`output0`") && told[0].contains("rows of objects"),
        "{told:?}"
    );
}

#[test]
fn usage_is_one_line_and_2() {
    let folder = exports();
    for (file, options, words) in [
        ("absent.onnx", &[][..], "no file"),
        ("unet.onnx", &["--classes", "a,,b"], "--classes a,,b"),
        (
            "unet.onnx",
            &["--classes", "\u{c2a4}\u{d06c}"],
            "expected --classes scratch,dent",
        ),
        ("unet.onnx", &["--size", "big"], "--size big"),
        ("unet.onnx", &["--size", "0x4"], "--size 0x4"),
        ("unet.onnx", &["--size", "60000x60000"], "--size 60000x60000"),
        (
            "unet.onnx",
            &["--classes", "x.onnx=a,b"],
            "no such file among those named",
        ),
    ] {
        let (_, ran) = init(folder.path(), file, options);
        let line = ran.one_line(2);
        assert!(line.contains(words), "{line}");
    }
    let ran = program!().run(["bundle", "init"]);
    assert!(ran.one_line(2).contains("MODEL.onnx"), "{}", ran.stderr);
}
