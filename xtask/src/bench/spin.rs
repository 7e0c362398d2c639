//! `cargo xtask bench spin`: the component as it is deployed, on the host of `tests/hosts/spin`.
//!
//! The host embeds the WebAssembly runtime that Spin embeds, and reuses instances as Spin does by default; what Spin does
//! besides (telemetry, routing, its own limits) is not in these figures. One core is the host's.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::load::{self, GATEWAY_CORE, MOCK, Running, median};
use crate::Options;
use crate::report::{Broken, Report};
use crate::run::{ask, command};
use crate::target::spin;
use crate::workspace;

const KEY: &str = "authorization: Bearer bench-caller";
/// Instances that are made one after the other.
const INSTANCES: &str = "2000";

/// What was measured, in the order of the rounds.
#[derive(Default)]
struct Seen {
    bytes: u64,
    instantiation: f64,
    own: Vec<f64>,
    proxied: Vec<f64>,
    chunk: Vec<f64>,
    translated: Vec<f64>,
}

/// Measures; says whether everything ran. Missing a figure's goal is a result, not a failure.
pub(crate) fn run(options: &Options) -> bool {
    let mut report = Report::new("bench", options);
    let _ = steps(&mut report, options);
    report.end()
}

fn steps(report: &mut Report, options: &Options) -> Result<(), Broken> {
    let host = spin::host(report)?;
    let component = spin::component(report, false)?;
    load::build(report)?;
    let mut seen = Seen::default();
    report.check("size", || {
        seen.bytes = std::fs::metadata(&component).map_err(|error| error.to_string())?.len();
        Ok(format!("{} KiB", seen.bytes / 1024))
    })?;
    let words = spin::command(&host, &component);
    report.check("instantiation", || {
        let mut arguments: Vec<&str> = vec!["-c", GATEWAY_CORE];
        arguments.extend(words.iter().map(String::as_str));
        arguments.extend(["--measure", INSTANCES]);
        let said = ask(command("taskset", &arguments))?;
        let value: Value = serde_json::from_str(&said).map_err(|error| format!("{error} in {said}"))?;
        seen.instantiation = value["median_us"].as_f64().ok_or(format!("no median in {said}"))?;
        Ok(format!("{:.0} µs", seen.instantiation))
    })?;
    report.check("measure", || {
        let _mock = load::mock()?;
        let (host, url) = serve(&words)?;
        for _ in 0..options.rounds {
            round(&host, &url, &mut seen)?;
        }
        Ok(String::new())
    })?;
    let table = tabulate(&seen);
    println!("\n{table}");
    if options.publish {
        report.check("publish", || super::publish("spin", &said(&table)))?;
    }
    Ok(())
}

/// Starts the host; gives it and where it listens.
fn serve(words: &[String]) -> Result<(Running, String), String> {
    let folder = workspace::scratch().join("bench-spin");
    std::fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
    let config = format!(
        "[auth]\nkeys = [\"EDGEWAY_KEY\"]\n\
         [providers.up]\nbase_url = \"http://{MOCK}/v1\"\ndialects = [\"openai_chat\"]\nkey = \"OPENAI_API_KEY\"\n\
         [providers.up-anthropic]\nbase_url = \"http://{MOCK}/v1\"\ndialects = [\"anthropic_messages\"]\nkey = \"ANTHROPIC_API_KEY\"\n"
    );
    let file = folder.join("edgeway.toml");
    std::fs::write(&file, config).map_err(|error| error.to_string())?;
    let file = file.to_string_lossy();
    let mut arguments: Vec<&str> = vec![
        "-i",
        "EDGEWAY_KEY=bench-caller",
        "OPENAI_API_KEY=sk-mock",
        "ANTHROPIC_API_KEY=sk-mock",
        "/usr/bin/taskset",
        "-c",
        GATEWAY_CORE,
    ];
    arguments.extend(words.iter().map(String::as_str));
    arguments.extend(["--workers", "1", "--config", &file]);
    let host = load::start(&["env"], Path::new(arguments[0]), &arguments[1..], &folder)?;
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(20) {
        let log = std::fs::read_to_string(folder.join("log")).unwrap_or_default();
        if let Some(address) = log.lines().find_map(|line| Some(&line[line.find("http://127.0.0.1:")?..])) {
            return Ok((host, format!("{}/v1/chat/completions", address.trim())));
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    Err("the host does not say where it listens".into())
}

/// One measurement of everything, in turn.
fn round(host: &Running, url: &str, seen: &mut Seen) -> Result<(), String> {
    let asked = |model: &'static str| ["--model", model, "--header", KEY];
    let streamed = |model: &'static str| [&["--stream"], &asked(model)[..]].concat();
    let each = "/cpu_us_per_req";
    let chunks = "chunks=100&flush=1";
    seen.own.push(load::measure(host.id(), "closed", 8, url, "", &asked("demo/echo"), each)?);
    seen.proxied.push(load::measure(host.id(), "closed", 8, url, "size=200", &asked("up/gpt-4.1-mini"), each)?);
    seen.chunk.push(load::measure(host.id(), "sse", 8, url, chunks, &streamed("up/gpt-4.1-mini"), "/cpu_us_per_chunk")?);
    seen.translated.push(load::measure(
        host.id(),
        "sse",
        8,
        url,
        chunks,
        &streamed("up-anthropic/claude-sonnet-4-5"),
        "/cpu_us_per_chunk",
    )?);
    Ok(())
}

fn tabulate(seen: &Seen) -> String {
    let middle = |values: &[f64]| median(&mut values.to_vec());
    #[expect(clippy::cast_precision_loss, reason = "a component has far fewer than 2^52 bytes")]
    let megabytes = seen.bytes as f64 / 1e6;
    let rows = [
        ("size of the component", "MB", megabytes, 2, "<= 2.5", "<= 1.5"),
        ("instantiation", "ms", seen.instantiation / 1e3, 3, "<= 0.3", "<= 0.08"),
        ("chunk of a stream passed through, CPU", "µs", middle(&seen.chunk), 1, "<= 40", "<= 15"),
        ("chunk of a stream translated (OpenAI to Anthropic), CPU", "µs", middle(&seen.translated), 1, "", ""),
        ("authenticated answer of the gateway's own, CPU", "µs", middle(&seen.own), 0, "", ""),
        ("small answer of a provider passed through, CPU", "µs", middle(&seen.proxied), 0, "", ""),
    ];
    super::table(rows)
}

fn said(table: &str) -> String {
    let commit = ask(command("git", &["log", "-1", "--format=%h, %cs"])).unwrap_or_default();
    format!("Measured at commit {}, one core the host's own.\n\n{table}", commit.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_medians_beside_their_goals() {
        let seen = Seen { bytes: 2_110_000, instantiation: 14.2, chunk: vec![12.0, 11.0, 30.0], ..Seen::default() };
        let table = tabulate(&seen);
        for row in ["| MB | 2.11 | <= 2.5 | <= 1.5 |", "| ms | 0.014 | <= 0.3 |", "passed through, CPU | µs | 12.0 | <= 40 |"] {
            assert!(table.contains(row), "{row} in {table}");
        }
    }
}
