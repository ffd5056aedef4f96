//! `docs/bundle.md` says what the manifest's reader does: every example parses, every default is the reader's,
//! every key and word that the reader knows stands on the page, and so do its messages.

#![allow(clippy::unwrap_used, reason = "the helpers of tests fail as tests do")]

use walkaround_inference::Manifest;
use walkaround_tests::bundle_page::{blocks, page};

fn block(page: &str, kind: &str) -> String {
    let mut matching = blocks(page).into_iter().filter(|(it, _)| it == kind);
    let found = matching
        .next()
        .unwrap_or_else(|| panic!("no block `toml {kind}`"));
    assert!(matching.next().is_none(), "two blocks `toml {kind}`");
    found.1
}

/// The classes that the recipes speak of, and a segmenter so that a recipe for a gate is a manifest too.
const BASE: &str = r##"
format = 1
name = "base"
version = "1"
[[classes]]
name = "scratch"
colour = "#000000"
mask = { threshold = 0.5 }
[[classes]]
name = "dent"
colour = "#000000"
mask = { threshold = 0.5 }
[[classes]]
name = "spacing"
colour = "#000000"
mask = { threshold = 0.5 }
[[networks]]
name = "base"
role = "segmenter"
file = "base.onnx"
sha256 = "0000000000000000000000000000000000000000000000000000000000000000"
input = { tensor = "image", width = 8, height = 8 }
output = { tensor = "masks", channels = ["scratch"] }
"##;

#[test]
fn every_example_parses() {
    let page = page();
    let blocks = blocks(&page);
    let full = blocks.iter().filter(|(kind, _)| kind.starts_with("manifest"));
    assert!(full.count() >= 4, "the search for examples is broken");
    for (kind, text) in &blocks {
        let manifest = match kind.as_str() {
            "manifest" | "manifest shortest" | "manifest defaults" => text.clone(),
            "networks" | "self_test" => format!("{BASE}{text}"),
            other => panic!("a block `toml {other}`, which this test does not know"),
        };
        if let Err(error) = Manifest::parse(&manifest) {
            panic!("{error} in this example:\n{text}");
        }
    }
}

#[test]
fn the_defaults_are_those_of_the_reader() {
    let page = page();
    let parsed = |kind| Manifest::parse(&block(&page, kind)).unwrap();
    assert_eq!(
        format!("{:?}", parsed("manifest shortest")),
        format!("{:?}", parsed("manifest defaults"))
    );
}

/// What the reader expects where it meets something unknown: the words between backticks behind "expected".
fn expected(manifest: &str, unknown: &str) -> Vec<String> {
    let error = Manifest::parse(manifest).unwrap_err();
    assert!(error.contains(unknown), "{error}");
    let (_, list) = error
        .split_once("expected")
        .unwrap_or_else(|| panic!("no list: {error}"));
    list.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

#[test]
fn every_key_stands_on_the_page() {
    let page = page();
    let full = blocks(&page)
        .into_iter()
        .find(|(_, text)| text.contains("[self_test]"))
        .unwrap()
        .1;
    let tables = [
        "[[classes]]",
        "[classes.mask]",
        "[quality]",
        "[review]",
        "[[networks]]",
        "[networks.input]",
        "[networks.output]",
        "[networks.tiling]",
        "[self_test]",
    ];
    let mut manifests = vec![format!("unknown_key = 1\n{full}")];
    for table in tables {
        assert!(full.contains(table), "the full example has no {table}");
        let lines = full.lines().map(|line| {
            let is_table = line.split('#').next().unwrap_or_default().trim() == table;
            let key = if is_table { "\nunknown_key = 1" } else { "" };
            format!("{line}{key}\n")
        });
        manifests.push(lines.collect());
    }
    let mut keys = 0;
    for manifest in manifests {
        for key in expected(&manifest, "unknown_key") {
            assert!(
                page.contains(&format!("| `{key}`")) || page.contains(&format!("`{key}` |")),
                "no row for `{key}`"
            );
            keys += 1;
        }
    }
    assert!(keys > 40, "only {keys} keys: the search is broken");
}

#[test]
fn every_word_stands_on_the_page() {
    let page = page();
    let defaults = block(&page, "manifest defaults");
    let locator = block_with(&page, "form = \"map\"");
    let places = [
        (&defaults, "report = \"always\""),
        (&defaults, "role = \"segmenter\""),
        (&defaults, "region = \"photo\""),
        (&defaults, "resize = \"stretch\""),
        (&defaults, "filter = \"bilinear\""),
        (&defaults, "channels = \"rgb\""),
        (&defaults, "layout = \"nchw\""),
        (&defaults, "element = \"f32\""),
        (&defaults, "activation = \"none\""),
        (&locator, "form = \"map\""),
    ];
    for (text, place) in places {
        assert!(text.contains(place), "no `{place}` to be replaced");
        let (key, _) = place.split_once(' ').unwrap();
        let edited = text.replacen(place, &format!("{key} = \"unknown_word\""), 1);
        let words = expected(&edited, "unknown_word");
        assert!(words.len() >= 2, "{key}: {words:?}");
        for word in words {
            assert!(
                page.contains(&format!("`\"{word}\"`")),
                "{key} may be \"{word}\", which the page does not say"
            );
        }
    }
}

/// The recipe that holds `words`, as a whole manifest.
fn block_with(page: &str, words: &str) -> String {
    let recipes = blocks(page).into_iter().filter(|(kind, _)| kind == "networks");
    let text = recipes.map(|(_, text)| text).find(|text| text.contains(words));
    format!(
        "{BASE}{}",
        text.unwrap_or_else(|| panic!("no recipe with {words}"))
    )
}

#[test]
fn messages_are_those_of_the_reader() {
    let page = page();
    let recipe = |words: &str| block_with(&page, words);
    let cases = [
        (BASE.replace("format = 1", "format = 2"), ""),
        (
            BASE.replace("name = \"base\"\nversion", "name = \"a b\"\nversion"),
            ", ",
        ),
        (
            recipe("pixel_values").replace("\"scratch\", \"dent\"", "\"scrach\", \"dent\""),
            "",
        ),
        (
            recipe("pixel_values").replace("activation", "positive = [1]\nactivation"),
            "",
        ),
        (BASE.replace("input =", "region = \"vehicle\"\ninput ="), ""),
    ];
    for (manifest, cut) in cases {
        let mut error = Manifest::parse(&manifest).unwrap_err();
        // The page writes `x` for the network's name, and cuts lists short.
        for name in ["base", "segformer"] {
            error = error.replace(&format!("network `{name}`"), "network `x`");
        }
        let shown = match cut {
            "" => error.as_str(),
            cut => error.split(cut).next().unwrap(),
        };
        assert!(page.contains(shown), "the page does not have: {shown}");
    }
}
