//! The Spin application: the component, as `spin.toml` builds it, and the host that runs it here.
//!
//! Spin's own command line comes from no package registry, so `tests/hosts/spin` implements the interfaces that the
//! component uses. It takes many minutes to build once; what it is built of is kept by its lock file.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::PathBuf;

use super::Launcher;
use crate::report::{Broken, Report};
use crate::run::cargo;
use crate::{tally, workspace};

/// Where the host's source is.
const HOST: &str = "tests/hosts/spin";
/// What the component is built for.
const TARGET: &str = "wasm32-wasip2";

/// Builds host and component, with and without the port suites.
pub(crate) fn prepare(report: &mut Report) -> Result<Launcher, Broken> {
    let host = host(report)?;
    let suite = component(report, true)?;
    let component = component(report, false)?;
    Ok(Launcher { command: command(&host, &component), suite: command(&host, &suite), keep: true, ..Launcher::default() })
}

/// Bindings that are missing, wrong or away, and cells whose host is killed; and the host's own tests.
pub(crate) fn faults(report: &mut Report) -> Result<(), Broken> {
    let mut tests = cargo(&["test", "--release", "--locked", "--no-fail-fast", "--quiet"]);
    tests.current_dir(workspace::root().join(HOST)).env("CARGO_TARGET_DIR", folder(report)?);
    tests.env("EDGEWAY_SPIN_COMPONENT", built(false)).env("EDGEWAY_SPIN_SUITE", built(true));
    report.tests("faults on Spin, and its host", tests, tally::cargo_test)
}

/// Builds the host.
pub(crate) fn host(report: &mut Report) -> Result<PathBuf, Broken> {
    let folder = folder(report)?;
    let mut build = cargo(&["build", "--release", "--locked", "--quiet"]);
    build.current_dir(workspace::root().join(HOST)).env("CARGO_TARGET_DIR", &folder);
    report.command("build the Spin host (many minutes, once)", build)?;
    Ok(folder.join("release/edgeway-spin-host"))
}

/// Where the host is built: one folder for all checkouts that have its lock file.
fn folder(report: &mut Report) -> Result<PathBuf, Broken> {
    let mut folder = PathBuf::new();
    report.check("the Spin host's lock file", || {
        let lock = std::fs::read(workspace::root().join(HOST).join("Cargo.lock")).map_err(|error| error.to_string())?;
        let mut hasher = DefaultHasher::new();
        lock.hash(&mut hasher);
        folder = workspace::cache().join(format!("spin-host-{:016x}", hasher.finish()));
        Ok(String::new())
    })?;
    Ok(folder)
}

/// Builds the component.
pub(crate) fn component(report: &mut Report, suite: bool) -> Result<PathBuf, Broken> {
    let mut build = cargo(&["build", "--package", "edgeway-spin", "--target", TARGET, "--profile", "edge", "--quiet"]);
    if suite {
        build.args(["--features", "suite"]);
    }
    build.env("CARGO_TARGET_DIR", output(suite));
    report.command(if suite { "build the Spin component with the port suites" } else { "build the Spin component" }, build)?;
    Ok(built(suite))
}

/// The component's file.
fn built(suite: bool) -> PathBuf {
    output(suite).join(TARGET).join("edge/edgeway_spin.wasm")
}

/// Where it is built; with the port suites in a folder of its own, so that it never stands where `spin up` looks.
fn output(suite: bool) -> PathBuf {
    if suite { workspace::target().join("spin-suite") } else { workspace::target() }
}

/// How the host runs a component: as `spin.toml` says, with this machine's own providers allowed besides.
pub(crate) fn command(host: &std::path::Path, component: &std::path::Path) -> Vec<String> {
    let manifest = workspace::root().join("spin.toml");
    let words = [
        host.to_string_lossy().into_owned(),
        "--manifest".into(),
        manifest.to_string_lossy().into_owned(),
        "--component".into(),
        component.to_string_lossy().into_owned(),
        "--allow".into(),
        "http://127.0.0.1:*".into(),
    ];
    words.into()
}
