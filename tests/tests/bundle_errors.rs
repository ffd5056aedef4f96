//! A bundle that cannot be used: one line that names the cause, from `bundle check` and from `inspect` alike,
//! and nothing inspected.

use std::ffi::OsStr;
use std::path::Path;
use walkaround_inference::bundle::hex_sha256;
use walkaround_tests::places::{edited_seven, seven};
use walkaround_tests::program;

/// Both commands refuse the bundle with exit code 1 and one line that holds every word.
fn refused(bundle: &Path, words: &[&str]) {
    let check: [&OsStr; 3] = ["bundle".as_ref(), "check".as_ref(), bundle.as_os_str()];
    let photo = seven().join("self_test.png");
    for ran in [program!().run(check), program!().inspect(bundle, &[&photo], &[])] {
        let line = ran.one_line(1);
        for word in words {
            assert!(line.contains(word), "no `{word}` in: {line}");
        }
        assert!(
            !ran.stdout.contains("\"verdict\""),
            "nothing was inspected: {}",
            ran.stdout
        );
    }
}

fn refused_when(from: &str, to: &str, words: &[&str]) {
    refused(edited_seven(&[(from, to)]).path(), words);
}

const GATE_DIGEST: &str = "6e319c0d16caf44bd11ad1a2ab253430450d7c316f3d4e433356472564855c41";

#[test]
fn a_digest_that_does_not_fit() {
    refused_when(
        GATE_DIGEST,
        &"0".repeat(64),
        &["gate.onnx", "SHA-256", GATE_DIGEST, "pins 0000"],
    );
}

#[test]
fn a_file_that_was_changed() {
    let bundle = edited_seven(&[]);
    let path = bundle.path().join("deeplab.onnx");
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    refused(bundle.path(), &["deeplab.onnx", "SHA-256"]);
}

#[test]
fn files_that_are_missing() {
    for name in ["glass_f16.onnx", "self_test.png", "bundle.toml"] {
        let bundle = edited_seven(&[]);
        std::fs::remove_file(bundle.path().join(name)).unwrap();
        refused(bundle.path(), &["cannot read", name, "No such file"]);
    }
}

#[test]
fn a_folder_that_is_missing_is_usage() {
    let bundle = edited_seven(&[]);
    let absent = bundle.path().join("absent");
    let photo = seven().join("self_test.png");
    let check: [&OsStr; 3] = ["bundle".as_ref(), "check".as_ref(), absent.as_os_str()];
    for ran in [program!().run(check), program!().inspect(&absent, &[&photo], &[])] {
        let line = ran.one_line(2);
        assert!(
            line.contains("no bundle folder") && line.contains("absent"),
            "{line}"
        );
    }
}

#[test]
fn keys_that_nobody_knows() {
    refused_when(
        "closing = 0.004",
        "closeing = 0.004",
        &["bundle.toml", "line 32", "closeing"],
    );
    refused_when(
        "clipped_max = 0.95",
        "clipped = 0.95",
        &["bundle.toml", "line 55", "clipped"],
    );
    refused_when("overlap = 0.25", "overlaps = 0.25", &["bundle.toml", "overlaps"]);
    refused_when(
        "clipped_max = 0.95",
        "clipped_max = 0.95\n[review]\nbend = 0.1",
        &["bundle.toml", "line 57", "bend", "audit_share"],
    );
}

#[test]
fn a_review_policy_out_of_range() {
    for (line, words) in [
        ("band = 0.6", "review.band is 0.6, expected 0 to 0.5"),
        ("audit_share = 1.5", "review.audit_share is 1.5, expected 0 to 1"),
    ] {
        let table = format!("clipped_max = 0.95\n[review]\n{line}");
        refused_when("clipped_max = 0.95", &table, &["bundle.toml", words]);
    }
}

#[test]
fn a_class_that_is_none() {
    refused_when(
        "channels = [\"scratch\"]",
        "channels = [\"scrach\"]",
        &["scratch_unet", "`scrach` is not a class of the bundle"],
    );
    refused_when(
        "wear = 0.0128",
        "waer = 0.0128",
        &["self_test", "`waer` is not a class of the bundle"],
    );
}

#[test]
fn tensors_that_the_graph_has_not() {
    refused_when(
        "tensor = \"image\"\nwidth = 128\nheight = 128\nresize",
        "tensor = \"picture\"\nwidth = 128\nheight = 128\nresize",
        &["locator", "no input tensor `picture`", "the graph has: image"],
    );
    refused_when(
        "tensor = \"probabilities\"",
        "tensor = \"logits\"",
        &[
            "dent_bgr",
            "no output tensor `logits`",
            "the graph has: probabilities",
        ],
    );
}

