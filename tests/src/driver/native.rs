//! The native server as its users run it: the built binary, a configuration file, a free port, one process a case.

use std::io::{BufRead, BufReader, Read};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Instant;

use serde_json::Value;

use super::{Driver, Observed, Running};
use crate::case::{Case, Request, Turn};
use crate::http1::{BodyReader, Connection, PATIENCE};
use crate::upstream::Upstream;

/// Runs cases on the native server.
#[derive(Default)]
pub struct Native {
    binary: OnceLock<Result<PathBuf, String>>,
}

impl Driver for Native {
    fn name(&self) -> &'static str {
        "native"
    }

    fn start(&self, case: &Case) -> Result<Box<dyn Running>, String> {
        let binary = self.binary.get_or_init(binary).clone()?;
        let upstream = Upstream::start([]).map_err(|error| format!("the scripted provider: {error}"))?;
        let mut document = case.config.replace("{{upstream}}", &format!("http://{}", upstream.address()));
        if !document.contains("[server]") {
            document.push_str("\n[server]\nlisten = \"127.0.0.1:0\"\n");
        }
        let folder = Folder::new()?;
        let file = folder.0.join("edgeway.toml");
        std::fs::write(&file, document).map_err(|error| format!("{}: {error}", file.display()))?;
        let mut child = Command::new(binary)
            .args(["serve", "--config"])
            .arg(&file)
            .current_dir(&folder.0)
            .env_clear()
            .envs(case.bindings.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| format!("edgeway does not start: {error}"))?;
        let (said, lines) = channel();
        forward(child.stdout.take(), said.clone());
        forward(child.stderr.take(), said);
        let mut server = Server { child, lines, talk: String::new(), upstream, address: None, asked: 0, folder };
        server.address = Some(server.listening()?);
        Ok(Box::new(server))
    }
}

struct Server {
    child: Child,
    /// What it prints, both ways.
    lines: Receiver<String>,
    /// Lines that were no records, for a failure's message.
    talk: String,
    upstream: Upstream,
    address: Option<SocketAddr>,
    asked: usize,
    folder: Folder,
}

impl Running for Server {
    fn turn(&mut self, turn: &Turn, request: &Request) -> Result<Observed, String> {
        self.upstream.expect(turn.upstream.iter().map(|exchange| exchange.answer.clone()));
        let mut observed = self.exchange(request).map_err(|error| format!("{error}\n{}", self.last_words()))?;
        if request.raw.is_none() {
            observed.records.push(self.record()?);
        }
        let seen = self.upstream.seen()?;
        observed.asked = seen.into_iter().skip(self.asked).collect();
        self.asked += observed.asked.len();
        if let Ok(Some(status)) = self.child.try_wait() {
            return Err(format!("edgeway ended ({status}): {}", self.last_words()));
        }
        Ok(observed)
    }

    fn finish(mut self: Box<Self>) -> Result<Vec<Value>, String> {
        terminate(&self.child)?;
        let status = self.child.wait().map_err(|error| error.to_string())?;
        let mut records = Vec::new();
        while let Ok(line) = self.lines.recv() {
            records.extend(self.read_record(line));
        }
        // A process that was told to end and had nothing to do ends well.
        if status.success() { Ok(records) } else { Err(format!("edgeway ended with {status}: {}", self.last_words())) }
    }
}

impl Server {
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
        Err(format!("edgeway does not say where it listens: {}", self.last_words()))
    }

    fn exchange(&self, request: &Request) -> std::io::Result<Observed> {
        let address = self.address.expect("it listens since `start`");
        let mut connection = Connection::new(TcpStream::connect(address)?)?;
        match &request.raw {
            Some(raw) => connection.write(raw)?,
            None => connection.write(&bytes(request, address))?,
        }
        let mut observed = Observed::default();
        if request.hang_up_after == Some(0) {
            return Ok(observed);
        }
        let Some(head) = connection.read_head()? else {
            observed.broken = Some("the gateway closed the connection without an answer".into());
            return Ok(observed);
        };
        observed.status = head.word(1).parse().unwrap_or(0);
        observed.headers = head.headers.clone();
        if request.method == "HEAD" {
            return Ok(observed);
        }
        let mut body = BodyReader::new(&head, true);
        for chunks in 0_usize.. {
            if request.hang_up_after.is_some_and(|most| chunks >= most) {
                break;
            }
            match body.next(&mut connection) {
                Ok(Some(chunk)) => observed.body.extend_from_slice(&chunk),
                Ok(None) => break,
                Err(error) => {
                    observed.broken = Some(error.to_string());
                    break;
                }
            }
        }
        Ok(observed)
    }

    /// Waits for the next record in the log.
    fn record(&mut self) -> Result<Value, String> {
        let started = Instant::now();
        while let Some(left) = PATIENCE.checked_sub(started.elapsed()) {
            let Ok(line) = self.lines.recv_timeout(left) else { break };
            if let Some(record) = self.read_record(line) {
                return Ok(record);
            }
        }
        Err(format!("edgeway recorded nothing: {}", self.last_words()))
    }

    fn read_record(&mut self, line: String) -> Option<Value> {
        let record = serde_json::from_str::<Value>(&line).ok().filter(|value| value["outcome"].is_string());
        if record.is_none() {
            self.talk.push_str(&line);
            self.talk.push('\n');
        }
        record
    }

    fn last_words(&self) -> String {
        let more: Vec<_> = self.lines.try_iter().collect();
        format!("it said:\n{}{}", self.talk, more.join("\n"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.folder.0);
    }
}

/// The request on the wire.
fn bytes(request: &Request, address: SocketAddr) -> Vec<u8> {
    let mut head = format!("{} {} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n", request.method, request.path);
    for (name, value) in &request.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    if !request.body.is_empty() || request.method == "POST" {
        head.push_str(&format!("content-length: {}\r\n", request.body.len()));
    }
    head.push_str("\r\n");
    [head.as_bytes(), &request.body].concat()
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

/// The server's binary: `EDGEWAY_BIN`, or built now, with the tests' own profile.
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

/// A folder of its own, for the configuration and whatever the server writes.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Result<Self, String> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let name = format!("edgeway-case-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(Self(path))
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
