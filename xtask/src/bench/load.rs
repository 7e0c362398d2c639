//! Processes under measurement, the mock provider and the load generator of `bench/`, for targets that one process serves.
//!
//! The gateway has one core, mock and load generator another. CPU time is the gateway's process's own.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::report::{Broken, Report};
use crate::run::{ask, cargo, command};
use crate::workspace;

/// Where the mock provider listens.
pub(super) const MOCK: &str = "127.0.0.1:9100";
/// The gateway's core.
pub(super) const GATEWAY_CORE: &str = "0";
/// The core of everything else.
const LOAD_CORE: &str = "1";

/// Builds mock and load generator.
pub(super) fn build(report: &mut Report) -> Result<(), Broken> {
    let arguments = ["build", "--release", "--quiet", "--manifest-path", "bench/Cargo.toml", "--target-dir", "bench/target"];
    report.command("build the load generator", cargo(&arguments))
}

/// A process that ends with this value.
pub(super) struct Running(Child);

impl Running {
    /// Its process id.
    pub(super) fn id(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts a program on one core; what it says goes to `log` in its folder.
pub(super) fn on_core(core: &str, program: &Path, arguments: &[&str], folder: &Path) -> Result<Running, String> {
    start(&["taskset", "-c", core], program, arguments, folder)
}

/// Starts a program under another. What the other replaces itself by keeps the process id.
pub(super) fn start(under: &[&str], program: &Path, arguments: &[&str], folder: &Path) -> Result<Running, String> {
    let mut command = Command::new(under[0]);
    command.args(&under[1..]).arg(program).args(arguments).current_dir(folder);
    let log = std::fs::File::create(folder.join("log")).map_err(|error| error.to_string())?;
    let errors = log.try_clone().map_err(|error| error.to_string())?;
    let child = command.stdin(Stdio::null()).stdout(log).stderr(errors).spawn();
    child.map(Running).map_err(|error| format!("{} {}: {error}", under[0], program.display()))
}

fn gwbench() -> PathBuf {
    workspace::root().join("bench/target/release/gwbench")
}

/// Starts the mock provider.
pub(super) fn mock() -> Result<Running, String> {
    let folder = workspace::scratch().join("bench-mock");
    std::fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
    let mock = on_core(LOAD_CORE, &gwbench(), &["mock", "--listen", MOCK], &folder)?;
    wait_for(&format!("http://{MOCK}/__stats"))?;
    Ok(mock)
}

/// The answer of an address.
pub(super) fn fetch(url: &str) -> Result<String, String> {
    ask(command("curl", &["-sf", "--max-time", "60", url]))
}

/// Asks until there is an answer; says how long that took.
pub(super) fn wait_for(url: &str) -> Result<Duration, String> {
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(20) {
        if fetch(url).is_ok() {
            return Ok(begun.elapsed());
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    Err(format!("{url} gives no answer"))
}

/// Loads `url` for some seconds; gives one figure of what the load generator says. `mock` sets how the provider answers.
pub(super) fn measure(
    pid: u32,
    mode: &str,
    connections: u32,
    url: &str,
    mock: &str,
    more: &[&str],
    figure: &str,
) -> Result<f64, String> {
    if !mock.is_empty() {
        fetch(&format!("http://{MOCK}/__set?{mock}"))?;
    }
    let (pid, connections) = (pid.to_string(), connections.to_string());
    let generator = gwbench().to_string_lossy().into_owned();
    let fixed = [
        "-c",
        LOAD_CORE,
        &generator,
        "load",
        mode,
        "--pid",
        &pid,
        "--url",
        url,
        "--conns",
        &connections,
        "--secs",
        "4",
        "--warm",
        "2",
    ];
    let line = ask(command("taskset", &[&fixed[..], more].concat()))?;
    let value: Value = serde_json::from_str(&line).map_err(|error| format!("{error} in {line}"))?;
    let failed = value["bad"].as_f64().unwrap_or(0.0) + value["io_err"].as_f64().unwrap_or(0.0);
    if failed > 0.0 {
        return Err(format!("{failed} requests to {url} failed: {}", value["first_bad"]));
    }
    value.pointer(figure).and_then(Value::as_f64).ok_or(format!("{url} has no {figure}: {line}"))
}

/// The middle value.
pub(super) fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    match (values.len(), values.len() / 2) {
        (0, _) => f64::NAN,
        (length, middle) if length % 2 == 1 => values[middle],
        (_, middle) => f64::midpoint(values[middle - 1], values[middle]),
    }
}
