//! What people really hand over: folders off a NAS, FIFOs, manifests of Excel, settings in another encoding, AWS profiles
//! that are not there. Each is done, or is one line that names the cause.

#![allow(clippy::unwrap_used, reason = "the helpers of tests fail as tests do")]

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Output};
use walkaround_tests::files::{jpeg, put};
use walkaround_tests::pictures::vehicle_with;
use walkaround_tests::places::seven;
use walkaround_tests::program;

fn mkfifo(path: &Path) {
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

/// The program with variables that no helper sets.
fn run(arguments: &[&str], variables: &[(&str, OsString)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_walkaround-under-test"));
    command.args(arguments).env("AWS_EC2_METADATA_DISABLED", "true");
    for name in [
        "AWS_PROFILE",
        "AWS_REGION",
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
    ] {
        command.env_remove(name);
    }
    command.envs(variables.iter().map(|(name, value)| (name, value)));
    command.output().unwrap()
}

/// The one line of a run that ended with `code`.
fn line(ran: &Output, code: i32) -> String {
    let text = String::from_utf8(ran.stderr.clone()).unwrap();
    assert!(
        ran.status.code() == Some(code) && text.lines().count() == 1,
        "{ran:?}"
    );
    text
}

#[test]
fn a_folder_off_a_nas_is_looked_at_and_what_is_left_out_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let photo = jpeg(&vehicle_with(&[]), 95);
    put(root, "a.jpg", &photo);
    put(root, "b.MPO", &photo);
    put(root, "photo-without-suffix", &photo);
    std::fs::create_dir(root.join("@eaDir")).unwrap();
    put(&root.join("@eaDir"), "SYNOPHOTO_THUMB_M.jpg", &photo);
    put(root, "._a.jpg", b"AppleDouble");
    put(root, "notes.txt", b"text");
    mkfifo(&root.join("pipe.jpg"));
    symlink("nowhere.jpg", root.join("broken.jpg")).unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    put(elsewhere.path(), "c.jpg", &photo);
    symlink(elsewhere.path(), root.join("linked")).unwrap();

    let ran = program!().inspect(&seven(), &[root], &[]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(ran.reports().len(), 4, "{ran:?}");
    for words in [
        "left out 2 files and folders that a NAS or an operating system made: ",
        "left out 1 file that is not a picture: ",
        "left out 1 broken link: ",
        "left out 1 FIFO, socket or device: ",
    ] {
        assert!(ran.stderr.contains(words), "{words}: {ran:?}");
    }
}

#[test]
fn a_fifo_that_is_named_is_refused_and_a_broken_link_says_where_it_leads() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("photo.jpg");
    mkfifo(&pipe);
    let ran = program!().inspect(&seven(), &[&pipe], &[]);
    assert!(ran.one_line(2).contains("not a regular file"), "{ran:?}");
    let link = folder.path().join("link.jpg");
    symlink("nowhere.jpg", &link).unwrap();
    let ran = program!().inspect(&seven(), &[&link], &[]);
    assert!(
        ran.one_line(2).contains("a broken link to `nowhere.jpg`"),
        "{ran:?}"
    );
}

#[test]
fn manifests_as_excel_and_editors_write_them_are_submitted() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    std::fs::create_dir(root.join("photos")).unwrap();
    put(
        &root.join("photos"),
        "Tu\u{308}r.jpg",
        &jpeg(&vehicle_with(&[]), 95),
    );
    let table = "sep=;\r\nPhoto;Vehicle ID\r\nphotos\\T\u{fc}r.jpg;B-\u{dc} 7\r\n;\r\n";
    let utf_16: Vec<u8> = format!("\u{feff}{table}")
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    for (name, bytes) in [
        ("utf16.csv", utf_16),
        ("1252.csv", table.chars().map(|c| c as u8).collect()),
        ("list.txt", "\u{feff}photos/T\u{fc}r.jpg\r\n".as_bytes().to_vec()),
        ("all.json", "[\"photos/T\u{fc}r.jpg\"]".as_bytes().to_vec()),
    ] {
        let list = put(root, name, &bytes);
        let stack = root.join(format!("stack-{name}"));
        let ran = program!().run([
            "submit".as_ref(),
            "--root".as_ref(),
            stack.as_os_str(),
            list.as_os_str(),
        ]);
        assert!(
            ran.code == 0 && ran.stdout.contains("1 photo sent"),
            "{name}: {ran:?}"
        );
    }
    let list = put(root, "sci.csv", b"photo,vehicle_id\nphotos/x.jpg,1E+05\n");
    let ran = program!().run([
        "submit".as_ref(),
        "--root".as_ref(),
        root.as_os_str(),
        list.as_os_str(),
    ]);
    assert!(
        ran.one_line(2)
            .contains("sci.csv, line 2: vehicle_id: `1E+05` is what a spreadsheet"),
        "{ran:?}"
    );
}

