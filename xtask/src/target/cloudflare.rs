//! Cloudflare Workers: the Worker as it is deployed, on the runtime that the cloud runs, through Miniflare.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::Launcher;
use crate::install;
use crate::report::{Broken, Report};
use crate::run::{ask, cargo, command};
use crate::workspace;

/// Tools, their versions, and whether they build with their own lock file. `wasm-bindgen` must be the version that
/// `targets/cloudflare/Cargo.toml` names.
const TOOLS: [(&str, &str, bool); 2] = [("wasm-bindgen-cli", "0.2.130", false), ("worker-build", "0.8.7", true)];

/// Where the launcher and the pinned runtime are.
pub(crate) fn host() -> PathBuf {
    workspace::root().join("tests/hosts/cloudflare")
}

/// The crate.
fn folder() -> PathBuf {
    workspace::root().join("targets/cloudflare")
}

/// Installs what it needs, and builds the Worker with and without the port suites.
pub(crate) fn prepare(report: &mut Report) -> Result<Launcher, Broken> {
    install(report)?;
    build(report)?;
    report.command("build the Worker with the port suites", worker("build-suite", &["--features", "suite"]))?;
    let node = node(report)?;
    let command = vec![node, host().join("serve.mjs").to_string_lossy().into_owned()];
    let suite = [&command[..], &["--suite".to_owned()]].concat();
    Ok(Launcher { command, suite, keep: true, ..Launcher::default() })
}

/// The tools that build a Worker, and the runtime that runs it.
pub(crate) fn install(report: &mut Report) -> Result<(), Broken> {
    report.check("toolchain", install::toolchain)?;
    for (tool, version, locked) in TOOLS {
        let root = kept(tool, version);
        if root.join(".crates.toml").exists() {
            continue;
        }
        let place = root.to_string_lossy();
        let pinned = format!("{tool}@{version}");
        let mut arguments = vec!["install", "--quiet", "--root", &place, &pinned];
        arguments.extend(locked.then_some("--locked"));
        report.command(&format!("install {pinned} (minutes, once)"), cargo(&arguments))?;
    }
    report.check("node", install::interpreters)?;
    install::npm(report, "workerd", &host())
}

/// The Worker as it is deployed.
pub(crate) fn build(report: &mut Report) -> Result<(), Broken> {
    report.command("build the Worker", worker("build", &[]))
}

/// Where the program of Node.js is: the launcher's environment has no path.
pub(crate) fn node(report: &mut Report) -> Result<String, Broken> {
    let mut node = String::new();
    report.check("find node", || {
        node = ask(command("node", &["--print", "process.execPath"]))?.trim().to_owned();
        Ok(String::new())
    })?;
    Ok(node)
}

fn kept(tool: &str, version: &str) -> PathBuf {
    workspace::cache().join(format!("{tool}-{version}"))
}

fn worker(output: &str, cargo: &[&str]) -> Command {
    let [bindgen, build] = TOOLS.map(|(tool, version, _)| kept(tool, version).join("bin"));
    let mut arguments = vec!["--profile", "edge", "--no-opt", "--out-dir", output];
    if !cargo.is_empty() {
        arguments.push("--");
        arguments.extend(cargo);
    }
    let mut command = command(&build.join("worker-build").to_string_lossy(), &arguments);
    command.current_dir(folder()).env("WASM_BINDGEN_BIN", bindgen.join("wasm-bindgen")).env("ESBUILD_BIN", esbuild(&host()));
    // The configuration of whoever works here is not part of what is tested.
    command.env("EDGEWAY_CONFIG_FILE", "");
    command
}

fn esbuild(host: &Path) -> PathBuf {
    host.join("node_modules/.bin/esbuild")
}
