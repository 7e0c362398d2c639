//! `cargo xtask bench cloudflare`: the deployed Worker on the runtime alone, beside a Worker that does nothing.
//!
//! One `workerd` process serves both on one core, with the mock provider and the load generator of `bench/` on another.
//! CPU time is the process's own, so a busy machine blurs it less than it blurs latencies; the ratio to the Worker
//! that does nothing, measured in turn with it, blurs least.

use std::path::Path;

use serde_json::Value;

use super::load::{self, GATEWAY_CORE, Running, fetch, median, mock, on_core, start, wait_for};
use crate::Options;
use crate::report::{Broken, Report};
use crate::run::{ask, command};
use crate::target::cloudflare;
use crate::workspace;

/// Addresses of `workerd.capnp`.
const NOTHING: &str = "http://127.0.0.1:9301/";
const GATEWAY: &str = "http://127.0.0.1:9302/v1/chat/completions";
const HEALTH: &str = "http://127.0.0.1:9302/health";
const CELLS: &str = "http://127.0.0.1:9303/";
const KEY: &str = "authorization: Bearer bench-caller";
/// Commands to one cell when its rate is measured, and at once when none may be lost.
const COMMANDS: u32 = 3000;
const AT_ONCE: u32 = 1000;
/// How often a start is measured.
const STARTS: u32 = 7;

/// What was measured, in the order of the rounds.
#[derive(Default)]
struct Seen {
    nothing: Vec<f64>,
    unary: Vec<f64>,
    proxied: Vec<f64>,
    chunk: Vec<f64>,
    cell_rate: Vec<f64>,
    lost: u32,
    start: f64,
    gzip: f64,
}

/// Measures; says whether everything ran. Missing a figure's goal is a result, not a failure.
pub(crate) fn run(options: &Options) -> bool {
    let mut report = Report::new("bench", options);
    let _ = steps(&mut report, options);
    report.end()
}

fn steps(report: &mut Report, options: &Options) -> Result<(), Broken> {
    cloudflare::install(report)?;
    cloudflare::build(report)?;
    let mut seen = Seen::default();
    report.check("size", || {
        seen.gzip = cloudflare::gzip_kib()?;
        Ok(format!("{:.0} KiB", seen.gzip))
    })?;
    load::build(report)?;
    let folder = workspace::scratch().join("bench-cloudflare");
    report.check("lay out", || lay_out(&folder))?;
    report.check("starts", || {
        seen.start = starts(&folder)?;
        Ok(format!("{:.0} ms more than a Worker that does nothing", seen.start))
    })?;
    report.check("measure", || {
        let _mock = mock()?;
        let runtime = runtime(&folder, "config")?;
        wait_for(HEALTH)?;
        for _ in 0..options.rounds {
            round(&runtime, &mut seen)?;
        }
        Ok(String::new())
    })?;
    report.check("measure cells", || {
        let _runtime = urgent_runtime(&folder, "config")?;
        wait_for(HEALTH)?;
        cells(options.rounds, &mut seen)
    })?;
    let table = tabulate(&seen);
    println!("\n{table}");
    if options.publish {
        report.check("publish", || super::publish("cloudflare", &said(&table)))?;
    }
    Ok(())
}

/// Puts what `workerd.capnp` embeds beside it.
fn lay_out(folder: &Path) -> Result<String, String> {
    let failed = |error: std::io::Error| format!("{}: {error}", folder.display());
    let _ = std::fs::remove_dir_all(folder);
    std::fs::create_dir_all(folder.join("state")).map_err(failed)?;
    let sources = [(cloudflare::host().join("bench"), &["nothing.js", "cells.js", "workerd.capnp", "edgeway.toml"][..])];
    let built = [(cloudflare::folder().join("build"), &["index.js", "index_bg.wasm"][..])];
    for (from, names) in sources.into_iter().chain(built) {
        for name in names {
            std::fs::copy(from.join(name), folder.join(name)).map_err(|error| format!("{name}: {error}"))?;
        }
    }
    // The same runtime with nothing but the Worker that does nothing, and with nothing but the gateway.
    let text = std::fs::read_to_string(folder.join("workerd.capnp")).map_err(failed)?;
    for only in ["nothing", "gateway"] {
        let kept = |line: &&str| {
            let other = ["nothing", "gateway", "cells"]
                .into_iter()
                .any(|name| name != only && line.contains(&format!("(name = \"{name}\"")));
            !other
        };
        let text: Vec<&str> = text.lines().filter(kept).collect();
        std::fs::write(folder.join(format!("{only}.capnp")), text.join("\n")).map_err(failed)?;
    }
    std::fs::rename(folder.join("workerd.capnp"), folder.join("config.capnp")).map_err(failed)?;
    Ok(String::new())
}

/// The runtime at real-time priority where that is allowed (root): for what waits more than it computes, so that what
/// else the machine does is not taken for the runtime's own time.
fn urgent_runtime(folder: &Path, config: &str) -> Result<Running, String> {
    let urgent = ["chrt", "-r", "1", "taskset", "-c", GATEWAY_CORE];
    let under = if ask(command("chrt", &["-r", "1", "true"])).is_ok() { &urgent[..] } else { &urgent[3..] };
    start(under, &cloudflare::workerd()?, &["serve", &format!("{config}.capnp")], folder)
}

