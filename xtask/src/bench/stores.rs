//! `cargo xtask bench stores`: commands a second to cells of the native server's durable stores.
//!
//! Every command is acknowledged durably: the embedded store after an fsync, Redis after its script ran (with Redis's own
//! persistence switched off here, so that the figure is the gateway's and the network's, not a disk's).

use std::path::Path;

use serde_json::Value;

use crate::report::{Broken, Report};
use crate::run::{ask, cargo, command};
use crate::target::native::Redis;
use crate::{Options, install, workspace};

/// What is measured: its title, cells, commands at a time, commands in all.
const FIGURES: [(&str, usize, usize, usize); 3] = [
    ("one cell, one command at a time", 1, 1, 2_000),
    ("one cell, 64 at a time", 1, 64, 40_000),
    ("1,000 cells, 64 at a time", 1_000, 64, 40_000),
];
/// Runs of each; the median counts.
const ROUNDS: usize = 3;

/// Measures; says whether everything ran.
pub(super) fn run(options: &Options) -> bool {
    let mut report = Report::new("bench", options);
    let _ = steps(&mut report, options.publish);
    report.end()
}

fn steps(report: &mut Report, publish: bool) -> Result<(), Broken> {
    report.check("redis-server", install::redis)?;
    report.command("build", cargo(&["build", "--release", "--package", "edgeway", "--example", "cells", "--quiet"]))?;
    let program = workspace::target().join("release/examples/cells");
    let mut table = String::from("| commands a second | embedded store | Redis, one instance |\n|---|---|---|\n");
    for (title, cells, concurrency, commands) in FIGURES {
        let sizes = [cells, concurrency, commands];
        report.check(title, || {
            let (embedded, redis) = (median(|| embedded(&program, sizes))?, median(|| redis(&program, sizes))?);
            table.push_str(&format!("| {title} | {embedded:.0} | {redis:.0} |\n"));
            Ok(format!("{embedded:.0} embedded, {redis:.0} Redis"))
        })?;
    }
    let commit = ask(command("git", &["log", "-1", "--format=%h, %cs"])).unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    println!("{table}");
    if publish {
        let said = format!("Measured at commit {}, on {cores} cores, median of {ROUNDS}.\n\n{table}", commit.trim());
        report.check("publish", || super::publish("stores", &said))?;
    }
    Ok(())
}

fn median(mut measure: impl FnMut() -> Result<f64, String>) -> Result<f64, String> {
    let mut values = (0..ROUNDS).map(|_| measure()).collect::<Result<Vec<f64>, String>>()?;
    values.sort_by(f64::total_cmp);
    Ok(values[ROUNDS / 2])
}

fn embedded(program: &Path, sizes: [usize; 3]) -> Result<f64, String> {
    let folder = workspace::scratch().join("bench-store");
    if folder.exists() {
        std::fs::remove_dir_all(&folder).map_err(|error| error.to_string())?;
    }
    measure(program, &format!("file:{}", folder.display()), sizes)
}

fn redis(program: &Path, sizes: [usize; 3]) -> Result<f64, String> {
    let redis = Redis::start()?;
    measure(program, &redis.store("bench"), sizes)
}

fn measure(program: &Path, store: &str, sizes: [usize; 3]) -> Result<f64, String> {
    let sizes = sizes.map(|size| size.to_string());
    let mut count = command(&program.to_string_lossy(), &[store, &sizes[0], &sizes[1], &sizes[2]]);
    count.env("QUIET", "1");
    let said: Value = serde_json::from_str(ask(count)?.trim()).map_err(|error| error.to_string())?;
    match (said["failed"].as_u64(), said["per_second"].as_f64()) {
        (Some(0), Some(rate)) => Ok(rate),
        _ => Err(format!("commands failed: {said}")),
    }
}
