//! Launchers: how a target's gateway is started for the suite, the same for every target.
//!
//! A launcher is a program that behaves like `edgeway serve`: it takes `--config FILE`, its environment is the
//! gateway's bindings, it says on which loopback port it listens, prints one JSON line a request, and on SIGTERM
//! finishes what is under way and exits with 0. `cargo xtask conform <target>` builds it and says how to call it in
//! `EDGEWAY_LAUNCHER`, as JSON.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Instant;

use serde::Deserialize;
use serde_json::Value;

use crate::http1::PATIENCE;

/// How to start a target's gateway.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Launcher {
    /// The target's name, as in `cargo xtask conform <name>`.
    pub target: String,
    /// The program, absolute, and its arguments before `--config FILE`.
    pub command: Vec<String>,
    /// The same with the port suites built in; empty when there is none.
    #[serde(default)]
    pub suite: Vec<String>,
    /// Bindings besides those of a case. `{{unique}}` in a value is another word for each gateway.
    #[serde(default)]
    pub environment: Vec<(String, String)>,
    /// Whether a gateway serves many cases, because it starts slowly.
    #[serde(default)]
    pub keep: bool,
}

impl Launcher {
    /// What `EDGEWAY_LAUNCHER` says, if it is set.
    pub fn given() -> Option<Result<Self, String>> {
        let text = std::env::var("EDGEWAY_LAUNCHER").ok()?;
        Some(serde_json::from_str(&text).map_err(|error| format!("EDGEWAY_LAUNCHER: {error} in {text}")))
    }

    /// The native server: `EDGEWAY_BIN`, or built now, with the tests' own profile.
    pub fn native() -> Result<Self, String> {
        let command = vec![binary()?.to_string_lossy().into_owned(), "serve".to_owned()];
        Ok(Self { target: "native".into(), command, suite: Vec::new(), environment: Vec::new(), keep: false })
    }

    /// Starts a gateway with a configuration; returns when it listens.
    pub fn launch(&self, document: &str, bindings: &[(String, String)]) -> Result<Launched, String> {
        Self::start(&self.command, document, self.environment.iter().chain(bindings))
    }

    /// Starts one that answers the port suites.
    pub fn launch_suite(&self, document: &str, bindings: &[(String, String)]) -> Result<Launched, String> {
        Self::start(&self.suite, document, self.environment.iter().chain(bindings))
    }

    fn start<'a>(
        command: &[String],
        document: &str,
        bindings: impl Iterator<Item = &'a (String, String)>,
    ) -> Result<Launched, String> {
        let (program, arguments) = command.split_first().ok_or("the launcher names no program")?;
        let folder = Folder::new()?;
        let file = folder.0.join("edgeway.toml");
        std::fs::write(&file, document).map_err(|error| format!("{}: {error}", file.display()))?;
        let mut child = Command::new(program)
            .args(arguments)
            .arg("--config")
            .arg(&file)
            .current_dir(&folder.0)
            .env_clear()
            .envs(bindings.map(|(name, value)| (name, value.replace("{{unique}}", &folder.name()))))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| format!("{program} does not start: {error}"))?;
        let (said, lines) = channel();
        forward(child.stdout.take(), said.clone());
        forward(child.stderr.take(), said);
        let unknown = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut launched = Launched { child, lines, talk: String::new(), address: unknown, _folder: folder };
        launched.address = launched.listening()?;
        Ok(launched)
    }
}

/// A gateway that runs. Killed when dropped.
pub struct Launched {
    child: Child,
    /// What it prints, both ways.
    lines: Receiver<String>,
    /// Lines that were no records, for a failure's message.
    talk: String,
    /// Where it listens.
    pub address: SocketAddr,
    _folder: Folder,
}

impl Launched {
    /// Waits for the line that says where it listens.
    fn listening(&mut self) -> Result<SocketAddr, String> {
        let started = Instant::now();
        while let Some(left) = PATIENCE.checked_sub(started.elapsed()) {
            let Ok(line) = self.lines.recv_timeout(left) else { break };
            self.talk.push_str(&line);
            self.talk.push('\n');
            if let Some(address) = address(&line) {
                return Ok(address);
            }
        }
        Err(format!("the gateway does not say where it listens: {}", self.last_words()))
    }