fn runtime(folder: &Path, config: &str) -> Result<Running, String> {
    on_core(GATEWAY_CORE, &cloudflare::workerd()?, &["serve", &format!("{config}.capnp")], folder)
}

/// Milliseconds from the runtime's start to the gateway's first answer, less the same for a Worker that does nothing.
fn starts(folder: &Path) -> Result<f64, String> {
    let (mut gateway, mut nothing) = (Vec::new(), Vec::new());
    for _ in 0..STARTS {
        for (config, url, times) in [("nothing", NOTHING, &mut nothing), ("gateway", HEALTH, &mut gateway)] {
            let _running = urgent_runtime(folder, config)?;
            times.push(wait_for(url)?.as_secs_f64() * 1e3);
        }
    }
    Ok(median(&mut gateway) - median(&mut nothing))
}

/// One measurement of everything that is a request, in turn.
fn round(runtime: &Running, seen: &mut Seen) -> Result<(), String> {
    let body = cloudflare::host().join("bench/request.json").to_string_lossy().into_owned();
    let unary = ["--body-file", body.as_str(), "--header", KEY];
    let proxied = ["--model", "openai/gpt-4.1-mini", "--header", KEY];
    let stream = [&["--stream"], &proxied[..]].concat();
    seen.nothing.push(load::measure(runtime.id(), "closed", 8, NOTHING, "", &unary, "/cpu_us_per_req")?);
    seen.unary.push(load::measure(runtime.id(), "closed", 8, GATEWAY, "", &unary, "/cpu_us_per_req")?);
    seen.proxied.push(load::measure(runtime.id(), "closed", 8, GATEWAY, "size=200", &proxied, "/cpu_us_per_req")?);
    seen.chunk.push(load::measure(runtime.id(), "sse", 4, GATEWAY, "chunks=100&flush=1", &stream, "/cpu_us_per_chunk")?);
    Ok(())
}

/// The rate of one object's commands, and how many of many at once are lost.
fn cells(rounds: u32, seen: &mut Seen) -> Result<String, String> {
    let drive = |cell: &str, count: u32, at_once: u32| -> Result<(f64, u32), String> {
        let answer = fetch(&format!("{CELLS}?cell={cell}&count={count}&at_once={at_once}"))?;
        let value: Value = serde_json::from_str(&answer).map_err(|error| format!("{error} in {answer}"))?;
        let charged =
            value["charged"].as_u64().and_then(|charged| u32::try_from(charged).ok()).ok_or(format!("no charge in {answer}"))?;
        Ok((value["milliseconds"].as_f64().unwrap_or(f64::INFINITY), charged))
    };
    for round in 0..rounds {
        let (milliseconds, charged) = drive(&format!("rate-{round}"), COMMANDS, 16)?;
        seen.cell_rate.push(f64::from(COMMANDS) * 1e3 / milliseconds);
        seen.lost += COMMANDS - charged;
    }
    let (_, charged) = drive("at-once", AT_ONCE, AT_ONCE)?;
    seen.lost += AT_ONCE - charged;
    Ok(String::new())
}

fn tabulate(seen: &Seen) -> String {
    let middle = |values: &[f64]| median(&mut values.to_vec());
    let nothing = middle(&seen.nothing);
    let rows = [
        ("authenticated answer of the gateway's own, CPU", "x nothing", middle(&seen.unary) / nothing, 1, "<= 4", "<= 3"),
        ("small answer of a provider passed through, CPU", "x nothing", middle(&seen.proxied) / nothing, 1, "<= 16", "<= 6"),
        ("chunk of a stream passed through, CPU", "µs", middle(&seen.chunk), 0, "<= 80", "<= 10"),
        ("the Worker that does nothing, CPU", "µs", nothing, 0, "", ""),
        ("size as uploaded, gzip", "KiB", seen.gzip, 0, "<= 1000", "<= 600"),
        ("start, beyond that of a Worker that does nothing", "ms", seen.start, 0, "<= 100", "<= 65"),
        ("commands to one cell, 16 at a time", "/s", middle(&seen.cell_rate), 0, ">= 300", ">= 400"),
        ("commands lost, of 1,000 at once and of all those", "", f64::from(seen.lost), 0, "0", "0"),
    ];
    super::table(rows)
}

fn said(table: &str) -> String {
    let commit = ask(command("git", &["log", "-1", "--format=%h, %cs"])).unwrap_or_default();
    format!("Measured at commit {}, on workerd {}, one core of its own.\n\n{table}", commit.trim(), cloudflare::RUNTIME)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_ratios_of_medians() {
        let seen = Seen {
            nothing: vec![50.0, 90.0, 60.0],
            unary: vec![120.0],
            proxied: vec![300.0, 420.0],
            chunk: vec![62.4],
            cell_rate: vec![431.0],
            lost: 0,
            start: 61.2,
            gzip: 743.9,
        };
        let table = tabulate(&seen);
        for row in
            ["CPU | x nothing | 2.0 | <= 4", "CPU | x nothing | 6.0 | <= 16", "CPU | µs | 62 |", "KiB | 744 |", "/s | 431 |"]
        {
            assert!(table.contains(row), "{row} in {table}");
        }
    }
}
