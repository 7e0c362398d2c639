//! Cloudflare Workers: the Worker as it is deployed, on the runtime that the cloud runs, through Miniflare.

use std::path::PathBuf;
use std::process::Command;

use super::Launcher;
use crate::install;
use crate::report::{Broken, Report};
use crate::run::{ask, cargo, command};
use crate::{tally, workspace};

/// Tools, their versions, and whether they build with their own lock file. `wasm-bindgen` must be the version that
/// `targets/cloudflare/Cargo.toml` names.
const TOOLS: [(&str, &str, bool); 2] = [("wasm-bindgen-cli", "0.2.130", false), ("worker-build", "0.8.7", true)];

/// The runtime's version, as `package-lock.json` pins it.
pub(crate) const RUNTIME: &str = "1.20260730.1";

/// KiB of the upload, compressed, that a Worker should stay within. A miss is said, here and in the figures of
/// `docs/performance.md`.
const SHOULD: f64 = 1000.0;

/// KiB of the upload, compressed, that Cloudflare takes on its free plan.
const LARGEST: f64 = 3072.0;

/// Where the launcher and the pinned runtime are.
pub(crate) fn host() -> PathBuf {
    workspace::root().join("tests/hosts/cloudflare")
}

/// The crate.
pub(crate) fn folder() -> PathBuf {
    workspace::root().join("targets/cloudflare")
}

/// Installs what it needs, and builds the Worker with and without the port suites.
pub(crate) fn prepare(report: &mut Report) -> Result<Launcher, Broken> {
    install(report)?;
    build(report)?;
    report.check("size", || {
        let size = gzip_kib()?;
        Ok(if size <= SHOULD {
            format!("{size:.0} KiB")
        } else {
            format!("{size:.0} KiB, MISSES the {SHOULD} KiB it should stay within")
        })
    })?;
    report.command("build the Worker with the port suites", worker("build-suite", &["--features", "suite"]))?;
    let node = node(report)?;
    let command = vec![node, host().join("serve.mjs").to_string_lossy().into_owned()];
    let suite = [&command[..], &["--suite".to_owned()]].concat();
    Ok(Launcher { command, suite, keep: true, ..Launcher::default() })
}

/// Bindings that are missing, wrong or away, and a cell whose process is killed.
pub(crate) fn faults(report: &mut Report) -> Result<(), Broken> {
    let mut test = command("node", &["--test", "faults.test.mjs"]);
    test.current_dir(host());
    report.tests("faults on workerd", test, tally::node)
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

/// The size of the upload, compressed, in KiB, as `wrangler deploy` tells it without deploying.
pub(crate) fn gzip_kib() -> Result<f64, String> {
    let out = workspace::scratch().join("wrangler");
    let wrangler = host().join("node_modules/.bin/wrangler");
    let mut command = command(&wrangler.to_string_lossy(), &["deploy", "--dry-run", "--outdir", &out.to_string_lossy()]);
    for (name, value) in [("WRANGLER_SEND_METRICS", "false"), ("CLOUDFLARE_CF_FETCH_ENABLED", "false"), ("CI", "1")] {
        command.env(name, value);
    }
    let path = std::env::var("PATH").unwrap_or_default();
    let mut command = tooled(command);
    command.env("PATH", format!("{}:{path}", tools()[1].display()));
    let said = ask(command)?;
    let size = said.split("gzip: ").nth(1).and_then(|rest| rest.split(' ').next()?.parse().ok());
    let size: f64 = size.ok_or_else(|| format!("wrangler says no size:\n{said}"))?;
    if size <= LARGEST { Ok(size) } else { Err(format!("the Worker is {size} KiB, more than Cloudflare takes ({LARGEST})")) }
}

/// The runtime's program.
pub(crate) fn workerd() -> Result<PathBuf, String> {
    let mut command = command("node", &["-p", "require('workerd').default"]);
    command.current_dir(host());
    Ok(ask(command)?.trim().into())
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

/// The folders of the tools' programs, in their order.
fn tools() -> [PathBuf; 2] {
    TOOLS.map(|(tool, version, _)| kept(tool, version).join("bin"))
}

fn worker(output: &str, cargo: &[&str]) -> Command {
    let mut arguments = vec!["--profile", "edge", "--no-opt", "--out-dir", output];
    if !cargo.is_empty() {
        arguments.push("--");
        arguments.extend(cargo);
    }
    let mut command = command(&tools()[1].join("worker-build").to_string_lossy(), &arguments);
    command.current_dir(folder());
    tooled(command)
}

/// A command that finds the tools, and builds no configuration of whoever works here into the Worker.
fn tooled(mut command: Command) -> Command {
    command.env("WASM_BINDGEN_BIN", tools()[0].join("wasm-bindgen"));
    command.env("ESBUILD_BIN", host().join("node_modules/.bin/esbuild"));
    command.env("EDGEWAY_CONFIG_FILE", "");
    command
}
