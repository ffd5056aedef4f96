//! The recipes of docs/bundle.md on real exports: copied from the page, with the file, its digest, its size and the names of
//! the classes put in, as a user does. They give what the families give.
//!
//! The exports are not part of the project: see `instances.rs`. Without them the test says that it was skipped.

#![allow(clippy::unwrap_used, reason = "the helpers of tests fail as tests do")]
#![allow(clippy::print_stderr, reason = "how close the families are")]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use walkaround_inference::bundle::hex_sha256;
use walkaround_tests::bundle_page::{blocks, page};
use walkaround_tests::families::{IOU_MIN, Photo, Worst, agreement, bundles, run};
use walkaround_tests::places::engine;

/// A recipe of the page, an export, and what the text around the recipe says to change for it.
struct Recipe {
    /// Name of the network on the page.
    name: &'static str,
    /// Folder of the export.
    family: &'static str,
    /// In their order.
    changes: &'static [Change],
}

struct Change {
    /// The words of the page.
    told: &'static str,
    /// Part of the recipe, and what stands in its place.
    line: &'static str,
    to: &'static str,
}

const SUPPRESSED: [Change; 2] = [
    Change {
        told: "leave `overlap` out",
        line: "overlap = 0.7\n",
        to: "",
    },
    Change {
        told: r#"give `output0 = ["x0", "y0", "x1", "y1", "score", "class", "coefficients"]`"#,
        line: r#"output0 = ["cx", "cy", "w", "h", "classes", "coefficients"]"#,
        to: r#"output0 = ["x0", "y0", "x1", "y1", "score", "class", "coefficients"]"#,
    },
];

const RECIPES: [Recipe; 7] = [
    Recipe {
        name: "yolo",
        family: "yolo11n_seg_raw",
        changes: &[],
    },
    Recipe {
        name: "yolo",
        family: "yolo11n_seg_nms",
        changes: &SUPPRESSED,
    },
    Recipe {
        name: "yolo",
        family: "yolo26n_seg_e2e",
        changes: &SUPPRESSED,
    },
    Recipe {
        name: "yolo",
        family: "yolo11n_detect",
        changes: &[
            Change {
                told: "A detection model has no `masks` and no `coefficients`",
                line: ", \"coefficients\"]",
                to: "]",
            },
            Change {
                told: "A detection model has no `masks`",
                line: "[networks.output.masks]\ntensor = \"output1\"\nactivation = \"sigmoid\"",
                to: "",
            },
        ],
    },
    Recipe {
        name: "mask-rcnn",
        family: "tv_maskrcnn_small",
        changes: &[],
    },
    Recipe {
        name: "mask-rcnn",
        family: "d2like_maskrcnn",
        changes: &[Change {
            told: "if the export leaves out the pasting (`over = \"pixel_box\"`)",
            line: "tensor = \"masks\"",
            to: "tensor = \"masks\"\nover = \"pixel_box\"",
        }],
    },
    Recipe {
        name: "rt-detr",
        family: "rtdetr_orig_sizes",
        changes: &[],
    },
];

/// The example of the page that describes the network of that name.
fn block(page: &str, name: &str) -> String {
    let name = format!("\nname = \"{name}\"\n");
    let recipes = blocks(page).into_iter().filter(|(kind, _)| kind == "networks");
    let found = recipes.map(|(_, text)| text).find(|text| text.contains(&name));
    found.unwrap_or_else(|| panic!("no recipe with{name}"))
}

const CLASSES: [&str; 5] = ["scratch", "dent", "broken_part", "lamp_broken", "glass_crack"];

/// What stands behind a key in a manifest, as it is written.
fn value<'a>(text: &'a str, key: &str) -> &'a str {
    let mut lines = text.lines().filter_map(|line| line.split_once(" = "));
    lines
        .find(|(k, _)| *k == key)
        .unwrap_or_else(|| panic!("no {key}"))
        .1
}

