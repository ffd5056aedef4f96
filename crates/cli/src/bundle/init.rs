//! `walkaround bundle init`: ONNX files as they were exported become a bundle that `bundle check` accepts.

use crate::args::{InitArgs, Printed};
use crate::client::table::{cell, plain_table, print_document, print_line, print_table};
use crate::failure::Failure;
use crate::library::start;
use anyhow::{Context, anyhow};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use walkaround_client::whole_file::write_whole;
use walkaround_inference::draft::{Draft, ModelFile, bundle_name, draft};
use walkaround_inference::manifest::{INPUT_SIDE_MAX, MANIFEST_FILE};
use walkaround_inference::{Device, EngineOptions, OnnxEngine, Role, VerifiedBundle};

pub(super) fn run(args: &InitArgs) -> Result<ExitCode, Failure> {
    let models = models(args)?;
    let Some(first) = models.first() else {
        return Err(Failure::usage(
            "no ONNX file named: walkaround bundle init MODEL.onnx",
        ));
    };
    let out = match &args.out {
        Some(out) => out.clone(),
        None => PathBuf::from(bundle_name(&first.path)),
    };
    let manifest = out.join(MANIFEST_FILE);
    if manifest.exists() {
        return Err(Failure::usage(format!(
            "{} is there already: name another folder with --out, or remove it",
            manifest.display()
        )));
    }
    let name = args.name.clone().unwrap_or_else(|| bundle_name(&out));
    let (runtime, device) = start(args.onnxruntime.as_deref(), Device::Cpu)?;
    let draft = draft(&runtime, &name, &models)?;
    write(&out, &draft)?;
    let bundle = VerifiedBundle::load(&out)?;
    let runs = OnnxEngine::new(&runtime, &bundle, EngineOptions { device, threads: 1 })
        .and_then(|mut engine| engine.rehearse());
    match args.format {
        Printed::Table => print(&out, &draft)?,
        Printed::Json => print_document(document(&out, &draft))?,
    }
    runs.map_err(|error| {
        anyhow!(error).context(format!(
            "{} was written and does not run as it is; correct it, then `walkaround bundle check {}`",
            manifest.display(),
            out.display()
        ))
    })?;
    Ok(ExitCode::SUCCESS)
}

/// The files with what the command line says of each.
fn models(args: &InitArgs) -> Result<Vec<ModelFile>, Failure> {
    let of = |role: Option<Role>| {
        move |path: &PathBuf| ModelFile {
            path: path.clone(),
            role,
            ..ModelFile::default()
        }
    };
    let plain = args.models.iter().map(of(None));
    let gates = args.gate.iter().map(of(Some(Role::Gate)));
    let locator = args.locator.iter().map(of(Some(Role::Locator)));
    let mut models: Vec<ModelFile> = plain.chain(gates).chain(locator).collect();
    if let Some(missing) = models.iter().find(|model| !model.path.is_file()) {
        return Err(Failure::usage(format!("no file `{}`", missing.path.display())));
    }
    for text in &args.classes {
        let classes = |list: &str| {
            let names: Vec<String> = list.split(',').map(|name| name.trim().to_owned()).collect();
            // Other letters would be lost: a class is named as the manifest can spell it.
            let is_name = |name: &String| !name.is_empty() && name.is_ascii();
            names.iter().all(is_name).then_some(names)
        };
        each(
            &mut models,
            "--classes",
            "scratch,dent",
            text,
            &classes,
            &|model, classes| {
                model.classes = Some(classes);
            },
        )?;
    }
    for text in &args.size {
        let size = |text: &str| {
            let (width, height) = text.split_once('x')?;
            Some([width.parse().ok()?, height.parse().ok()?])
                .filter(|size: &[u32; 2]| size.iter().all(|side| (1..=INPUT_SIDE_MAX).contains(side)))
        };
        each(&mut models, "--size", "640x640", text, &size, &|model, size| {
            model.size = Some(size);
        })?;
    }
    Ok(models)
}