    /// Waits for the next record in the log.
    pub fn record(&mut self) -> Result<Value, String> {
        let started = Instant::now();
        while let Some(left) = PATIENCE.checked_sub(started.elapsed()) {
            let Ok(line) = self.lines.recv_timeout(left) else { break };
            if let Some(record) = self.read_record(line) {
                return Ok(record);
            }
        }
        Err(format!("the gateway recorded nothing: {}", self.last_words()))
    }

    /// The records that came without being waited for.
    pub fn records_so_far(&mut self) -> Vec<Value> {
        let lines: Vec<_> = self.lines.try_iter().collect();
        lines.into_iter().filter_map(|line| self.read_record(line)).collect()
    }

    fn read_record(&mut self, line: String) -> Option<Value> {
        let record = serde_json::from_str::<Value>(&line).ok().filter(|value| value["outcome"].is_string());
        if record.is_none() {
            self.talk.push_str(&line);
            self.talk.push('\n');
        }
        record
    }

    /// Fails when it has ended.
    pub fn lives(&mut self) -> Result<(), String> {
        match self.child.try_wait() {
            Ok(Some(status)) => Err(format!("the gateway ended ({status}): {}", self.last_words())),
            _ => Ok(()),
        }
    }

    /// Asks it to end and waits; the records that were not waited for. Fails when it ends badly.
    pub fn end(mut self) -> Result<Vec<Value>, String> {
        terminate(&self.child)?;
        let status = self.child.wait().map_err(|error| error.to_string())?;
        let mut records = Vec::new();
        while let Ok(line) = self.lines.recv() {
            records.extend(self.read_record(line));
        }
        // A process that was told to end and had nothing to do ends well.
        if status.success() { Ok(records) } else { Err(format!("the gateway ended with {status}: {}", self.last_words())) }
    }

    /// What it said besides records, for a failure's message.
    pub fn last_words(&self) -> String {
        let more: Vec<_> = self.lines.try_iter().collect();
        format!("it said:\n{}{}", self.talk, more.join("\n"))
    }
}

impl Drop for Launched {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// `http://127.0.0.1:8787` anywhere in a line.
fn address(line: &str) -> Option<SocketAddr> {
    let at = line.find("127.0.0.1:")?;
    let end = line[at + 10..].find(|c: char| !c.is_ascii_digit()).map_or(line.len(), |length| at + 10 + length);
    line[at..end].parse().ok().filter(|address: &SocketAddr| address.port() != 0)
}

/// Sends lines on until the other end closes.
fn forward(output: Option<impl Read + Send + 'static>, to: Sender<String>) {
    let Some(output) = output else { return };
    std::thread::spawn(move || {
        for line in BufReader::new(output).lines() {
            let Ok(line) = line else { return };
            if to.send(line).is_err() {
                return;
            }
        }
    });
}

/// Asks a process to end (SIGTERM).
fn terminate(child: &Child) -> Result<(), String> {
    let status = Command::new("kill").arg(child.id().to_string()).status().map_err(|error| format!("kill: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("kill {}: {status}", child.id())) }
}

/// The native server's binary: `EDGEWAY_BIN`, or built now, with the tests' own profile.
fn binary() -> Result<PathBuf, String> {
    if let Some(binary) = std::env::var_os("EDGEWAY_BIN") {
        return Ok(binary.into());
    }
    let here = std::env::current_exe().map_err(|error| error.to_string())?;
    // target/<profile>/deps/conformance-<hash>
    let profile = here.parent().and_then(Path::parent).ok_or("the tests run from nowhere")?;
    let release: &[&str] = if profile.ends_with("release") { &["--release"] } else { &[] };
    let output = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["build", "--quiet", "--package", "edgeway"])
        .args(release)
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")))
        .output()
        .map_err(|error| format!("cargo build: {error}"))?;
    if !output.status.success() {
        return Err(format!("the server does not build:\n{}", String::from_utf8_lossy(&output.stderr)));
    }
    Ok(profile.join("edgeway"))
}

/// A folder of its own, for the configuration and whatever the server writes. Removed when dropped.
pub struct Folder(PathBuf);

impl Folder {
    /// A new one.
    pub fn new() -> Result<Self, String> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let name = format!("edgeway-case-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(Self(path))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Its name, which no other has.
    fn name(&self) -> String {
        self.0.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_found_in_a_line() {
        assert_eq!(address(r#"{"event":"listening","url":"http://127.0.0.1:8787"}"#), "127.0.0.1:8787".parse().ok());
        assert_eq!(address("listening on 127.0.0.1:0"), None);
        assert_eq!(address("no address"), None);
    }
}