/// The recipe as a manifest of the export in `folder`: its file, digest, size and classes, and the threshold of the reference.
fn manifest(recipe: &str, folder: &Path, own: &str) -> String {
    let digest = |file: &str| format!("\"{}\"", hex_sha256(&std::fs::read(folder.join(file)).unwrap()));
    let side = |key: &str| value(own, key).to_owned();
    let channels: Vec<&str> = own
        .lines()
        .filter(|line| line.starts_with("channels = "))
        .collect();
    let mut text = String::from("format = 1\nname = \"recipe\"\nversion = \"1\"\n");
    for class in CLASSES {
        let mask = "mask = { threshold = 0.5, grid = 2048 }";
        writeln!(
            text,
            "[[classes]]\nname = \"{class}\"\ncolour = \"#e69f00\"\n{mask}"
        )
        .unwrap();
    }
    for line in recipe.lines() {
        let line = match line.split_once(" = ").map_or("", |(key, _)| key) {
            "file" => "file = \"model.onnx\"".to_owned(),
            "sha256" => format!("sha256 = {}", digest("model.onnx")),
            "width" => format!("width = {}", side("width")),
            "height" => format!("height = {}", side("height")),
            "constants" => format!("constants = {}", value(own, "constants")),
            "channels" => channels[0].to_owned(),
            "threshold" => format!(
                "threshold = {}",
                value(own.split("[networks.output]").nth(1).unwrap(), "threshold")
            ),
            _ => line.to_owned(),
        };
        writeln!(text, "{line}").unwrap();
    }
    text
}

/// Writes the recipe into a bundle that was made with the family's own manifest.
fn rewrite(folder: &Path, recipe: &str) {
    let own = std::fs::read_to_string(folder.join("bundle.toml")).unwrap();
    std::fs::write(folder.join("bundle.toml"), manifest(recipe, folder, &own)).unwrap();
}

#[test]
fn the_recipes_of_the_page_give_what_the_families_give() {
    let Some((lab, out)) = bundles() else { return };
    let page = page();
    let words = page.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut tried = 0;
    for Recipe {
        name,
        family,
        changes,
    } in RECIPES
    {
        let reference = out.path().join(format!("{family}.json"));
        if !reference.is_file() {
            eprintln!("skipped: no export {family}");
            continue;
        }
        let mut recipe = block(&page, name);
        for Change { told, line, to } in changes {
            assert!(recipe.contains(line), "{name}: {line}");
            assert!(words.contains(told), "the page does not say: {told}");
            recipe = recipe.replace(line, to);
        }
        let photos = Photo::all(&lab, &reference);
        let mut worst = Worst::default();
        let folder = |at: usize| {
            let whole = out.path().join(family);
            let one: PathBuf = if whole.is_dir() {
                whole
            } else {
                whole.with_extension(at.to_string())
            };
            rewrite(&one, &recipe);
            one
        };
        for (at, photo) in photos.chunks(1).enumerate() {
            run(&mut engine(&folder(at)), photo, &mut worst);
        }
        eprintln!("recipe {name} on {family}: {worst:?}");
        assert!(
            worst.instances > 0 && worst.is_near(),
            "{name} on {family}: {worst:?}"
        );
        tried += 1;
    }
    assert!(tried > 0, "no family in {}", lab.display());
}

#[test]
fn the_recipe_for_maps_gives_what_segformer_gives() {
    let Some((lab, out)) = bundles() else { return };
    let reference = out.path().join("maps.reference");
    if !reference.is_file() {
        eprintln!("skipped: no export of maps");
        return;
    }
    let page = page();
    let folder = out.path().join("maps.argmax");
    let weights = hex_sha256(&std::fs::read(folder.join("model.onnx.data")).unwrap());
    let data = format!("data = [{{ file = \"model.onnx.data\", sha256 = \"{weights}\" }}]\n[networks.input]");
    let own = std::fs::read_to_string(folder.join("bundle.toml")).unwrap();
    let own = format!("{own}\nthreshold = 0.5\n");
    let recipe = block(&page, "segformer").replace("[networks.input]", &data);
    std::fs::write(folder.join("bundle.toml"), manifest(&recipe, &folder, &own)).unwrap();
    let worst = agreement(&mut engine(&folder), &Photo::all(&lab, &reference), false);
    eprintln!("recipe segformer: worst agreement of a class {worst}");
    assert!(worst >= IOU_MIN, "{worst}");
}
