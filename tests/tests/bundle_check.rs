//! `walkaround bundle check`: what it prints of a good bundle, and that the device asked for is the device used.

use walkaround_tests::places::{demo, edited_seven, seven};
use walkaround_tests::program;

#[test]
fn a_good_bundle_shows_its_networks_tensors_sizes_digests_and_self_test() {
    let ran = program!()
        .run(["bundle".as_ref(), "check".as_ref(), seven().as_os_str()])
        .succeeded();
    let names = [
        "locator",
        "gate",
        "scratch_unet",
        "deeplab",
        "dent_bgr",
        "glass_f16",
        "scratch_tiled",
    ];
    for name in names {
        let bytes = std::fs::metadata(seven().join(format!("{name}.onnx")))
            .unwrap()
            .len();
        let row = ran.stdout.lines().find(|l| l.contains(&format!("{name}.onnx")));
        let row = row.unwrap_or_else(|| panic!("no row of {name}: {}", ran.stdout));
        assert!(row.contains(&bytes.to_string()), "{row}");
    }
    for shown in [
        "seven 1.0.0",
        "device cpu",
        "image Float32 [-1, 3, 128, 128]",
        "probabilities Float32 [-1, 80, 112, 2]",
        "image Uint8 [-1, 80, 112, 3]",
        "3850fea62c8f",
        "scratch, dent, spacing, glass, wear",
        "self-test (tolerance 0.004)",
    ] {
        assert!(ran.stdout.contains(shown), "no `{shown}`: {}", ran.stdout);
    }
    assert!(!ran.stdout.contains("OFF"));
}

#[test]
fn the_demonstration_bundle_passes() {
    let ran = program!()
        .run(["bundle".as_ref(), "check".as_ref(), demo().as_os_str()])
        .succeeded();
    assert!(ran.stdout.contains("self-test (tolerance"), "{}", ran.stdout);
}

#[test]
fn a_measured_self_test_is_the_one_of_the_manifest() {
    let picture = seven().join("self_test.png");
    let bare = edited_seven(&[]);
    let manifest = bare.path().join("bundle.toml");
    let text = std::fs::read_to_string(&manifest).unwrap();
    let (rest, _) = text.split_once("[self_test]").unwrap();
    std::fs::write(&manifest, rest).unwrap();
    let folder = bare.path().as_os_str();
    let without = program!()
        .run(["bundle".as_ref(), "check".as_ref(), folder])
        .succeeded();
    assert!(without.stdout.contains("self-test: none"), "{}", without.stdout);

    let measure = [
        "bundle".as_ref(),
        "check".as_ref(),
        folder,
        "--measure".as_ref(),
        picture.as_os_str(),
    ];
    let measured = program!().run(measure).succeeded();
    std::fs::write(&manifest, format!("{rest}{}", measured.stdout)).unwrap();
    let with = program!()
        .run(["bundle".as_ref(), "check".as_ref(), folder])
        .succeeded();
    assert!(
        with.stdout.contains("self-test (tolerance 0.05)") && !with.stdout.contains("OFF"),
        "{}",
        with.stdout
    );
}

#[test]
fn cuda_with_a_library_for_the_processor_is_an_error() {
    let photo = seven().join("self_test.png");
    let runs = [
        program!().run([
            "bundle".as_ref(),
            "check".as_ref(),
            seven().as_os_str(),
            "--device".as_ref(),
            "cuda".as_ref(),
        ]),
        program!().inspect(&seven(), &[&photo], &["--device", "cuda"]),
    ];
    for ran in runs {
        let line = ran.one_line(1);
        assert!(
            line.contains("device cuda is not available") && line.contains("without CUDA"),
            "{line}"
        );
        assert_eq!(ran.stdout, "", "nothing was inspected on another device");
    }
}

#[test]
fn auto_takes_the_processor_where_there_is_no_cuda() {
    let ran = program!().run([
        "bundle".as_ref(),
        "check".as_ref(),
        seven().as_os_str(),
        "--device".as_ref(),
        "auto".as_ref(),
    ]);
    assert!(ran.succeeded().stdout.contains("device cpu"));
    let photo = seven().join("self_test.png");
    assert_eq!(
        program!().report(&seven(), &photo, &["--device", "auto"]).verdict,
        "damaged"
    );
}

#[test]
fn a_library_that_is_none_is_named() {
    let photo = seven().join("self_test.png");
    let folder = tempfile::tempdir().unwrap();
    let text = walkaround_tests::files::put(folder.path(), "libonnxruntime.so", b"not a library");
    for library in [folder.path().join("absent.so"), text] {
        let library = library.to_str().unwrap();
        let ran = program!().inspect(&seven(), &[&photo], &["--onnxruntime", library]);
        let line = ran.one_line(1);
        assert!(
            line.contains("cannot load ONNX Runtime") && line.contains(library),
            "{line}"
        );
        assert!(line.contains("make setup"), "{line}");
    }
}

#[test]
fn a_picture_that_is_not_there_is_usage() {
    for option in ["--picture", "--measure"] {
        let absent = demo().join("absent.jpg");
        let ran = program!().run([
            "bundle".as_ref(),
            "check".as_ref(),
            demo().as_os_str(),
            option.as_ref(),
            absent.as_os_str(),
        ]);
        let line = ran.one_line(2);
        assert!(
            line.contains("no picture") && line.contains("absent.jpg"),
            "{line}"
        );
    }
}

#[test]
fn a_picture_shows_what_each_network_says_whatever_the_gate_says() {
    let picture = seven().join("self_test.png");
    let ran = program!()
        .run([
            "bundle".as_ref(),
            "check".as_ref(),
            seven().as_os_str(),
            "--picture".as_ref(),
            picture.as_os_str(),
        ])
        .succeeded();
    for shown in [
        "locator: vehicle at",
        "gates: P(damage)",
        "highest probability",
        "scratch",
        "share of the photo",
    ] {
        assert!(ran.stdout.contains(shown), "no `{shown}`: {}", ran.stdout);
    }
}