/// Gives the value of an option to the file that it names, or to all.
fn each<T: Clone>(
    models: &mut [ModelFile],
    option: &str,
    example: &str,
    text: &str,
    parse: &dyn Fn(&str) -> Option<T>,
    give: &dyn Fn(&mut ModelFile, T),
) -> Result<(), Failure> {
    let (file, value) = match text.split_once('=') {
        Some((file, value)) => (Some(Path::new(file)), value),
        None => (None, text),
    };
    let value = parse(value)
        .ok_or_else(|| Failure::usage(format!("{option} {text}: expected {option} {example}")))?;
    let mut given = 0;
    for model in models {
        let is_it = |file: &Path| model.path == file || model.path.file_name() == file.file_name();
        if file.is_none_or(is_it) {
            give(model, value.clone());
            given += 1;
        }
    }
    if given == 0 {
        return Err(Failure::usage(format!(
            "{option} {text}: no such file among those named"
        )));
    }
    Ok(())
}

/// The manifest last: what has one is whole.
fn write(out: &Path, draft: &Draft) -> anyhow::Result<()> {
    std::fs::create_dir_all(out).with_context(|| format!("cannot make {}", out.display()))?;
    for file in &draft.files {
        let path = out.join(&file.name);
        match std::fs::read(&path) {
            Ok(there) if *there == *file.bytes => {}
            Ok(_) => {
                return Err(anyhow!(
                    "{} is there already and is another file: name another folder with --out",
                    path.display()
                ));
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => write_whole(&path, &file.bytes)?,
            Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
        }
    }
    write_whole(&out.join(MANIFEST_FILE), draft.manifest.as_bytes())
}

fn print(out: &Path, draft: &Draft) -> anyhow::Result<()> {
    let mut networks = plain_table();
    networks.set_header(["file", "role", "recognised as"]);
    for network in &draft.networks {
        networks.add_row([
            cell(&network.file),
            cell(network.role.as_str()),
            cell(&network.family),
        ]);
    }
    print_table(networks)?;
    let folder = out.display();
    print_line("")?;
    print_line(format_args!("wrote {}", out.join(MANIFEST_FILE).display()))?;
    if !draft.assumptions.is_empty() {
        print_line("")?;
        print_line("assumed, and marked so in the file; compare with the training:")?;
        print_line("")?;
        let mut table = plain_table();
        table.set_header(["line", "key", "value", "why"]);
        for assumption in &draft.assumptions {
            table.add_row([
                cell(assumption.line),
                cell(&assumption.key),
                cell(&assumption.value),
                cell(&assumption.why),
            ]);
        }
        print_table(table)?;
    }
    print_line("")?;
    print_line("next, with a photo whose damage you know:")?;
    let mut next = plain_table();
    next.set_header(["command", "shows"]);
    for (command, shows) in [
        (
            format!("walkaround bundle check {folder} --picture PHOTO"),
            "what each network says of it",
        ),
        (
            format!("walkaround inspect PHOTO --bundle {folder} --out marked"),
            "the marked picture",
        ),
        (
            format!("walkaround bundle check {folder} --measure PHOTO"),
            "a self-test for the manifest",
        ),
    ] {
        next.add_row([cell(command), cell(shows)]);
    }
    print_table(next)?;
    Ok(())
}

fn document(out: &Path, draft: &Draft) -> serde_json::Value {
    json!({
        "bundle": out.display().to_string(),
        "networks": draft.networks.iter().map(|n| json!({
            "file": n.file, "role": n.role.as_str(), "family": n.family,
        })).collect::<Vec<_>>(),
        "assumptions": draft.assumptions.iter().map(|a| json!({
            "line": a.line, "key": a.key, "value": a.value, "why": a.why,
        })).collect::<Vec<_>>(),
    })
}
