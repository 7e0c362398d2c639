//! The Lambda function: the real `bootstrap`, and the host that plays the platform around it.
//!
//! The stores' stand-ins (dynalite from npm, moto from PyPI, both pinned beside the host) are installed once a version, in the
//! user's cache folder.

use std::path::{Path, PathBuf};

use super::Launcher;
use crate::report::{Broken, Report};
use crate::run::{cargo, command};
use crate::{tally, workspace};

/// What an invocation may take, in seconds. Lambda does not tell a function that its caller went away; what ends such an
/// exchange is this limit, and the cases of callers who hang up wait for it.
const TIME_LIMIT: &str = "10";
/// What pins the stand-ins, in the host's folder.
const PINNED: [&str; 4] = ["package.json", "package-lock.json", ".npmrc", "requirements.txt"];

/// Installs the stand-ins, builds function and host.
pub(crate) fn prepare(report: &mut Report) -> Result<Launcher, Broken> {
    let tools = install(report)?;
    let (plain, suite) = (workspace::target().join("debug/bootstrap"), workspace::target().join("debug/bootstrap-suite"));
    let function = ["build", "--quiet", "--package", "edgeway-lambda"];
    report
        .command("build the Lambda function with the port suites", cargo(&[&function[..], &["--features", "suite"]].concat()))?;
    // Both builds have the same name.
    report.check("keep it", || std::fs::copy(&plain, &suite).map(|_| String::new()).map_err(|error| error.to_string()))?;
    report.command(
        "build the Lambda function and its host",
        cargo(&[&function[..], &["--package", "edgeway-lambda-host"]].concat()),
    )?;
    let text = |path: &Path| path.to_string_lossy().into_owned();
    let host = text(&workspace::target().join("debug/edgeway-lambda-host"));
    let tools = text(&tools);
    // One sandbox: what a case changes, its next request sees.
    let command = [&host, "--instances", "1", "--freeze", "--time-limit", TIME_LIMIT, "--stores", "needed", "--tools", &tools];
    let with_stores = [&host, "--freeze", "--stores", "all", "--tools", &tools, "--bootstrap", &text(&suite)];
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    Ok(Launcher { command: words(&command), suite: words(&with_stores), ..Launcher::default() })
}

/// Every source of events; a sandbox that is killed, stores that go away or are not there, a configuration that is wrong.
pub(crate) fn faults(report: &mut Report) -> Result<(), Broken> {
    let tools = install(report)?;
    let mut test = cargo(&["test", "--quiet", "--package", "edgeway-lambda-host", "--features", "faults", "--test", "faults"]);
    test.env("EDGEWAY_LAMBDA_TOOLS", tools);
    report.tests("faults on lambda", test, tally::cargo_test)
}

/// Installs the stand-ins of the stores; gives their folder.
pub(crate) fn install(report: &mut Report) -> Result<PathBuf, Broken> {
    let host = workspace::root().join("tests/hosts/lambda");
    let home = workspace::cache().join("lambda-dynalite-4.0.0-moto-5.2.5");
    let done = home.join("installed");
    let pins =
        || PINNED.iter().map(|name| std::fs::read(host.join(name))).collect::<Result<Vec<_>, _>>().map(|pins| pins.concat());
    let pins = pins().unwrap_or_default();
    if std::fs::read(&done).is_ok_and(|installed| installed == pins) {
        return Ok(home);
    }
    report.check("a folder for the Lambda host's stores", || {
        std::fs::create_dir_all(&home).map_err(|error| format!("{}: {error}", home.display()))?;
        for name in PINNED {
            std::fs::copy(host.join(name), home.join(name)).map_err(|error| format!("{name}: {error}"))?;
        }
        Ok(String::new())
    })?;
    let mut npm = command("npm", &["ci", "--no-audit", "--no-fund"]);
    npm.current_dir(&home);
    report.command("dynalite", npm)?;
    let mut venv = command("python3", &["-m", "venv", "--clear", "venv"]);
    venv.current_dir(&home);
    report.command("python environment of the Lambda host", venv)?;
    let python = home.join("venv/bin/python").to_string_lossy().into_owned();
    let mut pip = command(&python, &["-m", "pip", "install", "--quiet", "--requirement", "requirements.txt"]);
    pip.current_dir(&home);
    report.command("moto", pip)?;
    report.check("the Lambda host's stores are pinned", || {
        std::fs::write(&done, &pins).map(|()| String::new()).map_err(|error| error.to_string())
    })?;
    Ok(home)
}