#[test]
fn inputs_that_the_graph_does_not_take() {
    refused_when(
        "element = \"f16\"",
        "element = \"f32\"",
        &["glass_f16", "Float16", "the manifest says Float32"],
    );
    refused_when(
        "element = \"u8\"",
        "element = \"f32\"",
        &["dent_bgr", "Uint8", "the manifest says Float32"],
    );
    refused_when(
        "width = 192",
        "width = 200",
        &["deeplab", "[-1, 3, 128, 192]", "[-1, 3, 128, 200]"],
    );
    refused_when(
        "layout = \"nhwc\"\nelement",
        "layout = \"nchw\"\nelement",
        &["dent_bgr", "[-1, 80, 112, 3]", "[-1, 3, 80, 112]"],
    );
}

#[test]
fn outputs_with_other_channels() {
    refused_when(
        "channels = [\"scratch\"]",
        "channels = [\"scratch\", \"dent\"]",
        &["scratch_unet", "[-1, 1, 128, 128]", "2 channels"],
    );
    refused_when(
        "channels = [\"\", \"dent\", \"spacing\"]",
        "channels = [\"dent\", \"spacing\"]",
        &["deeplab", "2 channels"],
    );
    refused_when("positive = [1]", "positive = [2]", &["gate", "channel 2"]);
}

#[test]
fn a_self_test_that_disagrees() {
    refused_when(
        "dent = 0.0252",
        "dent = 0.0752",
        &["self-test failed", "dent is 0.025, expected 0.075", "0.004"],
    );
    refused_when(
        "gate = 1.0000",
        "gate = 0.5",
        &["self-test failed", "gate is 1.000, expected 0.500"],
    );
}

#[test]
fn a_wrong_normalisation_is_caught_by_the_self_test() {
    refused_when(
        "mean = [0.485, 0.456, 0.406]",
        "mean = [0.185, 0.456, 0.406]",
        &["self-test failed", "scratch"],
    );
    refused_when(
        "scale = 0.00784313725490196",
        "scale = 0.00392156862745098",
        &["self-test failed", "spacing"],
    );
}

#[test]
fn file_names_that_leave_the_folder() {
    for name in [
        "../seven/gate.onnx",
        "sub/gate.onnx",
        "/etc/passwd",
        ".hidden",
        "",
    ] {
        let to = format!("file = \"{name}\"");
        refused_when(
            "file = \"gate.onnx\"",
            &to,
            &["network `gate`", "plain file name"],
        );
    }
    refused_when(
        "picture = \"self_test.png\"",
        "picture = \"../self_test.png\"",
        &["self_test.picture", "plain file name"],
    );
}

#[test]
fn text_that_is_no_toml() {
    refused_when("name = \"seven\"", "name = \"seven", &["bundle.toml", "line 3"]);
    refused_when(
        "format = 1",
        "format = 2",
        &["bundle.toml", "format is 2", "reads format 1"],
    );
    let bundle = edited_seven(&[]);
    std::fs::write(bundle.path().join("bundle.toml"), [0xff, 0xfe, 0x00]).unwrap();
    refused(bundle.path(), &["bundle.toml", "not UTF-8"]);
    std::fs::write(bundle.path().join("bundle.toml"), "").unwrap();
    refused(bundle.path(), &["bundle.toml", "format"]);
}

#[test]
fn a_pinned_file_that_is_no_network() {
    for content in [&b"no network"[..], b""] {
        let bundle = edited_seven(&[(GATE_DIGEST, &hex_sha256(content))]);
        std::fs::write(bundle.path().join("gate.onnx"), content).unwrap();
        refused(bundle.path(), &["network `gate`"]);
    }
}

#[test]
fn probabilities_that_are_called_class_numbers() {
    refused_when(
        "activation = \"softmax\"\nchannels = [\"\", \"dent\", \"spacing\"]",
        "form = \"classes\"\nchannels = [\"\", \"dent\", \"spacing\"]",
        &["expected [n, h, w] or [n, 1, h, w] of class numbers"],
    );
    refused_when(
        "activation = \"softmax\"\nchannels = [\"\", \"dent\", \"spacing\"]",
        "form = \"classes\"\nactivation = \"softmax\"\nchannels = [\"\", \"dent\", \"spacing\"]",
        &["class numbers have no activation"],
    );
    // Logits that are called probabilities are found by the self-test.
    refused_when(
        "activation = \"softmax\"\nchannels = [\"\", \"dent\", \"spacing\"]",
        "channels = [\"\", \"dent\", \"spacing\"]",
        &["a probability is", "activation = \"sigmoid\" or \"softmax\""],
    );
}
