//! The official SDKs as clients: their environments, pinned, and their tests on a target.

use std::path::PathBuf;

use crate::report::{Broken, Report};
use crate::run::command;
use crate::target::{self, Launcher, Target};
use crate::{Options, install, tally, workspace};

/// Python tests that every target runs; the native server runs all of them.
const PYTHON: &str = "text_and_usage or test_stream or tools_over_two_turns or error_classes or unknown_model or cut_stream";
/// Node tests that every target runs.
const NODE: &str = "text|stream|tools over|error|wrong key";

/// `cargo xtask sdk [target]`: all clients on one target, by default the native server.
pub(crate) fn run(options: &Options) -> bool {
    let mut report = Report::new("sdk", options);
    let name = options.words.first().map_or("native", String::as_str);
    let _ = (|| {
        let mut found = None;
        report.check("target", || {
            found = target::find(name);
            found.map(|_| String::new()).ok_or(format!("there is no target {name}"))
        })?;
        let Some(target) = found else { return Ok(()) };
        install(&mut report)?;
        let launcher = (target.prepare)(&mut report)?;
        clients(&mut report, target, &launcher)
    })();
    report.end()
}

/// Installs the pinned SDKs.
pub(crate) fn install(report: &mut Report) -> Result<(), Broken> {
    report.check("interpreters", install::interpreters)?;
    python(report)?;
    node(report)
}

/// Runs the SDKs' tests against a target's gateway: all of them on the native server, else text, streams, tools and errors.
pub(crate) fn clients(report: &mut Report, target: &Target, launcher: &Launcher) -> Result<(), Broken> {
    let name = target.name;
    let all = name == "native";
    let launcher = launcher.variable(name);
    let bin = home().join("bin/python");
    let mut arguments = vec!["-m", "pytest", "-q", "-p", "no:cacheprovider"];
    if !all {
        arguments.extend(["-k", PYTHON]);
    }
    let mut pytest = command(&bin.to_string_lossy(), &arguments);
    pytest.current_dir(folder("python")).env("PYTHONDONTWRITEBYTECODE", "1").env("EDGEWAY_LAUNCHER", &launcher);
    report.tests(&format!("python SDKs on {name}"), pytest, tally::pytest)?;

    let pattern = format!("--test-name-pattern={NODE}");
    let arguments: &[&str] = if all { &["test", "--silent"] } else { &["test", "--silent", "--", &pattern] };
    let mut test = command("npm", arguments);
    test.current_dir(folder("node")).env("EDGEWAY_LAUNCHER", &launcher);
    report.tests(&format!("node SDKs on {name}"), test, tally::node)
}

fn folder(language: &str) -> PathBuf {
    workspace::root().join("tests/sdk").join(language)
}

/// A virtual environment holds absolute paths, so it lives in this checkout's target folder.
fn home() -> PathBuf {
    workspace::scratch().join("python")
}

fn python(report: &mut Report) -> Result<(), Broken> {
    let home = home();
    let bin = home.join("bin/python");
    let pinned = folder("python").join("requirements.txt");
    let installed = home.join("requirements.txt");
    let same = matches!((std::fs::read(&pinned), std::fs::read(&installed)), (Ok(a), Ok(b)) if a == b);
    if same {
        return Ok(());
    }
    report.command("python environment", command("python3", &["-m", "venv", "--clear", &home.to_string_lossy()]))?;
    let arguments = ["-m", "pip", "install", "--quiet", "--requirement", &pinned.to_string_lossy()];
    report.command("python SDKs", command(&bin.to_string_lossy(), &arguments))?;
    report.check("python SDKs are pinned", || {
        std::fs::copy(&pinned, &installed).map(|_| String::new()).map_err(|error| error.to_string())
    })
}

fn node(report: &mut Report) -> Result<(), Broken> {
    install::npm(report, "node SDKs", &folder("node"))
}