#[test]
fn a_setting_that_is_not_utf_8_is_refused() {
    let wrong = || OsString::from_vec(b"photos/caf\xe9".to_vec());
    for name in [
        "WALKAROUND_ROOT",
        "WALKAROUND_PHOTO_ROOTS",
        "WALKAROUND_TABLE",
        "WALKAROUND_LOG",
    ] {
        let ran = run(&["status"], &[(name, wrong())]);
        let line = line(&ran, 2);
        assert!(line.contains(&format!("{name} is not UTF-8")), "{line}");
    }
}

#[test]
fn who_is_not_signed_in_to_aws_is_told_the_cause_and_the_command() {
    let folder = tempfile::tempdir().unwrap();
    let config = put(
        folder.path(),
        "config",
        b"[profile fleet]\nregion = eu-central-1\nsso_session = work\n[sso-session work]\nsso_region = eu-central-1\n\
          sso_start_url = https://example.awsapps.com/start\n[profile bare]\n",
    );
    let files = |more: &[(&'static str, &str)]| -> Vec<(&'static str, OsString)> {
        let mut all = vec![
            ("AWS_CONFIG_FILE", config.clone().into_os_string()),
            (
                "AWS_SHARED_CREDENTIALS_FILE",
                folder.path().join("none").into_os_string(),
            ),
            ("HOME", folder.path().as_os_str().to_owned()),
        ];
        all.extend(more.iter().map(|(name, value)| (*name, OsString::from(*value))));
        all
    };
    let status = |arguments: &[&str], more: &[(&'static str, &str)]| {
        let all: Vec<&str> = ["status", "--stack", "aws"]
            .into_iter()
            .chain(arguments.iter().copied())
            .collect();
        run(&all, &files(more))
    };
    let unknown = line(&status(&["--profile", "flet"], &[]), 2);
    assert!(
        unknown.contains("no AWS profile `flet`") && unknown.contains("bare, fleet"),
        "{unknown}"
    );
    let by_variable = line(&status(&[], &[("AWS_PROFILE", "flet")]), 2);
    assert!(by_variable.contains("no AWS profile `flet`"), "{by_variable}");
    let region = line(&status(&["--profile", "bare"], &[]), 2);
    assert!(
        region.contains("aws configure set region REGION --profile bare"),
        "{region}"
    );
    let signed_out = line(&status(&["--profile", "fleet"], &[]), 1);
    assert!(
        signed_out.contains("`aws sso login --profile fleet`"),
        "{signed_out}"
    );
    let keys = [
        ("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE"),
        ("AWS_SECRET_ACCESS_KEY", "example"),
        ("AWS_REGION", "eu-central-1"),
    ];
    let dead = line(&status(&["--endpoint-url", "http://127.0.0.1:1"], &keys), 1);
    assert!(
        dead.contains("nothing answers at the AWS endpoint http://127.0.0.1:1"),
        "{dead}"
    );
}
