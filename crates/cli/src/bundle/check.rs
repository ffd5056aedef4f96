//! `walkaround bundle check`: networks, tensors, sizes, digests and the self-test.

use crate::args::CheckArgs;
use crate::failure::Failure;
use crate::library::start;
use crate::photo_file::read_picture;
use comfy_table::Table;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use walkaround_bootstrap::terminal::Text;
use walkaround_inference::{BundleFile, EngineOptions, OnnxEngine, SelfTestReport, VerifiedBundle};

pub(super) fn run(args: &CheckArgs) -> Result<ExitCode, Failure> {
    let folder = &args.bundle;
    if !folder.is_dir() {
        return Err(Failure::usage(format!("no bundle folder `{}`", folder.display())));
    }
    if let Some(absent) = args
        .picture
        .iter()
        .chain(&args.measure)
        .find(|path| !path.is_file())
    {
        return Err(Failure::usage(format!("no picture `{}`", absent.display())));
    }
    let bundle = VerifiedBundle::load(folder)?;
    let (runtime, device) = start(args.run.onnxruntime.as_deref(), args.run.device)?;
    let mut engine = OnnxEngine::new(&runtime, &bundle, EngineOptions { device, threads: 1 })?;
    let mut out = Text(std::io::stdout().lock());
    if let Some(picture) = &args.measure {
        return print_measured(&mut engine, picture, &mut out);
    }
    if let Some(picture) = &args.picture {
        return super::picture::print(&mut engine, picture);
    }
    let manifest = bundle.manifest();
    writeln!(
        out,
        "{} {} — {}",
        manifest.name, manifest.version, manifest.description
    )?;
    writeln!(out, "device {device}, library {}\n", runtime.library().display())?;
    writeln!(out, "{}", networks(&bundle, &engine))?;
    let classes: Vec<&str> = manifest.classes.iter().map(|c| c.name.as_str()).collect();
    writeln!(out, "classes: {}", classes.join(", "))?;
    engine.rehearse()?;
    for line in engine.unread_objects() {
        writeln!(out, "warning: {line} (docs/bundle.md, \"Instances\")")?;
    }
    match engine.self_test(&bundle)? {
        None => writeln!(
            out,
            "self-test: none; `walkaround bundle check DIR --measure PICTURE` prints one for bundle.toml"
        )?,
        Some(report) => {
            writeln!(
                out,
                "\nself-test (tolerance {})\n{}",
                report.tolerance,
                self_test(&report)
            )?;
            if !report.failures().is_empty() {
                engine.require_self_test(&bundle)?;
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn print_measured(engine: &mut OnnxEngine, picture: &Path, out: &mut dyn Write) -> Result<ExitCode, Failure> {
    let bytes = read_picture(picture)?;
    let lines = engine.measure(&bytes)?;
    let name = picture.file_name().unwrap_or_default().to_string_lossy();
    writeln!(out, "[self_test]\npicture = \"{name}\"\ntolerance = 0.05")?;
    let (gate, classes): (Vec<_>, Vec<_>) = lines.iter().partition(|l| l.name == "gate");
    for line in gate {
        writeln!(out, "gate = {:.4}", line.actual)?;
    }
    writeln!(out, "[self_test.classes]")?;
    for line in classes {
        writeln!(out, "{} = {:.4}", line.name, line.actual)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn networks(bundle: &VerifiedBundle, engine: &OnnxEngine) -> Table {
    let mut table = crate::client::table::plain_table();
    table.set_header(["network", "role", "inputs", "outputs", "file", "bytes", "sha256"]);
    for report in engine.report() {
        let at = bundle
            .manifest()
            .networks
            .iter()
            .position(|n| n.name == report.name);
        let Some(file) = at.and_then(|i| bundle.networks()[i].as_ref()) else {
            continue;
        };
        let files = |cell: &dyn Fn(&BundleFile) -> String| {
            let all = std::iter::once(file).chain(&file.data);
            all.map(cell).collect::<Vec<_>>().join("\n")
        };
        let tensors = |list: &[walkaround_inference::TensorReport]| {
            list.iter()
                .map(|t| format!("{} {}", t.name, t.shape))
                .collect::<Vec<_>>()
                .join("\n")
        };
        table.add_row([
            report.name.clone(),
            report.role.as_str().to_owned(),
            tensors(&report.inputs),
            tensors(&report.outputs),
            files(&|f| f.name.clone()),
            files(&|f| f.bytes.len().to_string()),
            files(&|f| format!("{}…", &f.sha256[..12])),
        ]);
    }
    table
}

fn self_test(report: &SelfTestReport) -> Table {
    let mut table = crate::client::table::plain_table();
    table.set_header(["value", "expected", "actual", ""]);
    for line in &report.lines {
        let off = line
            .expected
            .is_some_and(|e| (e - line.actual).abs() > report.tolerance);
        table.add_row([
            line.name.clone(),
            line.expected.map_or_else(String::new, |e| format!("{e:.4}")),
            format!("{:.4}", line.actual),
            if off { "OFF".to_owned() } else { String::new() },
        ]);
    }
    table
}
