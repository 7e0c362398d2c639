//! The fuzz targets of `core/fuzz`, a few seconds each: enough to find a broken parser, not a rare one.
//!
//! That folder is a workspace of its own with its own compiler flags (see its README), so cargo runs in it.

use std::path::Path;
use std::process::Command;

use crate::report::{Broken, Report};
use crate::run::cargo;
use crate::workspace;

/// Seconds for each target.
const SECONDS: u32 = 5;

/// Builds every target and runs each for a few seconds.
pub(crate) fn steps(report: &mut Report) -> Result<(), Broken> {
    let folder = workspace::root().join("core/fuzz");
    report.command("fuzz: build", inside(&folder, &["build", "--quiet", "--bins"]))?;
    let mut targets = Vec::new();
    report.check("fuzz: targets", || {
        targets = names(&folder)?;
        for made in targets.iter().map(|target| format!("corpus/{target}")).chain(["artifacts".into()]) {
            std::fs::create_dir_all(folder.join(&made)).map_err(|error| format!("{made}: {error}"))?;
        }
        Ok(targets.join(", "))
    })?;
    for target in &targets {
        let seconds = format!("-max_total_time={SECONDS}");
        let mut arguments = vec!["run", "--quiet", "--bin", target, "--", &seconds, "-timeout=10", "-rss_limit_mb=1024"];
        arguments.push("-artifact_prefix=artifacts/");
        // What a run discovers goes to the first folder; the others are read.
        let corpus = format!("corpus/{target}");
        let seeds = format!("seeds/{target}");
        arguments.push(&corpus);
        for source in [seeds.as_str(), "../tests/fixtures"] {
            if folder.join(source).is_dir() {
                arguments.push(source);
            }
        }
        report.command(&format!("fuzz: {target}"), inside(&folder, &arguments))?;
    }
    Ok(())
}

fn inside(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = cargo(arguments);
    command.current_dir(folder);
    command
}

/// The targets, by their files; none is an error.
fn names(folder: &Path) -> Result<Vec<String>, String> {
    let folder = folder.join("fuzz_targets");
    let entries = std::fs::read_dir(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut names: Vec<_> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "rs"))
        .filter_map(|path| Some(path.file_stem()?.to_string_lossy().into_owned()))
        .collect();
    names.sort();
    if names.is_empty() { Err(format!("{} holds no target", folder.display())) } else { Ok(names) }
}
