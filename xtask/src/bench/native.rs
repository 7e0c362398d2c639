//! `cargo xtask bench [scenario...]`: the native gateway beside nginx and beside no gateway at all, in one interleaved run.
//!
//! `bench/` measures (see its README); this chore builds what is measured, runs it, and turns its lines into
//! the table of figures that the project holds itself to.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::Options;
use crate::report::Report;
use crate::run::{ask, cargo, command};
use crate::workspace;

/// What is measured when nothing is said; `bench/README.md` explains each.
const SCENARIOS: &str = "chat anth sse anth-sse paced anth-paced open big1m big10m hold9k";

/// Scenarios that leave their core idle most of the time: measured at real-time priority, so that what else the
/// machine does is not taken for the gateway's latency.
const LATENCIES: [&str; 3] = ["open", "paced", "anth-paced"];

/// How a figure is made of a scenario's measurements.
#[derive(Clone, Copy)]
enum Figure {
    /// Answers per CPU-second, as a share of nginx's in the second scenario.
    Share(&'static str),
    /// CPU time a chunk, as a multiple of nginx's in the second scenario.
    Multiple(&'static str),
    /// Microseconds more than without a gateway, at this percentile.
    Added(&'static str),
    /// Memory a held stream in KiB: what so many streams add to an idle gateway.
    Held,
}

/// The figures, with what is asked of each: (title, scenario, figure, at least, aim).
#[rustfmt::skip]
const FIGURES: &[(&str, &str, Figure, f64, f64)] = &[
    ("chat passed through, answers per CPU-second",        "chat",       Figure::Share("chat"),     0.40, 0.60),
    ("chat translated (OpenAI to Anthropic), the same",    "anth",       Figure::Share("chat"),     0.28, 0.45),
    ("stream of 100 chunks passed through, the same",      "sse",        Figure::Share("sse"),      0.50, 0.70),
    ("stream of 100 chunks translated, the same",          "anth-sse",   Figure::Share("sse"),      0.30, 0.45),
    ("1 MB body, the same",                                "big1m",      Figure::Share("big1m"),    0.45, 0.70),
    ("10 MB body, the same",                               "big10m",     Figure::Share("big10m"),   0.45, 0.70),
    ("paced stream passed through, CPU a chunk",           "paced",      Figure::Multiple("paced"), 1.7,  1.3),
    ("paced stream translated, the same",                  "anth-paced", Figure::Multiple("paced"), 2.5,  1.8),
    ("added latency at 200 requests/s, median",            "open",       Figure::Added("p50"),      250.0, 150.0),
    ("added latency at 200 requests/s, 99 %",              "open",       Figure::Added("p99"),      600.0, 300.0),
    ("added time to a stream's first chunk, median",       "paced",      Figure::Added("p50"),      200.0, 100.0),
    ("memory of a held stream, 9,000 of them",             "hold9k",     Figure::Held,              30.0, 15.0),
];

/// Measures; says whether everything ran. Missing a figure's goal is a result, not a failure.
pub(crate) fn run(options: &Options) -> bool {
    let mut report = Report::new("bench", options);
    let scenarios = if options.words.is_empty() { SCENARIOS.to_owned() } else { options.words.join(" ") };
    let _ = (|| {
        report.command("build edgeway", cargo(&["build", "--release", "--package", "edgeway", "--quiet"]))?;
        let lines = workspace::scratch().join("bench.jsonl");
        let _ = std::fs::remove_file(&lines);
        // A gateway that holds thousands of streams still works off its queue when the next one starts: each is alone then.
        let (held, rest): (Vec<&str>, Vec<&str>) =
            scenarios.split_whitespace().partition(|scenario| scenario.starts_with("hold"));
        let (idle, full): (Vec<&str>, Vec<&str>) = rest.into_iter().partition(|scenario| LATENCIES.contains(scenario));
        let all = ["nginx", "direct", "edgeway"];
        if !full.is_empty() {
            report.command("measure", measure(&full, options.rounds, &all, &lines))?;
        }
        if !idle.is_empty() {
            let mut latencies = measure(&idle, options.rounds, &all, &lines);
            latencies.env("RT", "1");
            report.command("measure latencies", latencies)?;
        }
        if !held.is_empty() {
            report.command("measure held streams", measure(&held, 1, &["edgeway"], &lines))?;
        }
        let mut table = String::new();
        report.check("figures", || {
            table = tabulate(&read(&lines)?)?;
            println!("\n{table}");
            Ok(String::new())
        })?;
        if options.publish {
            report.check("publish", || super::publish("native", &said(&table)))?;
        }
        Ok::<_, crate::report::Broken>(())
    })();
    report.end()
}

fn measure(scenarios: &[&str], rounds: u32, gateways: &[&str], lines: &Path) -> Command {
    let (rounds, scenarios, out) = (rounds.to_string(), scenarios.join(" "), lines.to_string_lossy().into_owned());
    let arguments = [&["bench/bench.sh", "-r", &rounds, "-s", &scenarios, "-o", &out], gateways].concat();
    let mut command = command("bash", &arguments);
    command.env("EDGEWAY_BIN", workspace::target().join("release/edgeway"));
    command
}

/// Measurements by (scenario, gateway).
type Measured = BTreeMap<(String, String), Vec<Value>>;

fn read(lines: &Path) -> Result<Measured, String> {
    let text = std::fs::read_to_string(lines).map_err(|error| format!("{}: {error}", lines.display()))?;
    let mut measured = Measured::new();
    for line in text.lines() {
        let value: Value = serde_json::from_str(line).map_err(|error| format!("{error} in {line}"))?;
        let word = |key: &str| value[key].as_str().unwrap_or_default().to_owned();
        measured.entry((word("scenario"), word("gw"))).or_default().push(value);
    }
    Ok(measured)
}

fn median(measured: &Measured, scenario: &str, gateway: &str, pointer: &str) -> Option<f64> {
    let runs = measured.get(&(scenario.to_owned(), gateway.to_owned()))?;
    let mut values: Vec<f64> = runs.iter().filter_map(|run| run.pointer(pointer)?.as_f64()).collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => None,
        length if length % 2 == 1 => Some(values[middle]),
        _ => Some(f64::midpoint(values[middle - 1], values[middle])),
    }
}

fn value(measured: &Measured, scenario: &str, figure: Figure) -> Option<f64> {
    let ours = |pointer: &str| median(measured, scenario, "edgeway", pointer);
    match figure {
        Figure::Share(base) => Some(ours("/req_per_cpu_s")? / median(measured, base, "nginx", "/req_per_cpu_s")?),
        Figure::Multiple(base) => Some(ours("/cpu_us_per_chunk")? / median(measured, base, "nginx", "/cpu_us_per_chunk")?),
        Figure::Added(percentile) => {
            let pointer = format!("/lat_us/{percentile}");
            Some(ours(&pointer)? - median(measured, scenario, "direct", &pointer)?)
        }
        Figure::Held => Some((ours("/rss_max_mib")? - ours("/rss_before_mib")?) * 1024.0 / ours("/held_max")?),
    }
}

fn tabulate(measured: &Measured) -> Result<String, String> {
    let bad: f64 =
        measured.values().flatten().map(|run| run["bad"].as_f64().unwrap_or(0.0) + run["io_err"].as_f64().unwrap_or(0.0)).sum();
    if bad > 0.0 {
        return Err(format!("{bad} requests failed, so the figures mean nothing"));
    }
    let mut out = String::from("| figure | unit | measured | at least | aim |\n|---|---|---|---|---|\n");
    let mut rows = 0;
    for (title, scenario, figure, least, aim) in FIGURES {
        let Some(measured) = value(measured, scenario, *figure) else { continue };
        rows += 1;
        let (unit, digits, sign) = match figure {
            Figure::Share(_) => ("x nginx", 2, ">="),
            Figure::Multiple(_) => ("x nginx", 2, "<="),
            Figure::Added(_) => ("µs", 0, "<="),
            Figure::Held => ("KiB", 1, "<="),
        };
        out.push_str(&format!("| {title} | {unit} | {measured:.digits$} | {sign} {least:.digits$} | {sign} {aim:.digits$} |\n"));
    }
    for (title, pointer, unit, least, aim) in [
        ("idle memory", "/rss_idle_mib", "MiB", 20, 12),
        ("start to first answer, harness included", "/startup_ms", "ms", 60, 25),
    ] {
        if let Some(measured) = median(measured, "start", "edgeway", pointer) {
            out.push_str(&format!("| {title} | {unit} | {measured:.0} | <= {least} | <= {aim} |\n"));
        }
    }
    if rows == 0 { Err("nothing was measured that a figure is made of".into()) } else { Ok(out) }
}

/// The table, and what it was measured on.
fn said(table: &str) -> String {
    let commit = ask(command("git", &["log", "-1", "--format=%h, %cs"])).unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    format!("Measured at commit {}, on {cores} cores, one of them the gateway's.\n\n{table}", commit.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured() -> Measured {
        let mut measured = Measured::new();
        let mut add = |scenario: &str, gateway: &str, value: Value| {
            measured.entry((scenario.into(), gateway.into())).or_default().push(value);
        };
        for cost in [100.0, 300.0, 200.0] {
            add("chat", "nginx", serde_json::json!({"req_per_cpu_s": cost * 2.0}));
            add("chat", "edgeway", serde_json::json!({"req_per_cpu_s": cost}));
        }
        add("open", "direct", serde_json::json!({"lat_us": {"p50": 40.0, "p99": 90.0}}));
        add("open", "edgeway", serde_json::json!({"lat_us": {"p50": 140.0, "p99": 290.0}}));
        measured
    }

    #[test]
    fn figures_are_ratios_of_medians_and_differences() {
        let table = tabulate(&measured()).unwrap();
        assert!(table.contains("| x nginx | 0.50 | >= 0.40 | >= 0.60 |"), "{table}");
        assert!(table.contains("median | µs | 100 |") && table.contains("99 % | µs | 200 |"), "{table}");
    }

    #[test]
    fn a_run_with_failures_gives_no_figures() {
        let mut measured = measured();
        measured.entry(("chat".into(), "edgeway".into())).or_default().push(serde_json::json!({"bad": 1}));
        assert!(tabulate(&measured).is_err());
        assert!(tabulate(&Measured::new()).is_err());
    }
}
